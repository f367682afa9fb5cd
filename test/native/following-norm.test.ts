/** Batch norms of a frozen network, which are in its convolutions: against the network as it is written, by hand. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import { Classifier } from '../../lib/native/models.js';
import { relativeError } from '../support/numeric.js';
import { type Tensor, encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { classes, classifierSpec, openEngine, randomImages, size, temporaryFolder } from '../support/tiny.js';

const engine = await openEngine();
const path = join(temporaryFolder(), 'cnn.safetensors');
const count = 3, stages = 2;
const images = randomImages(8, count);

type Maps = { values: Float64Array; channels: number; side: number }; // [channels, side, side]

function convolve({ values, channels, side }: Maps, weight: Tensor, stride: number): Maps {
  const outputs = weight.shape[0], smaller = Math.ceil(side / stride);
  const result = new Float64Array(outputs * smaller ** 2);
  for (let o = 0; o < outputs; o++) for (let y = 0; y < smaller; y++) for (let x = 0; x < smaller; x++) {
    let sum = 0;
    for (let i = 0; i < channels; i++) for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) {
      const row = y * stride + a - 1, column = x * stride + b - 1;
      if (row >= 0 && row < side && column >= 0 && column < side) sum += weight.values[((o * channels + i) * 3 + a) * 3 + b] * values[(i * side + row) * side + column];
    }
    result[(o * smaller + y) * smaller + x] = sum;
  }
  return { values: result, channels: outputs, side: smaller };
}

/** The logits of one image, with the norms in their places. */
function logits(tensors: Record<string, Tensor>, image: Uint8Array): number[] {
  const pixels = Float64Array.from({ length: 3 * size ** 2 }, (_, at) => {
    const channel = Math.floor(at / size ** 2);
    return (image[(at % size ** 2) * 3 + channel] / 255 - classifierSpec.mean[channel]) / classifierSpec.std[channel];
  });
  let maps: Maps = { values: pixels, channels: 3, side: size };
  for (let stage = 0; stage < stages; stage++) {
    maps = convolve(maps, tensors[`features.${3 * stage}.weight`], stage === 0 ? 1 : 2);
    const of = (name: string) => tensors[`features.${3 * stage + 1}.${name}`].values;
    maps.values = maps.values.map((value, at) => {
      const c = Math.floor(at / maps.side ** 2);
      return Math.max(0, ((value - of('running_mean')[c]) / Math.sqrt(of('running_var')[c] + 1e-5)) * of('weight')[c] + of('bias')[c]);
    });
  }
  const pooled = Array.from({ length: maps.channels }, (_, c) => maps.values.slice(c * maps.side ** 2, (c + 1) * maps.side ** 2).reduce((sum, value) => sum + value, 0) / maps.side ** 2);
  return classes.map((_, k) => pooled.reduce((sum, value, c) => sum + value * tensors['fc.weight'].values[k * maps.channels + c], tensors['fc.bias'].values[k]));
}

const statistics: Record<string, (uniform: number) => number> = { running_mean: (u) => u - 0.5, running_var: (u) => 0.2 + u, weight: (u) => u - 0.3, bias: (u) => u - 0.5 };

test('frozen norms are those of the weights, in fp32 to rounding and in bf16 nearly', async () => {
  using fresh = await Classifier.create(engine, { ...classifierSpec, architecture: { family: 'cnn', width: 8, stages } }, classes, 4);
  await fresh.save(path);
  const { tensors, metadata } = readSafetensors(path);
  const random = stream(3, 'statistics');
  for (const stage of [0, 1]) for (const [name, of] of Object.entries(statistics)) tensors[`features.${3 * stage + 1}.${name}`].values = tensors[`features.${3 * stage + 1}.${name}`].values.map(() => of(random.uniform())) as Float32Array;
  writeFileSync(path, encodeSafetensors(tensors, metadata));
  const expected = Array.from({ length: count }, (_, i) => logits(tensors, images.subarray(i * size ** 2 * 3))).flat();

  using classifier = await Classifier.load(engine, path);
  const error = async (precision: 'fp32' | 'bf16') => relativeError(await engine.run((core) => core.predict(classifier.handle, images, { precision })), expected);
  assert.ok((await error('fp32')) < 1e-5, `${await error('fp32')}`);
  assert.ok((await error('bf16')) < 0.02, `${await error('bf16')}`);
});

test.run();
