/** A diffusion model in the place of the VQGAN of DAD: images are noised and denoised again. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { DiscreteAttack, SamplingOptions } from '../../lib/native/contract.js';
import { Generator } from '../../lib/native/models.js';
import { norm, relativeError, rows } from '../support/numeric.js';
import { assertSameImages, batch, classes, denoiserSpec, failure, generateOptions, openEngine, pixels, size, tinyClassifier, tinyGenerator, toPixels } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator = await tinyGenerator(engine, 3);
const teacher = await tinyClassifier(engine, 4);
const { images, labels } = batch(7, 4);
const seeds = [21, 22, 23, 24];
const run = { steps: 6, sampler: 'ddim', eta: 0, guidanceScale: 1, start: { kind: 'image', strength: 0.5 } } as const;
const q = (change: Partial<Omit<SamplingOptions, 'precision'>> = {}) => generator.asDiscretiser({ ...run, ...change });
const attack: DiscreteAttack = { variant: 'adversarial', norm: 'l2', epsilon: 5, stepSize: 4, steps: 1, randomStart: 0 };

/** [B, size, size, 3] of 8 bits -> [B, 3, size, size] in 0..1. */
const planes = (given: Uint8Array): Float32Array => Float32Array.from(given, (_, i) => {
  const [image, plane, at] = [Math.floor(i / pixels), Math.floor((i % pixels) / (size * size)), i % (size * size)];
  return given[image * pixels + 3 * at + plane]! / 255;
});
const discretised = async (x: Float32Array, by = q(), own = seeds): Promise<Float32Array> => (await core.discretise(by.handle, { x, seeds: own, size, precision: 'fp32' })).images;
const in8Bits = (found: Float32Array): Uint8Array => Uint8Array.from(rows(found, pixels).flatMap((image) => Array.from(toPixels(Float32Array.from(image, (value) => 2 * value - 1)))));

for (const change of [{}, { eta: 1 }, { sampler: 'dpm-solver++-2m' }, { start: { kind: 'image', strength: 1 / 6 } }] as const) {
  test(`it is image to image without a class: ${JSON.stringify(change)}`, async () => {
    // A scale of 0 leaves of classifier-free guidance what the model says without a class.
    const options = generateOptions({ ...run, ...change, classes: [0, 1, 1, 0], seeds, images, guidanceScale: 0 });
    const expected = await generator.generate({}, options);
    const found = in8Bits(await discretised(planes(images), q(change)));
    assertSameImages(found, expected.images, 'Q(x)');
    assert.not.equal(found, images);
  });
}

test('it is a function of the image and its seed, in any batch', async () => {
  const x = planes(images), all = await discretised(x, q({ eta: 1 }));
  assert.equal(await discretised(x, q({ eta: 1 })), all);
  const third = await discretised(x.slice(2 * pixels, 3 * pixels), q({ eta: 1 }), [seeds[2]!]);
  assert.ok(relativeError(third, rows(all, pixels)[2]!) < 1e-4);
  const other = await discretised(x.slice(2 * pixels, 3 * pixels), q({ eta: 1 }), [99]);
  assert.ok(relativeError(other, rows(all, pixels)[2]!) > 0.01);
});

test('an adversary is moved at Q(x), straight through, and goes through the same Q again', async () => {
  const made = await core.discreteSteps(teacher.handle, q().handle, images, labels, { ...attack, seeds, precision: 'fp32' });
  assert.ok(relativeError(made.reconstruction, await discretised(planes(images))) < 1e-6);
  assert.ok(relativeError(made.images, await discretised(made.moved)) < 1e-6);
  for (const [i, moved] of rows(made.moved, pixels).entries()) {
    const length = norm(moved.map((value, at) => value - made.reconstruction[i * pixels + at]!));
    assert.ok(length > 0 && length <= (4 * size) / 224 + 1e-4, `${length}`);
  }
  const still = await core.discreteSteps(teacher.handle, q().handle, images, labels, { ...attack, variant: 'sample-only', seeds, precision: 'fp32' });
  assert.ok(relativeError(still.images, await discretised(await discretised(planes(images)))) < 1e-6, 'Q(Q(x))');
  const { images: found } = await teacher.discreteAdversaries(q(), images, labels, { ...attack, seeds });
  assertSameImages(found, in8Bits(made.images), 'x\'');
});

test('what it cannot do is named, and it can be cancelled', async () => {
  const check = (change: object, on = generator, side = size) => core.checkDiscretiser(on.asDiscretiser({ ...run, ...change }).handle, side);
  await check({});
  const refused = (code: 'usage' | 'config', work: () => Promise<unknown>) => failure(() => engine.run(work), code);
  assert.match((await refused('usage', () => check({ start: { kind: 'noise' } }))).message, /starts from an image/);
  assert.match((await refused('usage', () => check({ steps: 2, start: { kind: 'image', strength: 0.1 } }))).message, /leave no step/);
  assert.match((await refused('config', () => check({}, generator, 32))).message, /have 32 px, the generator draws 16 px/);
  using always = await Generator.create(engine, { ...denoiserSpec, unet: { ...denoiserSpec.unet, classEmbeddings: 2 } }, classes, 1);
  assert.match((await refused('config', () => check({}, always))).message, /told a class always/);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  const endless = q({ steps: 1000, start: { kind: 'image', strength: 1 } });
  await failure(() => teacher.discreteAdversaries(endless, images, labels, { ...attack, seeds }, { signal: controller.signal }), 'aborted');
});

test.run();
