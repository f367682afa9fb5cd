/** One pass over a dataset that stores the discrete adversary of each image, with what the teacher says of it. */
import { imageSeeds } from '../data/image-seeds.js';
import type { Dataset } from '../data/types.js';
import type { DiscreteAttack } from '../native/contract.js';
import { throwIfAborted } from '../native/engine.js';
import type { Classifier, Discretiser } from '../native/models.js';
import type { Sample } from '../store/record.js';
import type { SampleStore } from '../store/store.js';
import { readBatch } from './context.js';
import { gives } from './generation.js';

/** Images in a tar of the store. */
const imagesPerTar = 512;

/** What one of several processes does: every `count`th image, from number `index` on. */
export interface PassShard {
  index: number;
  count: number;
}

export interface DiscretePass {
  teacher: Classifier;
  discretiser: Discretiser;
  attack: DiscreteAttack;
  /** Of the random starts. */
  seed: number;
  /** Images at once. */
  batchSize: number;
  /** What is made is stored at least this often. */
  everySeconds: number;
  shard: PassShard;
  /** What the store shall say of how they were made. */
  settings: Record<string, unknown>;
}

export interface PassOptions {
  signal?: AbortSignal;
  /** `kept`: images of those done that are for training. */
  onProgress?: (done: number, total: number, kept: number) => void;
  /** Whenever images were stored. */
  onStored?: () => Promise<void>;
}

/** Appends what the store lacks of this shard; a pass that was interrupted goes on where it stopped. */
export async function runDiscretePass(pass: DiscretePass, dataset: Dataset, store: SampleStore, { signal, onProgress, onStored }: PassOptions = {}): Promise<void> {
  const { teacher, discretiser, attack, seed, batchSize, everySeconds, shard, settings } = pass;
  const stored = new Map(store.samples().map(({ source, kept }) => [source, kept]));
  const own = Array.from({ length: dataset.length }, (_, record) => record).filter((record) => record % shard.count === shard.index);
  const missing = own.filter((record) => !stored.has(record));
  const batches = Array.from({ length: Math.ceil(missing.length / batchSize) }, (_, i) => Int32Array.from(missing.slice(i * batchSize, (i + 1) * batchSize)));

  const pending: Sample[] = [];
  let savedAt = performance.now();
  const save = async (): Promise<void> => {
    await store.append(0, pending.splice(0), settings);
    await onStored?.();
    savedAt = performance.now();
  };
  const read = (i: number) => {
    const batch = i < batches.length ? readBatch(dataset, batches[i]) : undefined;
    batch?.catch(() => {}); // reported when it is awaited
    return batch;
  };

  let done = own.length - missing.length;
  let kept = own.filter((record) => stored.get(record)).length;
  let upcoming = read(0);
  try {
    for (const [i, records] of batches.entries()) {
      throwIfAborted(signal);
      const { images, labels } = (await upcoming)!;
      upcoming = read(i + 1); // decoded while the engine computes
      const seeds = imageSeeds(seed, 'discrete adversary', records);
      const made = await teacher.discreteAdversaries(discretiser, images, labels, { ...attack, seeds }, signal ? { signal } : {});
      const bytes = images.length / records.length, k = teacher.classes.length;
      const samples = Array.from(records, (source, slot): Sample => ({
        ...judgeByTeacher(labels[slot], Array.from(made.probabilities.subarray(slot * k, (slot + 1) * k))),
        pixels: made.images.subarray(slot * bytes, (slot + 1) * bytes),
        seed: seeds[slot],
        source,
      }));
      pending.push(...samples);
      if (pending.length >= imagesPerTar || performance.now() - savedAt >= 1000 * everySeconds) await save();
      done += samples.length;
      kept += samples.filter((sample) => sample.kept).length;
      onProgress?.(done, own.length, kept);
    }
  } finally {
    await save(); // also what was made when it is stopped
  }
}

/** An image is for training where the teacher still prefers its label. */
export function judgeByTeacher(label: number, teacherProbabilities: number[]): Pick<Sample, 'label' | 'teacherProbabilities' | 'kept' | 'reason'> {
  const kept = gives(teacherProbabilities, label);
  return { label, teacherProbabilities, kept, reason: kept ? 'teacher agrees' : 'teacher disagrees' };
}
