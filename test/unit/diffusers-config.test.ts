/** Config files of diffusers: what published checkpoints say, and what is refused. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { schedulerConfig } from '../../lib/diffusion/scheduler-config.js';
import { unetConfig } from '../../lib/diffusion/unet-config.js';
import { failure } from '../support/tiny.js';

const stableDiffusion1 = {
  _class_name: 'UNet2DConditionModel', _diffusers_version: '0.6.0', act_fn: 'silu', attention_head_dim: 8, block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false, cross_attention_dim: 768, down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
  downsample_padding: 1, flip_sin_to_cos: true, freq_shift: 0, in_channels: 4, layers_per_block: 2, mid_block_scale_factor: 1, norm_eps: 1e-5, norm_num_groups: 32,
  out_channels: 4, sample_size: 64, up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
};
const stableDiffusion2 = {
  ...stableDiffusion1, _diffusers_version: '0.10.0.dev0', attention_head_dim: [5, 10, 20, 20], cross_attention_dim: 1024, dual_cross_attention: false,
  num_class_embeds: null, only_cross_attention: false, sample_size: 96, upcast_attention: true, use_linear_projection: true,
};
const ddpm = {
  _class_name: 'UNet2DModel', _diffusers_version: '0.0.4', act_fn: 'silu', attention_head_dim: null, block_out_channels: [128, 256, 256, 256], center_input_sample: false,
  down_block_types: ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D', 'DownBlock2D'], downsample_padding: 0, flip_sin_to_cos: false, freq_shift: 1, in_channels: 3,
  layers_per_block: 2, mid_block_scale_factor: 1, norm_eps: 1e-6, norm_num_groups: 32, out_channels: 3, sample_size: 32, time_embedding_type: 'positional',
  up_block_types: ['UpBlock2D', 'UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
};
const pndm = {
  _class_name: 'PNDMScheduler', _diffusers_version: '0.7.0.dev0', beta_end: 0.012, beta_schedule: 'scaled_linear', beta_start: 0.00085, num_train_timesteps: 1000,
  set_alpha_to_one: false, skip_prk_steps: true, steps_offset: 1, trained_betas: null, clip_sample: false,
};

test('the U-Nets of Stable Diffusion', () => {
  const { unet, sampleSize } = unetConfig(stableDiffusion1, 'unet');
  assert.is(sampleSize, 64);
  assert.equal(unet, {
    channels: 4, blockChannels: [320, 640, 1280, 1280], attention: [1, 1, 1, 0], heads: [8, 8, 8, 8], layersPerBlock: 2, normGroups: 32, normEps: 1e-5, classEmbeddings: 0,
    textChannels: 768, transformerLayers: 1, linearProjection: false, downsampleBothSides: true, cosineFirst: true, frequencyShift: 0,
  });
  assert.equal(unetConfig(stableDiffusion2, 'unet'), { unet: { ...unet, heads: [5, 10, 20, 20], textChannels: 1024, linearProjection: true }, sampleSize: 96 });
});

test('the U-Net of DDPM', () => {
  assert.equal(unetConfig(ddpm, 'unet').unet, {
    channels: 3, blockChannels: [128, 256, 256, 256], attention: [0, 1, 0, 0], heads: [1, 1, 1, 1], layersPerBlock: 2, normGroups: 32, normEps: 1e-6, classEmbeddings: 0,
    textChannels: 0, transformerLayers: 1, linearProjection: false, downsampleBothSides: false, cosineFirst: false, frequencyShift: 1,
  });
});

test('a scheduler is read for the sampler that it names, or for another', () => {
  const schedule = { trainTimesteps: 1000, betas: 'scaled-linear' as const, betaStart: 0.00085, betaEnd: 0.012, setAlphaToOne: false, stepsOffset: 1 };
  assert.equal(schedulerConfig(pndm, 'scheduler'), { schedule, prediction: 'epsilon', sampler: { kind: 'ddim', spacing: 'leading', variance: 'fixed-small' }, clip: 0 });
  assert.equal(schedulerConfig(pndm, 'scheduler', 'euler').sampler, { kind: 'euler', spacing: 'linspace', variance: 'fixed-small' });
  const other = schedulerConfig({ _class_name: 'DDPMScheduler', variance_type: 'fixed_large', prediction_type: 'v_prediction', clip_sample_range: 2 }, 'scheduler');
  assert.equal([other.sampler, other.prediction, other.clip], [{ kind: 'ddpm', spacing: 'leading', variance: 'fixed-large' }, 'v', 2]);
});

test('what would change the result and is not supported is refused', async () => {
  const refusals: [() => unknown, RegExp][] = [
    [() => schedulerConfig({ ...pndm, _class_name: 'HeunDiscreteScheduler' }, 'f'), /^f: _class_name: expected one of DDIMScheduler, .*, found "HeunDiscreteScheduler"\.$/],
    [() => schedulerConfig({ ...pndm, use_karras_sigmas: true }, 'f'), /^f: use_karras_sigmas: expected one of false, found true\.$/],
    [() => schedulerConfig({ ...pndm, trained_betas: [0.1] }, 'f'), /^f: trained_betas: expected null, found \[0\.1\]\.$/],
    [() => schedulerConfig({ ...pndm, beta_schedule: 'sigmoid' }, 'f'), /^f: beta_schedule: expected one of linear, scaled_linear, squaredcos_cap_v2, found "sigmoid"\.$/],
    [() => schedulerConfig({ ...pndm, new_option: 1 }, 'f'), /^f: unknown option 'new_option'\.$/],
    [() => schedulerConfig(3, 'f'), /^f: expected object, found 3\.$/],
    [() => unetConfig({ ...ddpm, _class_name: 'UNet3DConditionModel' }, 'f'), /^f: _class_name: expected one of UNet2DModel, UNet2DConditionModel, found "UNet3DConditionModel"\.$/],
    [() => unetConfig({ ...ddpm, resnet_time_scale_shift: 'scale_shift' }, 'f'), /^f: resnet_time_scale_shift: expected one of default, found "scale_shift"\.$/],
    [() => unetConfig({ ...ddpm, down_block_types: ['DownBlock2D', 'SkipDownBlock2D', 'DownBlock2D', 'DownBlock2D'] }, 'f'), /^f: down_block_types\.1: expected one of DownBlock2D, AttnDownBlock2D, found "SkipDownBlock2D"\.$/],
    [() => unetConfig({ ...ddpm, up_block_types: ['UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D', 'UpBlock2D'] }, 'f'), /^f: up_block_types: expected attention at the same levels/],
    [() => unetConfig({ ...ddpm, down_block_types: ['DownBlock2D'] }, 'f'), /^f: down_block_types: expected 4 entries/],
    [() => unetConfig({ ...stableDiffusion1, in_channels: 9 }, 'f'), /^f: out_channels: expected 9, as many as in_channels, found 4\.$/],
    [() => unetConfig({ ...stableDiffusion1, attention_head_dim: [8, 8] }, 'f'), /^f: attention_head_dim: expected 4 entries, found 2\.$/],
    [() => unetConfig({ ...stableDiffusion1, block_out_channels: undefined }, 'f'), /^f: block_out_channels: expected array, found nothing\.$/],
    [() => unetConfig({ ...stableDiffusion1, sample_size: [64, 32] }, 'f'), /^f: sample_size: expected a square/],
  ];
  for (const [work, message] of refusals) assert.match((await failure(async () => work(), 'config')).message, message);
});

test.run();
