import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { averagePrecision, rocAuc } from '../../lib/metrics/ranking.js';
import { spuriousMetrics } from '../../lib/metrics/spurious.js';

const near = (found: number, expected: number) => assert.ok(Math.abs(found - expected) < 1e-6, `expected ${expected}, found ${found}`);

/** Rows of three probabilities; the first is p. */
const rows = (column: number, ...values: number[]): Float32Array =>
  Float32Array.from(values.flatMap((p) => [0, 1, 2].map((k) => (k === column ? p : (1 - p) / 2))));

test('by hand: two classes of a classifier with three', () => {
  const metrics = spuriousMetrics(
    [
      { name: 'bee', label: 0, validation: rows(0, 0.9, 0.7), spurious: rows(0, 0.8, 0.1) },
      { name: 'ray', label: 2, validation: rows(2, 0.9), spurious: rows(2, 0.2, 0.2, 0.3) },
    ],
    3,
  );
  const [bee, ray] = metrics.classes;
  near(bee!.averagePrecision, 0.5 * 1 + 0.5 * (2 / 3));
  near(bee!.rocAuc, 0.75);
  near(bee!.meanValidation, 0.8);
  near(bee!.meanSpurious, 0.45);
  assert.equal([bee!.predictedValidation, bee!.predictedSpurious, ray!.predictedSpurious], [1, 0.5, 0]);
  assert.equal([ray!.averagePrecision, ray!.rocAuc], [1, 1]);
  near(metrics.averagePrecision, (5 / 6 + 1) / 2);
  near(metrics.rocAuc, 0.875);
  // Together: .9 .9 | .8 | .7 | ...: three positives, at ranks 1-2 (tied) and 4.
  near(metrics.jointAveragePrecision, 2 / 3 + (1 / 3) * (3 / 4));
  near(metrics.chance, (0.5 + 0.25) / 2);
});

test('scores that say nothing: average precision is the share of positives, ROC AUC one half', () => {
  const metrics = spuriousMetrics([{ name: 'x', label: 1, validation: rows(1, ...new Array(50).fill(0.5)), spurious: rows(1, ...new Array(75).fill(0.5)) }], 3);
  near(metrics.averagePrecision, 0.4);
  near(metrics.rocAuc, 0.5);
  near(metrics.chance, 0.4);
});

test('refuses what has no answer', () => {
  assert.throws(() => averagePrecision([1, 1], [0.1, 0.2]), /expected positives and negatives, found 2 and 0/);
  assert.throws(() => rocAuc([0], [0.1]), /found 0 and 1/);
  assert.throws(() => rocAuc([0, 1], [0.1]), /a score for each of 2 items, found 1/);
  assert.throws(() => rocAuc([0, 1], [0.1, NaN]), (error: any) => error.code === 'numeric');
  assert.throws(() => spuriousMetrics([], 3), /at least one class/);
  assert.throws(() => spuriousMetrics([{ name: 'x', label: 3, validation: rows(0, 1), spurious: rows(0, 1) }], 3), /x: expected a label below 3/);
  assert.throws(() => spuriousMetrics([{ name: 'x', label: 0, validation: rows(0, 1), spurious: new Float32Array(0) }], 3), /found label 0 and 3 and 0 numbers/);
});

test.run();
