import { stream } from './random.js';

/** A seed for each record of a dataset, for one purpose: it depends on nothing but seed and record. */
export function imageSeeds(seed: number, purpose: string, records: ArrayLike<number>): number[] {
  return Array.from(records, (record) => Math.floor(stream(seed, purpose, record).uniform() * 2 ** 53));
}
