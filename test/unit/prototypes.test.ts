import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { MemoryDataset } from '../../lib/data/memory.js';
import { stream } from '../../lib/data/random.js';
import { classPrototypes, localPrototypes } from '../../lib/methods/prototypes.js';
import type { Classifier } from '../../lib/native/models.js';
import { norm, rows } from '../support/numeric.js';
import { failure } from '../support/tiny.js';

/** A teacher whose features are the three channels of images of one pixel. */
const teacher = { features: async (images: Uint8Array) => Float32Array.from(images) } as unknown as Classifier;

const data = (pixels: readonly number[][], labels: readonly number[], classes = ['a', 'b']) =>
  new MemoryDataset({ name: 'pixels', classes, attributes: ['none'], imageSize: 1, labels: Int32Array.from(labels), attributeOf: new Int32Array(labels.length), pixels: Uint8Array.from(pixels.flat()) });

const close = (found: ArrayLike<number>, expected: ArrayLike<number>): boolean => Array.from(found).every((value, i) => Math.abs(value - expected[i]!) < 1e-6);
const direction = (vector: readonly number[]): number[] => vector.map((value) => value / norm(vector));

test('the mean of a class and the means of its three parts, all unit vectors, whatever the lengths of the features', async () => {
  // Class a lies along the three axes, in 300, 200 and 100 images of any brightness; class b in one place.
  const random = stream(1, 'brightness');
  const pixels = [0, 1, 2].flatMap((axis) => Array.from({ length: 300 - 100 * axis }, () => [0, 1, 2].map((channel) => (channel === axis ? 1 + random.integer(255) : 0))));
  const { prototypes, provenance } = await classPrototypes(teacher, data([...pixels, [0, 30, 40]], [...pixels.map(() => 0), 1]), 5);
  const [a, b] = rows(prototypes.global, 3);
  assert.ok(close(a!, direction([3, 2, 1])), `${a}`);
  assert.ok(close(b!, [0, 0.6, 0.8]), `${b}`);
  const local = rows(prototypes.local, 3);
  assert.is(local.length, 2 * localPrototypes);
  for (const axis of [[1, 0, 0], [0, 1, 0], [0, 0, 1]]) assert.ok(local.slice(0, 3).some((own) => close(own, axis)), `${axis}`);
  for (const own of local.slice(3)) assert.ok(close(own, [0, 0.6, 0.8]), 'a part that is missing is like the others');
  assert.equal(provenance, { localPrototypes: 3 });
});

test('the same images and seed give the same prototypes', async () => {
  const random = stream(2, 'images');
  const set = data(Array.from({ length: 40 }, () => [random.integer(256), random.integer(256), 1]), Array.from({ length: 40 }, (_, i) => i % 2));
  assert.equal(await classPrototypes(teacher, set, 1), await classPrototypes(teacher, set, 1));
});

test('a class without images has no prototypes', async () => {
  const { message } = await failure(() => classPrototypes(teacher, data([[1, 2, 3]], [0]), 1), 'data');
  assert.match(message, /found none of b/);
});

test.run();
