/** The estimate of Ω, with losses known by hand. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { omegaDiagnostics } from '../../lib/methods/omega.js';
import { MemoryDataset } from '../../lib/data/memory.js';
import { softCrossEntropy } from '../../lib/metrics/softmax.js';
import type { Classifier } from '../../lib/native/models.js';
import type { SampleStore } from '../../lib/store/store.js';

const close = (found: number, expected: number): void => assert.ok(Math.abs(found - expected) < 1e-6, `${found}, expected ${expected}`);

/** Images of one pixel; `student` reads its logits (v, 0) off the first byte. */
const images = (values: readonly number[]): MemoryDataset => new MemoryDataset({
  name: 'bytes', classes: ['a', 'b'], attributes: ['x'], imageSize: 1,
  labels: new Int32Array(values.length), attributeOf: new Int32Array(values.length), pixels: Uint8Array.from(values.flatMap((value) => [value, 0, 0])),
});
const student = {
  classes: ['a', 'b'],
  logits: async (pixels: Uint8Array) => Float32Array.from({ length: (pixels.length / 3) * 2 }, (_, i) => (i % 2 === 0 ? pixels[(i / 2) * 3] : 0)),
} as unknown as Classifier;
/** Cross-entropy of logits (v, 0) to the first class, to the second. */
const first = (v: number): number => Math.log(1 + Math.exp(-v));
const second = (v: number): number => v + first(v);

test('cross-entropy to soft labels', () => {
  const [found] = softCrossEntropy(Float32Array.of(2, 0), [[0.75, 0.25]]);
  close(found, 0.75 * first(2) + 0.25 * second(2));
  close(softCrossEntropy(Float32Array.of(1000, 0), [[0, 1]])[0], 1000);
});

test('test risk minus training risk, of real images and with the stored ones in their share', async () => {
  const splits = { train: images([3, 4]), test: images([0, 1]) };
  const records = [{ key: '0', kept: true, teacherProbabilities: [0.5, 0.5] }, { key: '1', kept: false, teacherProbabilities: [1, 0] }];
  const store = { samples: () => records, readImages: async (keys: string[]) => Uint8Array.from(keys.flatMap(() => [2, 0, 0])) } as unknown as SampleStore;
  const [real, tested, stored] = [(first(3) + first(4)) / 2, (first(0) + first(1)) / 2, (first(2) + second(2)) / 2];
  const found = await omegaDiagnostics(student, splits, store, 0.75);
  close(found['risk/real'], real);
  close(found['risk/test'], tested);
  close(found['risk/stored'], stored);
  close(found['omega/real'], tested - real);
  close(found['omega/mixed'], tested - 0.25 * real - 0.75 * stored);
  assert.equal(Object.keys(await omegaDiagnostics(student, splits, null, 0.75)), ['risk/real', 'risk/test', 'omega/real']);
});

test('of many images some, in whatever order groups take turns', async () => {
  const train = images(Array.from({ length: 2000 }, (_, i) => (i % 4 === 0 ? 9 : 0)));
  const { 'risk/real': real } = await omegaDiagnostics(student, { train, test: train }, null, 0);
  const expected = (first(9) + 3 * first(0)) / 4;
  assert.ok(Math.abs(real - expected) < 0.06, `${real}, expected nearly ${expected}`); // 500 of 2000: a standard error of 0.013
});

test.run();
