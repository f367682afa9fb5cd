/** The real images that a continued row trains on: which they are, how often they come and how much they count. */
import { balancedIndices, batchIndices } from '../data/order.js';
import { groupOf, recordsByValue } from '../data/memory.js';
import type { Dataset } from '../data/types.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import type { Batch, Weighing } from '../training/trainer.js';
import { readBatch, type RunContext } from './context.js';
import { makeCounterparts, pairs } from './counterparts.js';
import { jointBatches } from './dad-code.js';
import { predictAll } from './evaluate.js';
import type { Foundation } from './foundation.js';
import { GroupDro } from './group-dro.js';
import { kMeans } from './k-means.js';
import { lossHistory } from './loss-history.js';
import type { Recipe } from './recipes.js';
import { balanceClusters, repeatErrors, type Resampled } from './resampling.js';

/** How often JTT repeats an error: what its paper takes for CelebA. */
const jttTimes = 50;

export interface RealImages {
  /** `count` images of a step and, beside them, what counterparts they have; a pure function of the step. */
  batch(count: number, step: number): Promise<Batch>;
  /** Images that come more often than others, where the row looks for such. */
  upWeighted?: number;
  weighing?: Weighing;
  /** Counterparts that were made of them, those that are not for training included. */
  counterparts?: number;
  /** Wall time of what had to be trained to find them, or of their counterparts. */
  seconds: number;
}

/** @param name of the row's stage */
export async function realImages(context: RunContext, foundation: Foundation, { real, counterparts }: Recipe, edrm: Classifier, name: string, seed: number): Promise<RealImages> {
  const { train, validation } = context.data;
  const cancellable = { ...(context.signal && { signal: context.signal }) };
  if (counterparts) {
    const made = await makeCounterparts(context, foundation, counterparts);
    return { batch: counterparts === 'code' ? jointBatches(train, made.store, seed) : pairs(train, made, seed), counterparts: train.length, seconds: made.seconds };
  }
  switch (real) {
    case undefined:
      return { ...inOrder(train, seed), seconds: 0 };
    case 'errors-repeated':
      return repeated(train, repeatErrors(train.labels, await predictAll(edrm, train, cancellable), jttTimes), seed, 0);
    case 'clusters-balanced': {
      const { losses, seconds } = await lossHistory(context, `${name}/helper`, seed);
      return repeated(train, balanceClusters(train.labels, await clustersByClass(train, losses, seed, cancellable), seed), seed, seconds);
    }
    case 'groups-balanced': {
      const { groups, ...balanced } = byGroup(train, seed);
      return { ...balanced, weighing: new GroupDro(groups), seconds: 0 };
    }
    case 'validation-balanced':
      return { ...byGroup(validation!, seed), seconds: 0 }; // there is one, or the row is undefined
  }
}

/** Epochs without a gap, each in an order of its own. */
function inOrder(dataset: Dataset, seed: number): Pick<RealImages, 'batch'> {
  return { batch: (count, step) => readBatch(dataset, batchIndices(dataset.length, count, step, seed + 1)) };
}

/** Likewise, of the given records, some more than once; they are millions where JTT repeats many. */
function repeated(train: Dataset, { indices, upWeighted }: Resampled, seed: number, seconds: number): RealImages {
  const batch = (count: number, step: number): Promise<Batch> => readBatch(train, batchIndices(indices.length, count, step, seed + 1).map((place) => indices[place]!));
  return { batch, upWeighted, seconds };
}

/** Each group of the dataset equally often. */
function byGroup(dataset: Dataset, seed: number): Pick<RealImages, 'batch'> & { groups: number } {
  const present = recordsByValue(Int32Array.from({ length: dataset.length }, (_, record) => groupOf(dataset, record)));
  const members = present.map(([, records]) => records);
  const place = new Map(present.map(([group], i) => [group, i]));
  const batch = async (count: number, step: number): Promise<Batch> => {
    const indices = balancedIndices(members, count, step, seed + 1);
    return { ...(await readBatch(dataset, indices)), groups: Int32Array.from(indices, (record) => place.get(groupOf(dataset, record))!) };
  };
  return { batch, groups: members.length };
}

/** 2-means of the loss histories within each class, [length]. */
async function clustersByClass({ labels }: Dataset, losses: readonly Float32Array[], seed: number, cancellable: Cancellable): Promise<Uint8Array> {
  const clusters = new Uint8Array(labels.length);
  for (const [, members] of recordsByValue(labels)) {
    const found = (await kMeans(members.map((record) => losses[record]!), 2, seed, cancellable)).clusters;
    members.forEach((record, place) => (clusters[record] = found[place]!));
  }
  return clusters;
}
