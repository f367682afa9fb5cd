import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { compareRounds, median, relativeError, rotate } from '../../benchmarks/statistics.mjs';

test('median of odd and even counts, in any order', () => {
  assert.is(median([3, 1, 2]), 2);
  assert.is(median([10, 1, 2, 4]), 3);
  assert.throws(() => median([]), RangeError);
});

test('ratios are formed within each round', () => {
  // The machine halves its speed in the second round: both contenders slow down, the ratio stays.
  assert.equal(compareRounds([2, 4, 3], [1, 2, 1]), { ratio: 2, lowest: 2, highest: 3 });
  assert.throws(() => compareRounds([1], [1, 2]), RangeError);
});

test('relative error is that of the median row', () => {
  assert.is(relativeError([3, 4], [3, 4], 1), 0);
  assert.is(relativeError([3, 4.5], [3, 4], 1), 0.1);
  const expected = [3, 4, 3, 4, 3, 4];
  assert.is(relativeError([3, 4, 3, 4, 30, 4], expected, 3), 0); // one image behind a kink
  assert.is(relativeError([3, 4.5, 3, 4, 30, 4], expected, 3), 0.1);
});

test('results that cannot be compared count as wrong', () => {
  assert.is(relativeError([1, 2], [1], 1), Infinity);
  assert.is(relativeError([1, 1, NaN], [1, 1, 2], 3), Infinity);
  assert.is(relativeError([1, 1, 2], [1, 1, NaN], 3), Infinity);
  assert.is(relativeError([0, 0], [0, 0], 1), Infinity);
});

test('every contender goes first once', () => {
  assert.equal([0, 1, 2, 3].map((round) => rotate(['a', 'b', 'c'], round).join('')), ['abc', 'bca', 'cab', 'abc']);
});

test.run();
