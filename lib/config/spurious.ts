/** The `spurious` section of the configuration: folders of `sparring evaluate --suite spurious`. */
import { z } from 'zod';

export const spurious = z
  .strictObject({
    root: z.string().optional().describe('Spurious ImageNet: its class folders, or the folder that has them in images/'),
    imageNet: z.string().optional().describe('ImageNet val: <wnid>/, val/<wnid>/ or ILSVRC/Data/CLS-LOC/val/<wnid>/'),
    imageSize: z.int().min(1).default(224).describe('pixels; of what classifiers see whose weights do not say it'),
  })
  .prefault({})
  .describe('of `sparring evaluate --suite spurious`, see docs/ood.md');

export type SpuriousConfig = z.infer<typeof spurious>;
