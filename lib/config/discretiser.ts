/** Config of the VQGAN through which images are discretised. */
import { z } from 'zod';

const pretrained = z.strictObject({
  path: z.string().describe('safetensors file with the names of diffusers, latent-diffusion or taming-transformers'),
  architecture: z.enum(['vq-f8', 'vqgan-f16-1024', 'vqgan-f16-16384']).default('vq-f8').describe('what the file is of'),
});

export const discretiser = z
  .strictObject({
    weights: z.string().optional().describe('safetensors file that sparring wrote'),
    pretrained: pretrained.optional().describe('a published VQGAN, in place of weights'),
  })
  .prefault({});
