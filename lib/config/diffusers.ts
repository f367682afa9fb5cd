/**
 * The config files of diffusers, `unet/config.json` and `scheduler/scheduler_config.json`, as our options. An option that
 * would change the result and is not supported here is refused, as is one that nobody here knows.
 */
import { z } from 'zod';

import { SparringError } from '../errors.js';
import type { NoiseScheduleSpec, PredictionType, SamplerSpec, UNetSpec } from '../native/contract.js';

const count = z.int().min(1);
/** An option that is supported with the values that leave things as they are; null stands for the default. */
export const only = <Value extends string | number | boolean>(...values: Value[]) => z.literal(values).nullish();
/** An option that changes nothing here. */
export const any = z.unknown().optional();
export const notes = { _diffusers_version: any, _name_or_path: any, _commit_hash: any };

// ---------------------------------------------------------------- schedulers

const schedulerKinds = {
  DDIMScheduler: 'ddim',
  DDIMInverseScheduler: 'ddim-inversion',
  DDPMScheduler: 'ddpm',
  DPMSolverMultistepScheduler: 'dpm-solver++-2m',
  EulerDiscreteScheduler: 'euler',
  PNDMScheduler: 'ddim', // Stable Diffusion 1.x names it; its options are those of the others
} as const;

const scheduler = z.strictObject({
  _class_name: z.enum(Object.keys(schedulerKinds) as (keyof typeof schedulerKinds)[]),
  ...notes,
  num_train_timesteps: count.default(1000),
  beta_start: z.number().positive().max(1).default(0.0001),
  beta_end: z.number().positive().max(1).default(0.02),
  beta_schedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']).default('linear'),
  prediction_type: z.enum(['epsilon', 'v_prediction', 'sample']).default('epsilon'),
  timestep_spacing: z.enum(['linspace', 'leading', 'trailing']).optional(),
  steps_offset: z.int().min(0).default(0),
  set_alpha_to_one: z.boolean().default(true),
  clip_sample: z.boolean().default(true),
  clip_sample_range: z.number().positive().default(1),
  variance_type: z.enum(['fixed_small', 'fixed_large']).nullish(),
  trained_betas: z.null().optional(),
  thresholding: only(false),
  rescale_betas_zero_snr: only(false),
  use_karras_sigmas: only(false),
  use_exponential_sigmas: only(false),
  use_beta_sigmas: only(false),
  use_lu_lambdas: only(false),
  use_flow_sigmas: only(false),
  use_dynamic_shifting: only(false),
  solver_order: only(2),
  solver_type: only('midpoint'),
  algorithm_type: only('dpmsolver++'),
  final_sigmas_type: only('zero'),
  interpolation_type: only('linear'),
  timestep_type: only('discrete'),
  sigma_min: z.null().optional(),
  sigma_max: z.null().optional(),
  lambda_min_clipped: z.null().optional(), // infinity
  // With two steps of history and an end without noise the last step is of first order in any case.
  lower_order_final: any, euler_at_final: any,
  // Of thresholding, of flow models, and of PNDM itself.
  dynamic_thresholding_ratio: any, sample_max_value: any, flow_shift: any, time_shift_type: any, skip_prk_steps: any, clip_sample_min: any,
});

const betas = { linear: 'linear', scaled_linear: 'scaled-linear', squaredcos_cap_v2: 'cosine' } as const;
const predictions = { epsilon: 'epsilon', v_prediction: 'v', sample: 'x0' } as const;

export interface SchedulerConfig {
  schedule: NoiseScheduleSpec;
  prediction: PredictionType;
  sampler: Pick<SamplerSpec, 'kind' | 'spacing' | 'variance'>;
  /** Predicted images are clamped to -clip..clip; 0: not at all. */
  clip: number;
}

/**
 * A scheduler's config, for the sampler that it names or for another: most of what it says is how the network was trained,
 * and what it leaves out is what the class of that sampler takes by default.
 */
export function schedulerConfig(config: unknown, where: string, kind?: SamplerSpec['kind']): SchedulerConfig {
  const given = check(scheduler, config, where);
  const chosen = kind ?? schedulerKinds[given._class_name];
  const solvesOde = chosen === 'dpm-solver++-2m' || chosen === 'euler';
  return {
    schedule: {
      trainTimesteps: given.num_train_timesteps,
      betas: betas[given.beta_schedule],
      betaStart: given.beta_start,
      betaEnd: given.beta_end,
      setAlphaToOne: given.set_alpha_to_one,
      stepsOffset: given.steps_offset,
    },
    prediction: predictions[given.prediction_type],
    sampler: {
      kind: chosen,
      spacing: given.timestep_spacing ?? (solvesOde ? 'linspace' : 'leading'),
      variance: given.variance_type === 'fixed_large' ? 'fixed-large' : 'fixed-small',
    },
    clip: given.clip_sample && !solvesOde ? given.clip_sample_range : 0,
  };
}

// ---------------------------------------------------------------- U-Nets

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

// ---------------------------------------------------------------- all

/** Throws SparringError 'config', which names file, option, expected and found. */
export function check<Schema extends z.ZodType>(schema: Schema, config: unknown, where: string): z.output<Schema> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const path = issue.path.join('.');
  const hint = 'This option of diffusers is not supported with that value.';
  if (issue.code === 'unrecognized_keys') throw new SparringError('config', `${where}: unknown option '${issue.keys[0]}'.`, 'Options of diffusers that are not supported cannot be left out of account.');
  const found = JSON.stringify(issue.path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], config)) ?? 'nothing';
  const expected = issue.code === 'invalid_value' ? `one of ${issue.values.map(String).join(', ')}` : issue.code === 'invalid_union' && 'options' in issue ? `one of ${(issue.options as unknown[]).join(', ')}` : issue.message.replace(/^(Invalid input: expected|Too small: expected|Too big: expected) /, '').replace(/, received .*$/, '');
  throw new SparringError('config', `${where}: ${path ? `${path}: ` : ''}expected ${expected}, found ${found}.`, hint);
}
