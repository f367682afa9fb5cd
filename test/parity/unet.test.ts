/** The U-Net against diffusers' UNet2DModel: the same weights, the same numbers. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pixelGenerator, type PixelGeneratorOptions } from '../../lib/config/generators.js';
import type { DenoiserHandle } from '../../lib/native/contract.js';
import { relativeError, rows } from '../support/numeric.js';
import { goldenPath, readGolden, readSafetensors } from '../support/safetensors.js';
import { device, exact, openEngine, temporaryFolder, tinyClassifier } from '../support/tiny.js';

interface UNetConfig {
  sample_size: number;
  block_out_channels: number[];
  layers_per_block: number;
  norm_num_groups: number;
  attention_head_dim: number;
  num_class_embeds: number;
  down_block_types: string[];
}

const engine = await openEngine();
const { core } = engine;
const { config, tensors } = readGolden<UNetConfig>('unet_case');
const options: PixelGeneratorOptions = {
  blockChannels: config.block_out_channels,
  attention: config.down_block_types.map((type) => (type.startsWith('Attn') ? 1 : 0)),
  layersPerBlock: config.layers_per_block,
  normGroups: config.norm_num_groups,
  headDim: config.attention_head_dim,
};
const spec = pixelGenerator(options, config.num_class_embeds - 1, config.sample_size); // the last embedding is the null class
const floats = (name: string) => tensors[name].values as Float32Array;
let model: DenoiserHandle;

test.before(async () => {
  model = await core.createDenoiser({ ...spec, device, seed: 0 }, null);
  await core.loadWeights(model, goldenPath('unet'), { newHead: false });
});

test('output and gradient with respect to the input', async () => {
  const { output, gradient } = await core.denoiserGradient(model, {
    x: floats('x'),
    timesteps: tensors.timestep.values,
    classes: tensors.class_labels.values,
    direction: floats('cotangent'),
  });
  assert.ok(relativeError(output, floats('y')) < 1e-5, `output: ${relativeError(output, floats('y'))}`);
  assert.ok(relativeError(gradient, floats('dx')) < 1e-5, `gradient: ${relativeError(gradient, floats('dx'))}`);
});

test('the frozen copy that samples predicts the same', async () => {
  using classifier = await tinyClassifier(engine, 1, { imageSize: spec.imageSize });
  const { alphasCumprod } = await core.noiseSchedule({ trainTimesteps: 1000, betas: 'cosine', betaStart: 1e-4, betaEnd: 0.02, setAlphaToOne: true, stepsOffset: 0 });
  const length = 3 * spec.imageSize ** 2;
  const [xs, vs] = [rows(floats('x'), length), rows(floats('y'), length)];
  for (const [i, timestep] of tensors.timestep.values.entries()) {
    if (tensors.class_labels.values[i] === spec.numClasses) continue; // the null class is not drawn by itself
    const { x0 } = await core.guidanceGradient(model, { teacher: classifier.handle, student: classifier.handle }, {
      x: xs[i], classes: [tensors.class_labels.values[i]], timestep, steps: 10, guidanceScale: 1, precision: 'fp32',
      objective: { form: 'difference', gamma: 1, terms: 'both' }, ...exact, repeat: 1,
    });
    const alpha = Math.sqrt(alphasCumprod[timestep]), sigma = Math.sqrt(1 - alphasCumprod[timestep]);
    const expected = xs[i].map((x, j) => alpha * x - sigma * vs[i][j]);
    assert.ok(relativeError(x0, expected) < 1e-5, `timestep ${timestep}: ${relativeError(x0, expected)}`);
  }
});

test('weights are saved under the names of diffusers', async () => {
  const path = join(temporaryFolder(), 'unet.safetensors');
  await core.saveWeights(model, path, {}, 'fp32');
  assert.equal(readSafetensors(path).tensors, readSafetensors(goldenPath('unet')).tensors);
});

test.run();
