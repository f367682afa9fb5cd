import { SparringError } from '../errors.js';
import { stream } from './random.js';

/**
 * Which records make up which batch: a pure function of seed and step. A resumed run needs the step alone to go on
 * exactly where it stopped.
 */

/** The order of one epoch: a permutation of 0..length-1, [length]. */
export function epochPermutation(length: number, seed: number, epoch: number): Int32Array {
  const order = new Int32Array(length);
  for (let position = 0; position < length; position++) order[position] = position;
  return stream(seed, 'data order', epoch).shuffle(order);
}

/**
 * The records of batch `step` (0-based), [batchSize]. Epochs follow each other without a gap: a batch at the end of
 * one takes its remaining records from the next, so no record is dropped and every batch is full, even when
 * `batchSize` exceeds `length`.
 */
export function batchIndices(length: number, batchSize: number, step: number, seed: number): Int32Array {
  if (length < 1) {
    throw new SparringError('data', 'data order: expected a dataset with at least one image, found none', 'Check which groups are dropped.');
  }
  const batch = new Int32Array(batchSize);
  for (let slot = 0; slot < batchSize; slot++) {
    const position = step * batchSize + slot;
    batch[slot] = recentPermutation(length, seed, Math.floor(position / length))[position % length]!;
  }
  return batch;
}

/**
 * The records of batch `step`, [batchSize], drawn at random with the groups in turn: over all steps each comes equally often.
 * @param members the records of each group, none of them empty
 */
export function balancedIndices(members: readonly ArrayLike<number>[], batchSize: number, step: number, seed: number): Int32Array {
  const random = stream(seed, 'balanced order', step);
  return Int32Array.from({ length: batchSize }, (_, slot) => {
    const group = members[(step * batchSize + slot) % members.length]!;
    return group[random.integer(group.length)]!;
  });
}

// Consecutive steps ask for the same epoch: the last few orders are kept so that a step does not cost a shuffle.
const recent = new Map<string, Int32Array>();
const recentLimit = 8;

function recentPermutation(length: number, seed: number, epoch: number): Int32Array {
  const key = `${length} ${seed} ${epoch}`;
  let order = recent.get(key);
  if (!order) {
    order = epochPermutation(length, seed, epoch);
    if (recent.size === recentLimit) recent.delete(recent.keys().next().value!);
    recent.set(key, order);
  }
  return order;
}
