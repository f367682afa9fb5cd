/** How many images each class gets. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { allocate, classShares, evenShares, imagesOfRound, sharesOf } from '../../lib/methods/allocation.js';
import type { Classifier } from '../../lib/native/models.js';
import type { SampleStore } from '../../lib/store/store.js';

const countOf = (labels: readonly number[], classes: number): number[] => evenShares(classes).map((_, label) => labels.filter((own) => own === label).length);

test('images of a round, of each class, of each training image', () => {
  const counted = (['round', 'class', 'image'] as const).map((imagesFor) => imagesOfRound({ imagesPerRound: 3, imagesFor }, { images: 50, classes: 10 }));
  assert.equal(counted, [3, 30, 150]);
});

test('even shares: the classes take turns', () => {
  for (const classes of [1, 2, 3, 7, 10, 1000]) assert.equal(allocate(3 * classes + 1, evenShares(classes)), Array.from({ length: 3 * classes + 1 }, (_, i) => i % classes));
});

test('uneven shares: exact in all, and nearly so in every part', () => {
  const shares = [0.6, 0.1, 0.3];
  const labels = allocate(200, shares);
  assert.equal(countOf(labels, 3), [120, 20, 60]);
  for (const end of [10, 33, 64, 150]) countOf(labels.slice(0, end), 3).forEach((count, label) => assert.ok(Math.abs(count - end * shares[label]) <= 1.5, `${count} of class ${label} in the first ${end}`));
});

test('shares are as the errors, but none goes below a quarter of its even share', () => {
  const [a, b] = sharesOf([0.3, 0.1]);
  assert.ok(Math.abs(a - (0.125 + 0.75 * 0.75)) < 1e-12 && Math.abs(a + b - 1) < 1e-12);
  assert.equal(sharesOf([1, 0, 0, 0]), [0.8125, 0.0625, 0.0625, 0.0625]);
  assert.equal(sharesOf([0, 0]), [0.5, 0.5]);
});

test('hardest: the error of the current student on what earlier rounds kept', async () => {
  const record = (key: string, label: number, round: number, kept = true) => ({ key, label, round, kept });
  const records = [record('a', 0, 0), record('b', 1, 0), record('c', 1, 0), record('d', 0, 0, false), record('e', 0, 1)];
  const readKeys: string[][] = [];
  const store = { samples: () => records, readImages: async (keys: string[]) => (readKeys.push(keys), new Uint8Array()) } as unknown as SampleStore;
  const student = { classes: ['x', 'y'], logits: async () => Float32Array.from([0.75, 0.25, 0.5, 0.5, 1, 0].map((p) => (p === 0 ? -100 : Math.log(p)))) } as unknown as Classifier;
  const found = await classShares('hardest', store, student, 1);
  sharesOf([0.25, 0.75]).forEach((share, label) => assert.ok(Math.abs(found[label] - share) < 1e-6, `${found}`));
  assert.equal(readKeys, [['a', 'b', 'c']], 'not the round to be drawn, nor what was not kept');
  assert.equal(await classShares('balanced', store, student, 1), [0.5, 0.5]);
  assert.equal(await classShares('hardest', store, student, 0), [0.5, 0.5], 'nothing is known yet');
});

test.run();
