/** When a row has nothing left to learn, from records of the store; and what its result says of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { isLastRound, wrongOfApproved } from '../../lib/methods/early-stop.js';
import type { Outcome } from '../../lib/methods/outcome.js';
import { toRows } from '../../lib/methods/run-rows.js';
import { groupMetrics } from '../../lib/metrics/groups.js';
import { MemoryDataset } from '../../lib/data/memory.js';

/** An image of class 1. */
const image = (teacher: number[], studentWrong: boolean) => ({ label: 1, teacherProbabilities: teacher, studentWrong });
const sure = (studentWrong: boolean) => image([0.1, 0.9], studentWrong);
const round = [sure(true), sure(false), sure(false), sure(false), image([0.3, 0.7], true), image([0.9, 0.1], true)];
const last = (images: typeof round, studentWrong: number) => isLastRound(images, resolveConfig({ rounds: { earlyStop: { studentWrong } } }).rounds);

test('the share is of the images that the teacher is sure of, whether they were kept or not', () => {
  assert.is(wrongOfApproved(round, 0.8), 0.25);
  assert.is(wrongOfApproved(round, 0.7), 0.4);
  assert.is(wrongOfApproved(round, 0.95), undefined);
  assert.is(wrongOfApproved([image([0.4, 0.3, 0.3], true), image([0.5, 0.5, 0], false)], 0.2), 0, 'the class must be the first choice of the teacher, or equal to it');
});

test('a round below the share is the last one; by default none is', () => {
  assert.equal([0.24, 0.25, 0.26, 1].map((share) => last(round, share)), [false, false, true, true]);
  assert.not(last([sure(false)], 0), 'nothing is below 0');
  assert.is(resolveConfig({}).rounds.earlyStop.studentWrong, 0);
  assert.ok(last([sure(false)], 0.01));
  assert.not(last([image([0.9, 0.1], false)], 1), 'no image that the teacher is sure of tells nothing');
});

test('a row over seeds that stopped after different rounds has the rounds of each, and images and steps on average', () => {
  const data = new MemoryDataset({ name: 't', classes: ['a'], attributes: ['x'], imageSize: 1, labels: Int32Array.of(0), attributeOf: Int32Array.of(0), pixels: new Uint8Array(3) });
  const metrics = groupMetrics(data, Int32Array.of(0));
  const outcome = (method: 'teacher' | 'edrm' | 'config', seed: number, rounds?: number): Outcome => ({ method, seed, metrics, seconds: 1, trainingSteps: 100 * (rounds ?? 1), generated: 10 * (rounds ?? 0), ...(rounds && { rounds }) });
  const rows = toRows([0, 1].flatMap((seed) => [outcome('teacher', seed), outcome('edrm', seed), outcome('config', seed, 1 + seed)]));
  assert.equal(rows.map(({ rounds, generated, trainingSteps }) => [rounds?.values, generated, trainingSteps]), [[undefined, 0, 100], [undefined, 0, 100], [[1, 2], 15, 150]]);
});

test.run();
