/**
 * DAD as its published code does it, where that departs from the paper (docs/dad.md): adversaries that are next to random, all of them
 * learned from, as images like all others.
 */
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import type { DiscreteAttack } from '../native/contract.js';
import type { SampleStore } from '../store/store.js';
import type { Batch } from '../training/trainer.js';
import { readBatch } from './context.js';

/** What the script that makes the images says in place of the paper; lengths are of 224 px. */
export const codeAttack = { variant: 'adversarial', stepSize: 0.01, randomStart: 0.8 } as const satisfies Partial<DiscreteAttack>;

/** Images, and after them the adversaries of the first of these with the same labels, in epochs without a gap. Of an odd number the one too many is an image. */
export function jointBatches(train: Dataset, store: SampleStore, seed: number): (count: number, step: number) => Promise<Batch> {
  const keys = new Map(store.samples().map(({ source, key }) => [source!, key]));
  return async (count, step) => {
    const indices = batchIndices(train.length, Math.ceil(count / 2), step, seed + 1);
    const attacked = indices.subarray(0, Math.floor(count / 2));
    const { images, labels } = await readBatch(train, indices);
    const adversaries = await store.readImages(Array.from(attacked, (record) => keys.get(record)!));
    const batch = { images: new Uint8Array(images.length + adversaries.length), labels: new Int32Array(labels.length + attacked.length) };
    batch.images.set(images);
    batch.images.set(adversaries, images.length);
    batch.labels.set(labels);
    batch.labels.set(labels.subarray(0, attacked.length), labels.length);
    return batch;
  };
}
