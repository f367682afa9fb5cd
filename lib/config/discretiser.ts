/** The discretiser of DAD: a VQGAN that is given, or what is trained in its place. */
import { z } from 'zod';

import type { AutoencoderSpec } from '../native/contract.js';
import type { Config } from './schema.js';

const count = z.int().min(1);

/** Published ones that a file can be said to be of; see autoencoders.ts. */
const architectures = ['vq-f8', 'vqgan-f16-1024', 'vqgan-f16-16384'] as const;

const pretrained = z.strictObject({
  path: z.string().describe('safetensors file with the names of diffusers, latent-diffusion or taming-transformers, or a model folder of diffusers (VQModel)'),
  architecture: z.enum(architectures).default('vq-f8').describe('what the file is of; a folder says it itself'),
});

/** The section, with how a split is named and a network is trained. */
export function discretiserSection<TrainOn extends z.ZodType, Training extends z.ZodType>(trainOn: TrainOn, training: Training) {
  return z.strictObject({
    weights: z.string().optional().describe('safetensors file that sparring wrote; without it the discretiser is trained'),
    pretrained: pretrained.optional().describe('a published VQGAN, in place of weights'),
    blockChannels: z.array(count).min(1).max(8).default([24, 32, 48]).describe('channels per resolution level; each but the first halves the resolution, so three give one code for 4 x 4 pixels'),
    attention: z.array(z.union([z.literal(0), z.literal(1)])).default([0, 0, 0]).describe('self-attention per level; the middle always has it'),
    layersPerBlock: count.default(1).describe('residual blocks per level; one more going up'),
    normGroups: count.default(8).describe('groups of group normalisation; divides every level'),
    numCodes: count.max(2 ** 20).default(512).describe('entries of the codebook'),
    codeChannels: count.default(8).describe('numbers of a code'),
    perceptualWeight: z.number().min(0).default(0.3).describe('of the distance in the features of lpips or, without it, of the teacher; 0 = none'),
    lpips: z.string().optional().describe('safetensors file of LPIPS on VGG16, see docs/dad.md'),
    adversarialWeight: z.number().min(0).default(0.1).describe('of the discriminator, times the adaptive weight of the paper; 0 = none'),
    adversarialFrom: z.int().min(0).default(1000).describe('step from which the discriminator takes part'),
    trainOn,
    training,
  });
}

/** What is trained. */
export function discretiserSpec({ blockChannels, attention, layersPerBlock, normGroups, numCodes, codeChannels }: Config['discretiser']): AutoencoderSpec & { kind: 'vqgan' } {
  return { kind: 'vqgan', blockChannels, attention, layersPerBlock, normGroups, latentChannels: codeChannels, numCodes, codeChannels };
}

/** Whether it is trained here. */
export function isTrainedDiscretiser({ weights, pretrained }: Config['discretiser']): boolean {
  return !weights && !pretrained;
}

/** Whether it is trained with the teacher's features as perceptual loss. */
export function comparesTeacherFeatures(discretiser: Config['discretiser']): boolean {
  return isTrainedDiscretiser(discretiser) && discretiser.lpips === undefined && discretiser.perceptualWeight > 0;
}
