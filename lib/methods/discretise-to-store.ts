/** The pass of DAD over the training split alone, with ready weights, into a sample store in the output folder. */
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { explainStop, SparringError } from '../errors.js';
import { Engine } from '../native/engine.js';
import { imageGrid } from '../report/grid.js';
import type { Reporter } from '../report/reporter.js';
import type { SampleRecord } from '../store/record.js';
import { generatorSettingsId } from '../store/settings.js';
import { openStore } from '../store/store.js';
import { timeWork } from '../store/work-seconds.js';
import { writeFileAtomic } from '../training/files.js';
import { adversaryPairs } from './adversary-pairs.js';
import { adversarySettings } from './adversary-settings.js';
import { runDiscretePass, type PassShard } from './discrete-pass.js';
import { openDiscretiser } from './discretiser.js';
import { checkReadyTeacher, openReadyTeacher } from './ready-teacher.js';

export interface DiscretiseRequest {
  /** Of several processes that write to one folder; default all images. */
  shard?: PassShard;
  signal?: AbortSignal;
  onProgress?: Reporter['progress'];
}

export interface DiscretiseResult {
  folder: string;
  /** Images of the training split. */
  images: number;
  /** How many of them the store has, from all processes. */
  stored: number;
  kept: number;
  /** Of each class, by label. */
  classes: { class: string; stored: number; kept: number }[];
}

/** An interrupted pass goes on when it is started again in the same way. */
export async function discretiseToStore(config: Config, { shard = { index: 0, count: 1 }, signal, onProgress }: DiscretiseRequest = {}): Promise<DiscretiseResult> {
  checkShard(shard);
  checkReadyTeacher(config, 'discretise');
  const path = config.discretiser.weights ?? config.discretiser.pretrained?.path;
  if (!path) throw new SparringError('config', 'discretise: expected discretiser.weights or discretiser.pretrained, found neither.', 'Give a VQGAN; see docs/dad.md.');
  const folder = config.output ?? join('runs', `${config.name}-dad`);
  const engine = await Engine.open(config);
  const { train } = await openData(config.data);
  const ready = await openReadyTeacher(engine, config, train, signal);
  const discretiser = await openDiscretiser(engine, config.discretiser, train);
  const settings = await adversarySettings(engine, config, ready, signal);
  const writer = shard.count === 1 ? 'main' : `shard${shard.index + 1}of${shard.count}`;
  const store = await openStore(folder, { writer, imageSize: train.imageSize, classes: train.classes });
  const id = generatorSettingsId(settings);
  const known = store.samples().find((record) => record.settings !== id);
  if (known) {
    throw new SparringError('usage', `${folder}: the images there were made with other weights, data, settings or another seed (generators/${known.settings}.json).`, 'Choose another folder with --output.');
  }
  const pass = { teacher: ready.model, discretiser, attack: config.dad.attack, seed: config.seed, batchSize: config.sampling.batchSize, everySeconds: config.checkpoint.everySeconds, shard, settings };
  await runDiscretePass(pass, train, store, {
    ...(signal && { signal }),
    onStored: timeWork(folder, writer),
    ...(onProgress && { onProgress: (done: number, total: number, kept: number) => onProgress('images', done, total, { kept: kept / done }) }),
  }).catch((error) => {
    throw explainStop(error, `Stopped with ${store.samples().length} of ${train.length} images in ${folder}.`, 'The same command goes on from there.');
  });
  await store.refresh();
  const records = store.samples();
  const pairs = await adversaryPairs(store, train, 12);
  if (pairs.columns > 0) await writeFileAtomic(join(folder, 'grid.png'), await imageGrid({ imageSize: train.imageSize, ...pairs }));
  return { folder, images: train.length, stored: records.length, kept: records.filter(({ kept }) => kept).length, classes: countByClass(train.classes, records) };
}

function checkShard({ index, count }: PassShard): void {
  if (Number.isInteger(index) && Number.isInteger(count) && index >= 0 && index < count) return;
  throw new SparringError('usage', `discretise: expected a shard from 1 to as many as there are, found ${index + 1} of ${count}.`, 'For example --shard 2/4.');
}

function countByClass(classes: readonly string[], records: readonly SampleRecord[]): DiscretiseResult['classes'] {
  const counts = classes.map((name) => ({ class: name, stored: 0, kept: 0 }));
  for (const { label, kept } of records) {
    counts[label].stored++;
    if (kept) counts[label].kept++;
  }
  return counts;
}
