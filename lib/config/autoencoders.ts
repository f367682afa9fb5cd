/** The autoencoders that are published: what to load their weights with. */
import type { AutoencoderSpec } from '../native/contract.js';

const vqganF16 = {
  kind: 'vqgan',
  blockChannels: [128, 128, 256, 256, 512],
  attention: [0, 0, 0, 0, 1],
  layersPerBlock: 2,
  normGroups: 32,
  latentChannels: 256,
  codeChannels: 256,
} as const;

export const autoencoderSpecs = {
  /** Stable Diffusion 1 and 2. */
  sd: { kind: 'kl', blockChannels: [128, 256, 512, 512], attention: [0, 0, 0, 0], layersPerBlock: 2, normGroups: 32, latentChannels: 4, scalingFactor: 0.18215 },
  /** TAESD, for the latents of `sd`. */
  taesd: { kind: 'taesd', width: 64, encoderBlocks: [1, 3, 3, 3], decoderBlocks: [3, 3, 3, 1], latentChannels: 4 },
  /** VQGAN of taming-transformers, ImageNet, f = 16. */
  'vqgan-f16-1024': { ...vqganF16, numCodes: 1024 },
  'vqgan-f16-16384': { ...vqganF16, numCodes: 16384 },
  /** vq-f8 of latent-diffusion, OpenImages, 16384 codes. */
  'vq-f8': {
    kind: 'vqgan', blockChannels: [128, 256, 256, 512], attention: [0, 0, 0, 1], layersPerBlock: 2, normGroups: 32, latentChannels: 4, codeChannels: 4, numCodes: 16384,
  },
} as const satisfies Record<string, AutoencoderSpec>;
