import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gapClosed, groupMetrics } from '../../lib/metrics/groups.js';
import { wilsonInterval } from '../../lib/metrics/intervals.js';

const near = (found: number, expected: number, tolerance = 1e-12) =>
  assert.ok(Math.abs(found - expected) <= tolerance, `expected ${expected}, found ${found}`);

// Groups a/x: 4 images, a/y: 2, b/x: none, b/y: 2.
const tested = {
  name: 'tested',
  classes: ['a', 'b'],
  attributes: ['x', 'y'],
  imageSize: 1,
  length: 8,
  labels: Int32Array.of(0, 0, 0, 0, 0, 0, 1, 1),
  attributeOf: Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1),
};

test('accuracies by group, by hand', () => {
  const metrics = groupMetrics(tested, [0, 0, 0, 1, 0, 1, 1, 1], [90, 5, 100, 5]);
  assert.equal(metrics.groups.map(({ name, count, correct }) => [name, count, correct]), [['a/x', 4, 3], ['a/y', 2, 1], ['b/y', 2, 2]]);
  assert.equal(metrics.emptyGroups, ['b/x']);
  assert.equal(metrics.classes.map(({ label, name, count, correct }) => [label, name, count, correct]), [[0, 'a', 6, 4], [1, 'b', 2, 2]]);
  assert.equal(metrics.classes[0]!.interval, wilsonInterval(4, 6));
  assert.is(metrics.worstGroup, 'a/y');
  near(metrics.worstGroupAccuracy, 0.5);
  near(metrics.meanGroupAccuracy, 0.75);
  near(metrics.accuracy, 6 / 8);
  // The untested group b/x has no part in it: (90 * 0.75 + 5 * 0.5 + 5 * 1) / 100.
  near(metrics.trainWeightedAccuracy!, 0.75);
  assert.is(groupMetrics(tested, new Int32Array(8)).trainWeightedAccuracy, null);
  assert.is(groupMetrics(tested, new Int32Array(8), [0, 0, 9, 0]).trainWeightedAccuracy, null);
  assert.is(groupMetrics(tested, new Int32Array(8)).worstGroupAccuracy, 0);
});

test('refuses predictions and counts that do not fit', () => {
  assert.throws(() => groupMetrics(tested, [0]), /expected predictions for 8 images, found 1/);
  assert.throws(() => groupMetrics(tested, new Int32Array(8), [1]), /training counts of 4 groups, found 1/);
  assert.throws(() => groupMetrics({ ...tested, length: 0, labels: new Int32Array(0), attributeOf: new Int32Array(0) }, []), /at least one/);
});

test('Wilson intervals against published values', () => {
  // Newcombe (1998), table I: 81/263, 15/148, 0/20, 1/29.
  for (const [correct, count, low, high] of [[81, 263, 0.2553, 0.3662], [15, 148, 0.0624, 0.1605], [0, 20, 0, 0.1611], [1, 29, 0.0061, 0.1718]] as const) {
    const interval = wilsonInterval(correct, count);
    near(interval[0], low, 6e-5);
    near(interval[1], high, 6e-5);
  }
  near(wilsonInterval(20, 20)[0], 1 - wilsonInterval(0, 20)[1]);
  assert.is(wilsonInterval(20, 20)[1], 1);
  assert.equal(wilsonInterval(0, 0), [0, 1]);
});

test('gap closed', () => {
  near(gapClosed(0.75, 0.5, 1)!, 0.5);
  near(gapClosed(0.4, 0.5, 1)!, -0.2);
  assert.is(gapClosed(0.5, 0.5, 0.5), null);
  assert.is(gapClosed(0, 0.25, 0), null, 'the teacher is below EDRM: there is no gap to close');
});

test.run();
