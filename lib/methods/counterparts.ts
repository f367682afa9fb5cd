/**
 * Discrete adversaries (DAD, arXiv 2311.01441) of the training images, that a student learns from beside these: made against the
 * teacher once for all rows and seeds of a run, or before it for many.
 */
import { join } from 'node:path';

import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import { openStore, type SampleStore } from '../store/store.js';
import type { Stage } from '../training/stage.js';
import type { Batch } from '../training/trainer.js';
import { openStage, readBatch, type RunContext } from './context.js';
import { codeAttack } from './dad-code.js';
import { runDiscretePass } from './discrete-pass.js';
import type { Foundation } from './foundation.js';
import type { GivenAdversaries } from './given-adversaries.js';
import { discretisingRun, type CounterpartKind } from './recipes.js';

export interface Counterparts {
  store: SampleStore;
  /** In the store, by training image; of those of which the teacher still says the label. */
  keys: ReadonlyMap<number, string>;
  /** Wall time of making them. */
  seconds: number;
}

/** Of the stage: where the images are, for those that were given, and what they were made with. */
interface Result {
  seconds: number;
  given?: { folder: string; settings: string };
}

/** Makes them, or finds them made or given. */
export async function makeCounterparts(context: RunContext, foundation: Foundation, kind: CounterpartKind): Promise<Counterparts> {
  const { config, data: { train }, reporter, signal } = context;
  const stage = openStage(context, `dad/${kind}`);
  const given = foundation.adversaries.get(kind);
  if (given) return useGiven(stage, given);
  const store = await openStore(join(stage.folder, 'store'), { writer: 'main', imageSize: train.imageSize, classes: train.classes });
  if (!stage.finished()) {
    const attack = { ...config.dad.attack, ...(kind === 'code' ? codeAttack : { variant: kind === 'generator' ? ('adversarial' as const) : kind }) };
    const sampling = kind === 'generator' ? discretisingRun(config) : null;
    const pass = {
      teacher: foundation.teacher, discretiser: sampling ? foundation.generator!.asDiscretiser(sampling) : foundation.discretiser!, attack, seed: config.seed, // obtained, since a row needs it
      batchSize: config.sampling.batchSize, everySeconds: config.checkpoint.everySeconds, shard: { index: 0, count: 1 }, settings: { method: 'dad', ...attack, ...(sampling && { sampling }), seed: config.seed },
    };
    await runDiscretePass(pass, train, store, {
      ...(signal && { signal }),
      onStored: () => stage.saveTime(),
      onProgress: (done, total, kept) => reporter.progress(`${stage.name} images`, done, total, { kept: kept / done }),
    });
    await stage.finish({ seconds: stage.seconds });
  }
  return { store, keys: keysOfKept(store), seconds: stage.finished<Result>()!.seconds };
}

/** The folder of their store in a run that has them. */
export function counterpartStore(context: RunContext, kind: CounterpartKind): string {
  const stage = openStage(context, `dad/${kind}`);
  return stage.finished<Result>()?.given?.folder ?? join(stage.folder, 'store');
}

/** What was given is kept beside its cost: other images under the same path would make later rows of the run incomparable with earlier ones. */
async function useGiven(stage: Stage, { store, settings, seconds }: GivenAdversaries): Promise<Counterparts> {
  const before = stage.finished<Result>();
  if (before && before.given?.settings !== settings) {
    throw new SparringError('config', `${store.folder}: expected the images that this run was begun with (settings ${before.given?.settings}), found others (${settings}).`, 'Put the old store back, or choose another folder for the run.');
  }
  if (!before) await stage.finish({ seconds, given: { folder: store.folder, settings } } satisfies Result);
  return { store, keys: keysOfKept(store), seconds: before?.seconds ?? seconds };
}

function keysOfKept(store: SampleStore): Map<number, string> {
  return new Map(store.samples().filter((record) => record.kept).map(({ source, key }) => [source!, key]));
}

/** Images of the dataset in epochs without a gap, those that have a counterpart first in a batch, and their counterparts. */
export function pairs(train: Dataset, { store, keys }: Counterparts, seed: number): (count: number, step: number) => Promise<Batch> {
  return async (count, step) => {
    const indices = Array.from(batchIndices(train.length, count, step, seed + 1));
    const paired = indices.filter((record) => keys.has(record));
    const batch = await readBatch(train, Int32Array.from([...paired, ...indices.filter((record) => !keys.has(record))]));
    return paired.length === 0 ? batch : { ...batch, counterparts: await store.readImages(paired.map((record) => keys.get(record)!)) };
  };
}
