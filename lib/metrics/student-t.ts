/** Student's t: the interval of a mean of few values. */

/**
 * Probability that |t| <= sqrt(df) tan(angle), for a whole number of degrees of freedom: the finite series of
 * Abramowitz and Stegun, 26.7.3 and 26.7.4.
 */
function withinAngle(angle: number, degreesOfFreedom: number): number {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = degreesOfFreedom % 2 === 1;
  // Odd: cos + 2/3 cos^3 + 2*4/(3*5) cos^5 + ...; even: 1 + 1/2 cos^2 + 1*3/(2*4) cos^4 + ...; up to cos^(df - 2).
  let term = odd ? cosine : 1;
  let sum = 0;
  for (let power = odd ? 1 : 0; power <= degreesOfFreedom - 2; power += 2) {
    sum += term;
    term *= (cosine * cosine * (power + 1)) / (power + 2);
  }
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}

/** The value that |t| stays below with probability 0.95: 12.706 for one degree of freedom, 1.96 for very many. */
export function studentT95(degreesOfFreedom: number): number {
  if (!Number.isInteger(degreesOfFreedom) || degreesOfFreedom < 1) throw new RangeError(`studentT95: expected a whole number from 1 on, found ${degreesOfFreedom}`);
  let [low, high] = [0, Math.PI / 2];
  for (let halving = 0; halving < 60; halving++) {
    const middle = (low + high) / 2;
    if (withinAngle(middle, degreesOfFreedom) < 0.95) low = middle;
    else high = middle;
  }
  return Math.sqrt(degreesOfFreedom) * Math.tan(low);
}

/**
 * 95 % interval of the mean of independent, about normal values.
 * @returns [low, high]; null for fewer than two values, which say nothing of their spread
 */
export function meanInterval(values: readonly number[]): [low: number, high: number] | null {
  const count = values.length;
  if (count < 2) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count - 1);
  const half = studentT95(count - 1) * Math.sqrt(variance / count);
  return [mean - half, mean + half];
}
