import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { meanInterval, studentT95 } from '../../lib/metrics/student-t.js';

test('quantiles of Student\'s t as tables have them', () => {
  // Two-sided 95 %, to three decimals.
  const table: [number, number][] = [[1, 12.706], [2, 4.303], [3, 3.182], [4, 2.776], [5, 2.571], [9, 2.262], [10, 2.228], [29, 2.045], [30, 2.042], [100, 1.984], [1000, 1.962]];
  for (const [degrees, expected] of table) assert.is(studentT95(degrees).toFixed(3), expected.toFixed(3), `${degrees} degrees of freedom`);
  for (const degrees of [0, -1, 1.5, NaN]) assert.throws(() => studentT95(degrees), /expected a whole number/);
});

test('the interval of a mean, computed by hand', () => {
  // Mean 3, variance (4 + 0 + 4) / 2 = 4, half width 4.3026527 x 2 / sqrt(3) = 4.9682758.
  const [low, high] = meanInterval([1, 3, 5])!;
  assert.ok(Math.abs(low + 1.9682758) < 1e-6 && Math.abs(high - 7.9682758) < 1e-6, `${low}, ${high}`);
  assert.equal(meanInterval([0.5, 0.5]), [0.5, 0.5]);
  assert.is(meanInterval([0.5]), null);
  assert.is(meanInterval([]), null);
});

test.run();
