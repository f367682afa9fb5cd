/** The `ood` section of the configuration: folders of the out-of-distribution suite, and how its images are seen. */
import { z } from 'zod';

import { transforms } from '../data/transform.js';
import { photographTransform } from './data.js';

const folder = (meaning: string) => z.string().optional().describe(meaning);

export const ood = z
  .strictObject({
    val: folder('ImageNet val: <wnid>/, val/<wnid>/ or ILSVRC/Data/CLS-LOC/val/<wnid>/'),
    v2: folder('ImageNet-V2: class folders of any of its releases, or the folder that holds those of several of its sets'),
    a: folder('ImageNet-A: <wnid>/ of 200 classes'),
    r: folder('ImageNet-R: likewise'),
    sketch: folder('ImageNet-Sketch: <wnid>/'),
    stylized: folder('Stylized-ImageNet: <wnid>/ or val/<wnid>/'),
    c: folder('ImageNet-C: <corruption>/<severity>/<wnid>/'),
    cueConflict: folder('cue-conflict stimuli: <shape>/<shape><n>-<texture><n>.png'),
    imageSize: z.int().min(1).default(224).describe('pixels; of what classifiers see whose weights do not say it'),
    transform: photographTransform(transforms.imagenet).describe('of the photographs; ImageNet-C, Stylized-ImageNet and cue-conflict images are stored cropped'),
  })
  .prefault({})
  .describe('sets of `sparring evaluate --suite ood`, see docs/ood.md; one without a folder is skipped');

export type OodConfig = z.infer<typeof ood>;
/** Its keys that are folders. */
export const oodFolders = ['val', 'v2', 'a', 'r', 'sketch', 'stylized', 'c', 'cueConflict'] as const satisfies (keyof OodConfig)[];
export type OodFolder = (typeof oodFolders)[number];
