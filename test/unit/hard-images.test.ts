import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { MemoryDataset } from '../../lib/data/memory.js';
import { hardImages } from '../../lib/methods/hard-images.js';
import type { Classifier } from '../../lib/native/models.js';
import { failure } from '../support/tiny.js';

/** A student that reads the probability of the second class off the first channel of images of one pixel, in percent. */
const student: Pick<Classifier, 'probabilities'> = {
  probabilities: async (images) => Float32Array.from({ length: (images.length / 3) * 2 }, (_, i) => (i % 2 === 1 ? images[Math.floor(i / 2) * 3]! : 100 - images[Math.floor(i / 2) * 3]!) / 100),
};

/** Images by the percentage and the label of each. */
const data = (...images: [percent: number, label: number][]) =>
  new MemoryDataset({ name: 'pixels', classes: ['a', 'b'], attributes: ['none'], imageSize: 1, labels: Int32Array.from(images, ([, label]) => label), attributeOf: new Int32Array(images.length), pixels: Uint8Array.from(images.flatMap(([percent]) => [percent, 0, 0])) });

test('all images of a class that are wrong, and only these', async () => {
  const { startRecords, provenance } = await hardImages(student, data([10, 0], [60, 0], [40, 0], [90, 0], [70, 1], [30, 1]), 1);
  assert.equal(startRecords, [[1, 3], [5]]);
  assert.equal(provenance, { wrongTrainingImages: 3 });
});

test('where none is wrong, those with the largest cross-entropy, the first of equal ones', async () => {
  const { startRecords, provenance } = await hardImages(student, data([10, 0], [40, 0], [30, 0], [40, 0], [30, 0], [20, 1]), 3);
  assert.equal(startRecords, [[1, 3, 2], [5]]);
  assert.equal(provenance, { wrongTrainingImages: 1 });
});

test('more than a batch of images of a class', async () => {
  const images = Array.from({ length: 600 }, (_, i): [number, number] => [i % 100, 0]);
  const { startRecords } = await hardImages(student, data(...images, [90, 1]), 1);
  assert.equal(startRecords, [images.flatMap(([percent], i) => (percent > 50 ? [i] : [])), [600]]);
});

test('a class without images is named', async () => {
  assert.match((await failure(() => hardImages(student, data([10, 0]), 1), 'data')).message, /found none of b/);
});

test.run();
