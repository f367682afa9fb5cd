/** The config of a scheduler of diffusers, `scheduler/scheduler_config.json`, as our options. */
import { z } from 'zod';

import { SparringError } from '../errors.js';
import type { NoiseScheduleSpec, PredictionType, SamplerSpec } from '../native/contract.js';
import { any, check, notes, only } from './diffusers-config.js';

const count = z.int().min(1);

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
  num_train_timesteps: count.max(1_000_000).default(1000),
  beta_start: z.number().positive().lt(1).default(0.0001),
  beta_end: z.number().positive().lt(1).default(0.02),
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
  if (given.steps_offset >= given.num_train_timesteps) {
    throw new SparringError('config', `${where}: steps_offset: expected less than num_train_timesteps, ${given.num_train_timesteps}, found ${given.steps_offset}.`, 'The file is not one that diffusers wrote.');
  }
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
