/** Config of the VQGAN through which images are discretised. */
import { z } from 'zod';

const pretrained = z.strictObject({
  path: z.string().describe('file or folder of a published VQGAN'),
  architecture: z.enum(['vq-f8', 'vqgan-f16-1024', 'vqgan-f16-16384']).optional().describe('what it is, unless it is a model folder of diffusers, which says it itself'),
});

export const discretiser = z
  .strictObject({
    weights: z.string().optional().describe('safetensors file of a VQGAN that sparring wrote'),
    pretrained: pretrained.optional().describe('a published VQGAN, in place of weights'),
  })
  .prefault({});
