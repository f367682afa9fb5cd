/** The config of a U-Net of diffusers, `unet/config.json`, as our options. */
import { z } from 'zod';

import { SparringError } from '../errors.js';
import type { UNetSpec } from '../native/contract.js';
import { any, check, notes, only } from './diffusers-config.js';

const count = z.int().min(1);

const shared = {
  ...notes,
  sample_size: z.union([count, z.tuple([count, count])]).nullish(),
  block_out_channels: z.array(count).min(1).max(8),
  layers_per_block: count.default(2),
  norm_num_groups: count.default(32),
  norm_eps: z.number().positive().default(1e-5),
  downsample_padding: z.literal([0, 1]).default(1),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: z.int().min(0).default(0),
  num_class_embeds: count.nullish(),
  center_input_sample: only(false),
  act_fn: only('silu', 'swish'),
  dropout: only(0),
  mid_block_scale_factor: only(1),
  resnet_time_scale_shift: only('default'),
  time_embedding_type: only('positional'),
  time_embedding_dim: z.null().optional(),
  class_embed_type: z.null().optional(),
};

const unet2d = z.strictObject({
  _class_name: z.literal('UNet2DModel'),
  ...shared,
  in_channels: count.default(3),
  out_channels: count.default(3),
  down_block_types: z.array(z.enum(['DownBlock2D', 'AttnDownBlock2D'])),
  up_block_types: z.array(z.enum(['UpBlock2D', 'AttnUpBlock2D'])),
  mid_block_type: only('UNetMidBlock2D'),
  attention_head_dim: count.nullish().default(8),
  add_attention: only(true),
  attn_norm_num_groups: z.null().optional(),
  downsample_type: only('conv'),
  upsample_type: only('conv'),
  num_train_timesteps: any, // of a learned time embedding
});

const unet2dCondition = z.strictObject({
  _class_name: z.literal('UNet2DConditionModel'),
  ...shared,
  in_channels: count.default(4),
  out_channels: count.default(4),
  down_block_types: z.array(z.enum(['DownBlock2D', 'CrossAttnDownBlock2D'])),
  up_block_types: z.array(z.enum(['UpBlock2D', 'CrossAttnUpBlock2D'])),
  mid_block_type: only('UNetMidBlock2DCrossAttn'),
  // The number of heads, whatever its name says.
  attention_head_dim: z.union([count, z.array(count)]).default(8),
  cross_attention_dim: count.default(1280),
  transformer_layers_per_block: count.default(1),
  use_linear_projection: z.boolean().default(false),
  upcast_attention: any, // as the fused attention of diffusers, ours takes no notice of it
  num_attention_heads: z.null().optional(),
  only_cross_attention: only(false),
  dual_cross_attention: only(false),
  attention_type: only('default'),
  resnet_skip_time_act: only(false),
  resnet_out_scale_factor: only(1),
  conv_in_kernel: only(3),
  conv_out_kernel: only(3),
  class_embeddings_concat: only(false),
  reverse_transformer_layers_per_block: z.null().optional(),
  encoder_hid_dim: z.null().optional(),
  encoder_hid_dim_type: z.null().optional(),
  addition_embed_type: z.null().optional(),
  addition_time_embed_dim: z.null().optional(),
  time_embedding_act_fn: z.null().optional(),
  timestep_post_act: z.null().optional(),
  time_cond_proj_dim: z.null().optional(),
  projection_class_embeddings_input_dim: z.null().optional(),
  cross_attention_norm: z.null().optional(),
  mid_block_only_cross_attention: only(false),
  addition_embed_type_num_heads: any,
});

export interface UNetConfig {
  unet: UNetSpec;
  /** Side of the images or latents that it was trained on, if the file says so. */
  sampleSize: number | undefined;
}

/** The config of a UNet2DModel or a UNet2DConditionModel. */
export function unetConfig(config: unknown, where: string): UNetConfig {
  const given = check(z.discriminatedUnion('_class_name', [unet2d, unet2dCondition]), config, where);
  const fail = (message: string): never => {
    throw new SparringError('config', `${where}: ${message}`, 'Such a U-Net is not supported.');
  };
  const widths = given.block_out_channels;
  const attends = (type: string) => (type.includes('Attn') ? 1 : 0);
  const attention = given.down_block_types.map(attends);
  const upwards = given.up_block_types.map(attends).reverse();
  if (attention.length !== widths.length) fail(`down_block_types: expected ${widths.length} entries, one for each of block_out_channels, found ${attention.length}.`);
  if (upwards.join() !== attention.join()) fail('up_block_types: expected attention at the same levels as in down_block_types, in reverse order.');
  if (given.in_channels !== given.out_channels) fail(`out_channels: expected ${given.in_channels}, as many as in_channels, found ${given.out_channels}.`);
  const withText = given._class_name === 'UNet2DConditionModel';
  let heads: number[];
  if (withText) {
    heads = typeof given.attention_head_dim === 'number' ? widths.map(() => given.attention_head_dim as number) : given.attention_head_dim;
    if (heads.length !== widths.length) fail(`attention_head_dim: expected ${widths.length} entries, found ${heads.length}.`);
  } else {
    const dim = given.attention_head_dim;
    heads = widths.map((channels) => (dim === null ? 1 : Math.max(1, Math.floor(channels / dim))));
  }
  const size = given.sample_size ?? undefined;
  if (typeof size === 'object' && size[0] !== size[1]) fail(`sample_size: expected a square, found ${size.join(' x ')}.`);
  return {
    unet: {
      channels: given.in_channels,
      blockChannels: widths,
      attention,
      heads,
      layersPerBlock: given.layers_per_block,
      normGroups: given.norm_num_groups,
      normEps: given.norm_eps,
      classEmbeddings: given.num_class_embeds ?? 0,
      textChannels: withText ? given.cross_attention_dim : 0,
      transformerLayers: withText ? given.transformer_layers_per_block : 1,
      linearProjection: withText && given.use_linear_projection,
      downsampleBothSides: given.downsample_padding === 1,
      cosineFirst: given.flip_sin_to_cos,
      frequencyShift: given.freq_shift,
    },
    sampleSize: typeof size === 'object' ? size[0] : size,
  };
}
