/** The config of an autoencoder of diffusers, `vae/config.json`, as our options. */
import { z } from 'zod';

import { SparringError } from '../errors.js';
import type { AutoencoderSpec } from '../native/contract.js';
import { any, check, notes, only } from './diffusers-config.js';

const count = z.int().min(1);
const shared = {
  ...notes,
  sample_size: any,
  in_channels: only(3),
  out_channels: only(3),
  latent_channels: count.default(4),
  force_upcast: any, // ours normalises in fp32 in any case
  shift_factor: z.union([z.literal(0), z.null()]).optional(),
  latents_mean: z.null().optional(),
  latents_std: z.null().optional(),
};

const kl = z.strictObject({
  _class_name: z.literal('AutoencoderKL'),
  ...shared,
  block_out_channels: z.array(count).min(1).max(8),
  down_block_types: z.array(z.literal('DownEncoderBlock2D')),
  up_block_types: z.array(z.literal('UpDecoderBlock2D')),
  layers_per_block: count.default(1),
  norm_num_groups: count.default(32),
  scaling_factor: z.number().positive().default(0.18215),
  act_fn: only('silu', 'swish'),
  use_quant_conv: only(true),
  use_post_quant_conv: only(true),
  mid_block_add_attention: only(true),
});

const tiny = z.strictObject({
  _class_name: z.literal('AutoencoderTiny'),
  ...shared,
  encoder_block_out_channels: z.array(count).min(1).max(8),
  decoder_block_out_channels: z.array(count).min(1).max(8),
  num_encoder_blocks: z.array(count),
  num_decoder_blocks: z.array(count),
  upsampling_scaling_factor: only(2),
  upsample_fn: only('nearest'),
  latent_magnitude: any, latent_shift: any, // of latents stored as images
  scaling_factor: only(1),
  act_fn: only('relu'),
  block_out_channels: any, // repeats the decoder's
});

/** What the decoder of a latent diffusion model of diffusers is. */
export function autoencoderConfig(config: unknown, where: string): AutoencoderSpec {
  const given = check(z.discriminatedUnion('_class_name', [kl, tiny]), config, where);
  if (given._class_name === 'AutoencoderKL') {
    return {
      kind: 'kl', blockChannels: given.block_out_channels, attention: given.block_out_channels.map(() => 0), layersPerBlock: given.layers_per_block,
      normGroups: given.norm_num_groups, latentChannels: given.latent_channels, scalingFactor: given.scaling_factor,
    };
  }
  const widths = new Set([...given.encoder_block_out_channels, ...given.decoder_block_out_channels]);
  if (widths.size !== 1) throw new SparringError('config', `${where}: expected encoder and decoder of one width, found ${[...widths].join(', ')} channels.`, 'Such an autoencoder is not supported.');
  return { kind: 'taesd', width: given.encoder_block_out_channels[0], encoderBlocks: given.num_encoder_blocks, decoderBlocks: given.num_decoder_blocks, latentChannels: given.latent_channels };
}
