/** The few numbers that a result is made of; pure functions. */

/** Middle value; the mean of the two middle ones of an even number. Throws RangeError on an empty list. */
export function median(values) {
  if (values.length === 0) throw new RangeError('median of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * Rival time over our time. The two times of one round were taken within seconds of each other, so a machine that gets
 * slower half-way changes both; hence ratios are formed per round, and then summarised.
 */
export function compareRounds(rivalTimes, ourTimes) {
  if (rivalTimes.length !== ourTimes.length) throw new RangeError(`${rivalTimes.length} rounds against ${ourTimes.length}`);
  const ratios = rivalTimes.map((time, round) => time / ourTimes[round]);
  return { ratio: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

/**
 * |found - expected| / |expected| (L2) of the median row; both hold `rows` rows of equal length. Infinite where the
 * lengths differ, a value is not finite or a row of `expected` is all zero.
 */
export function relativeError(found, expected, rows) {
  if (found.length !== expected.length) return Infinity;
  const width = found.length / rows;
  const errors = Array.from({ length: rows }, (_, row) => {
    let [difference, norm] = [0, 0];
    for (let i = row * width; i < (row + 1) * width; ++i) {
      difference += (found[i] - expected[i]) ** 2;
      norm += expected[i] ** 2;
    }
    return Math.sqrt(difference / norm);
  });
  return errors.every(Number.isFinite) ? median(errors) : Infinity;
}

/** `list` turned left by `by` places: every contender gets to go first. */
export function rotate(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
