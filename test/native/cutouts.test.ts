/** Guidance on random parts of the predicted image. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { GenerateOptions, Guidance } from '../../lib/native/contract.js';
import { dot, norm, normals, relativeError } from '../support/numeric.js';
import { assertSameImages, exact, failure, generateOptions, openEngine, pixels, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator = await tinyGenerator(engine, 1);
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
const objective = { form: 'log', gamma: 1, terms: 'both' } as const;
const parts = { count: 3, leastSide: 0.6, noise: 0.1 };
const gradientOf = (x: Float32Array, cutouts: typeof parts) => core.guidanceGradient(generator.handle, opponents, { x, classes: [0, 1], timestep: 500, guidanceScale: 1, precision: 'fp32', objective, ...exact, cutouts, repeat: 1 });
const x = normals(5, 2 * pixels).map((value) => value * 0.3);

/** The number of native/ops/random.h, stream 18. */
function uniform(seed: number, step: number, index: number): number {
  const word = (z: bigint) => BigInt.asUintN(64, z), golden = 0x9e3779b97f4a7c15n;
  const mix = (z: bigint): bigint => {
    z = word((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = word((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  const key = mix(word(mix(word(mix(word(BigInt(seed) + golden)) + 18n * golden)) + BigInt(step) * golden));
  return Number(mix(word(key + BigInt(index + 1) * golden)) >> 11n) * 2 ** -53;
}

test('parts are squares of the image, sampled bilinearly between the centres of pixels', async () => {
  const [count, leastSide, step, seeds, channels, height, width] = [2, 0.4, 3, [5, 6], 3, 7, 9];
  const shape = [seeds.length, channels, height, width];
  const images = normals(31, seeds.length * channels * height * width);
  const { parts: found } = await core.cutouts({ shape, x: images, count, leastSide, seeds, step });
  const expected: number[] = [];
  for (let part = 0; part < count; part++) {
    for (const [image, seed] of seeds.entries()) {
      const side = leastSide + (1 - leastSide) * uniform(seed, step, 3 * part);
      const left = (1 - side) * uniform(seed, step, 3 * part + 1), top = (1 - side) * uniform(seed, step, 3 * part + 2);
      assert.ok(side < 0.99 && Math.abs(left - top) > 0.01, 'a part that tells');
      for (let channel = 0; channel < channels; channel++) {
        const at = (y: number, x: number) => images[((image * channels + channel) * height + Math.min(height - 1, Math.max(0, y))) * width + Math.min(width - 1, Math.max(0, x))];
        for (let row = 0; row < height; row++) {
          for (let column = 0; column < width; column++) {
            const y = (top + (side * (row + 0.5)) / height) * height - 0.5, x = (left + (side * (column + 0.5)) / width) * width - 0.5;
            const [y0, x0] = [Math.floor(y), Math.floor(x)], [fy, fx] = [y - y0, x - x0];
            expected.push((1 - fy) * ((1 - fx) * at(y0, x0) + fx * at(y0, x0 + 1)) + fy * ((1 - fx) * at(y0 + 1, x0) + fx * at(y0 + 1, x0 + 1)));
          }
        }
      }
    }
  }
  assert.is(found.length, expected.length);
  assert.ok(relativeError(found, expected) < 1e-5, `${relativeError(found, expected)}`);
});

test('the gradient is that of the mean over the parts, by finite differences', async () => {
  const { gradient } = await gradientOf(x, parts);
  const distance = 0.02;
  for (const [i, direction] of [normals(21, x.length), normals(22, x.length), gradient].entries()) {
    const unit = direction.map((value) => value / norm(direction));
    const at = async (offset: number) => (await gradientOf(x.map((value, j) => value + offset * unit[j]), parts)).score.reduce((sum, value) => sum + value, 0);
    const expected = ((await at(distance)) - (await at(-distance))) / (2 * distance);
    assert.ok(Math.abs(dot(gradient, unit) - expected) < 1e-2 * norm(gradient), `direction ${i}: ${dot(gradient, unit)}, by finite differences ${expected}`);
  }
});

test('parts that are the whole, without noise, are the whole', async () => {
  const [whole, same, others] = [await gradientOf(x, exact.cutouts), await gradientOf(x, { count: 2, leastSide: 1, noise: 0 }), await gradientOf(x, parts)];
  assert.ok(relativeError(same.gradient, whole.gradient) < 1e-4, `${relativeError(same.gradient, whole.gradient)}`);
  assert.ok(relativeError(same.score, whole.score) < 1e-5);
  assert.ok(relativeError(others.score, whole.score) > 1e-3, 'the parts are the whole: nothing is tested');
});

test('noise and smaller parts each change what is judged', async () => {
  const scores = await Promise.all([exact.cutouts, { ...parts, noise: 0 }, { ...parts, leastSide: 1 }, parts].map(async (cutouts) => (await gradientOf(x, cutouts)).score[0]));
  assert.is(new Set(scores).size, 4, `${scores}`);
});

test('a guided image is the same in any batch, and another with another number of parts', async () => {
  // A small scale: each step makes more of the rounding of LibTorch's convolutions, which depends on the size of the batch.
  const guidance = (count: number): Guidance => ({ kind: 'step', objective, scale: 0.1, from: 1, until: 0, schedule: 'constant', ...exact, cutouts: { ...parts, count } });
  const generate = async (options: Partial<GenerateOptions>) => (await core.generate(generator.handle, opponents, generateOptions(options))).images;
  const whole = await generate({ guidance: guidance(2) });
  for (const batchSize of [1, 3]) assertSameImages(await generate({ guidance: guidance(2), batchSize }), whole, `batches of ${batchSize}`);
  const other = await generate({ guidance: guidance(4) });
  assert.ok(other.some((value, i) => Math.abs(value - whole[i]) > 2));
});

test('what cannot be is refused', async () => {
  for (const wrong of [{ count: -1 }, { leastSide: 0 }, { leastSide: 1.1 }, { noise: -0.1 }]) {
    const error = await failure(() => engine.run(() => gradientOf(x, { ...parts, ...wrong })), 'usage');
    assert.match(error.message, 'cutouts: expected a count');
  }
});

test.run();
