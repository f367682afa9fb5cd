/** Training sets in which some images are repeated, as lists of records. */
import { recordsByValue } from '../data/memory.js';
import { stream } from '../data/random.js';

export interface Resampled {
  /** Records of one pass through the data; some come more than once. */
  indices: Int32Array;
  /** How many images come more than once. */
  upWeighted: number;
}

/**
 * JTT (Liu et al. 2021, arXiv 2107.09044): what a first model gets wrong comes `times` times, the rest once.
 * @param predictions of the first model, [labels.length]
 */
export function repeatErrors(labels: ArrayLike<number>, predictions: ArrayLike<number>, times: number): Resampled {
  const isWrong = (record: number): boolean => predictions[record] !== labels[record];
  let upWeighted = 0;
  for (let record = 0; record < labels.length; record++) if (isWrong(record)) upWeighted++;
  const indices = new Int32Array(labels.length + upWeighted * (times - 1)); // 4 bytes each: an ImageNet with a fifth wrong takes 55 MB
  let end = 0;
  for (let record = 0; record < labels.length; record++) {
    const begin = end;
    end += isWrong(record) ? times : 1;
    indices.fill(record, begin, end);
  }
  return { indices, upWeighted };
}

/**
 * TAB (Zarlenga et al. 2024): within each class the smaller of two clusters is repeated until it is as large as the other;
 * the last, incomplete repetition takes images at random.
 * @param clusters 0 or 1, [labels.length]
 */
export function balanceClusters(labels: ArrayLike<number>, clusters: ArrayLike<number>, seed: number): Resampled {
  const indices: number[] = [];
  let upWeighted = 0;
  for (const [label, members] of recordsByValue(labels)) {
    const [a, b] = [0, 1].map((cluster) => members.filter((record) => clusters[record] === cluster)) as [number[], number[]];
    const [small, large] = a.length < b.length ? [a, b] : [b, a];
    const missing = small.length === 0 ? 0 : large.length - small.length;
    for (const record of [...large, ...small]) indices.push(record);
    if (missing === 0) continue;
    upWeighted += Math.min(small.length, missing);
    const drawn = stream(seed, 'cluster balance', label).shuffle([...small]);
    for (let copy = 0; copy < missing; copy++) indices.push(drawn[copy % drawn.length]!);
  }
  return { indices: Int32Array.from(indices), upWeighted };
}
