/** Which training images samples start from. Classes alone decide, never groups. */
import type { Config } from '../config/schema.js';
import { recordsByValue } from '../data/memory.js';
import { stream } from '../data/random.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import { recipes } from './recipes.js';
import type { RowStart } from './row-starts.js';

export function startsFromImages({ kind }: RowStart): boolean {
  return kind !== 'noise';
}

/** Throws SparringError 'data' when a row starts from training images and a class has none. */
export function checkStartImages({ methods, sampling }: Config, train: Dataset): void {
  const starts = [sampling.start, ...methods.map((method) => recipes[method].images?.start)];
  if (starts.some((start) => start && startsFromImages(start))) recordsOfClasses(train);
}

/** The record that each sample starts from: one of the given ones of its class, drawn from seed, round and position alone. */
export function drawSources(records: readonly (readonly number[])[], labels: readonly number[], { seed, round }: { seed: number; round: number }): number[] {
  const random = stream(seed, 'start images', round);
  return labels.map((label) => records[label][random.integer(records[label].length)]);
}

/** Of each class the records. Throws SparringError 'data' for a class without images, which says what they are for. */
export function recordsOfClasses(train: Dataset, use = 'samples to start from', hint = 'Let sampling start from noise, or add images.'): number[][] {
  const records = new Map(recordsByValue(train.labels));
  const empty = train.classes.filter((_, label) => !records.has(label));
  if (empty.length > 0) {
    throw new SparringError('data', `${train.name}: expected training images of every class for ${use}, found none of ${empty.join(', ')}.`, hint);
  }
  return [...records.values()];
}
