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

/** Images in epochs without a gap, and after them the adversaries of all of them, with the same labels. */
export function jointBatches(train: Dataset, store: SampleStore, seed: number): (count: number, step: number) => Promise<Batch> {
  const keys = new Map(store.samples().map(({ source, key }) => [source!, key]));
  return async (count, step) => {
    const indices = batchIndices(train.length, count, step, seed + 1);
    const { images, labels } = await readBatch(train, indices);
    const adversaries = await store.readImages(Array.from(indices, (record) => keys.get(record)!));
    const batch = { images: new Uint8Array(2 * images.length), labels: new Int32Array(2 * labels.length) };
    batch.images.set(images);
    batch.images.set(adversaries, images.length);
    batch.labels.set(labels);
    batch.labels.set(labels, labels.length);
    return batch;
  };
}
