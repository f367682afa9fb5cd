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
  const guidance = (count: number): Guidance => ({ kind: 'step', objective, scale: 0.4, from: 1, until: 0, schedule: 'constant', ...exact, cutouts: { ...parts, count } });
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
