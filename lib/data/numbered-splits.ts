import { SparringError } from '../errors.js';
import type { ImageRecord, Listing } from './records.js';

/** Splits as CelebA and Waterbirds number them: 0 is train, 1 validation, 2 test. */

export function splitNumber(text: string, where: string): number {
  if (!/^[012]$/.test(text)) throw new SparringError('data', `${where}: expected split 0, 1 or 2, found ${JSON.stringify(text)}`, '0 is train, 1 validation, 2 test.');
  return Number(text);
}

/** @param source the file that has the numbers */
export function numberedSplits(records: Iterable<{ split: number; record: ImageRecord }>, source: string): Required<Listing['splits']> {
  const splits: [ImageRecord[], ImageRecord[], ImageRecord[]] = [[], [], []];
  for (const { split, record } of records) splits[split]!.push(record);
  splits.forEach((found, split) => {
    if (found.length === 0) throw new SparringError('data', `${source}: expected images of every split, found none of split ${split}`, '0 is train, 1 validation, 2 test.');
  });
  const [train, validation, test] = splits;
  return { train, validation, test };
}
