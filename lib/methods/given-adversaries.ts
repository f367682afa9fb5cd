/** Discrete adversaries that a run is given, `dad.stores`: what `sparring discretise` made of its images with its teacher and discretiser. */
import { difference } from '../config/difference.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { DiscreteVariant } from '../native/contract.js';
import { openStore, type SampleStore } from '../store/store.js';
import { secondsOfWork } from '../store/work-seconds.js';
import { adversarySettings } from './adversary-settings.js';
import type { RunContext } from './context.js';
import { openReadyTeacher } from './ready-teacher.js';
import type { CounterpartKind } from './recipes.js';

export interface GivenAdversaries {
  store: SampleStore;
  /** Id of the settings that they were made with. */
  settings: string;
  /** Wall time of making them, over all processes. */
  seconds: number;
}

export type GivenByKind = ReadonlyMap<CounterpartKind, GivenAdversaries>;

/** Opens them, for reading alone. Throws SparringError 'data' or 'config' for a store that is not of this config, or not complete. */
export async function openGivenAdversaries({ config, engine, data: { train }, signal }: Pick<RunContext, 'config' | 'engine' | 'data' | 'signal'>): Promise<GivenByKind> {
  const given = new Map<CounterpartKind, GivenAdversaries>();
  if (config.dad.stores.length === 0) return given;
  const ready = await openReadyTeacher(engine, config, train, signal);
  using _model = ready.model;
  const expected = await adversarySettings(engine, config, ready, signal);
  for (const folder of config.dad.stores) {
    const store = await openStore(folder, { imageSize: train.imageSize, classes: train.classes });
    const { settings, variant } = await checkSettings(store, expected);
    checkComplete(store, train);
    const other = given.get(variant);
    if (other) throw new SparringError('config', `dad.stores: expected one store of a variant, found ${other.store.folder} and ${folder}, both of ${variant}.`, 'Leave one of them out.');
    given.set(variant, { store, settings, seconds: (await secondsOfWork(folder)) ?? notWritten(folder, 'no seconds-*.json') });
  }
  return given;
}

/** All but what a student may learn from alike: another seed, precision, or place of the same images. */
async function checkSettings(store: SampleStore, expected: Record<string, unknown>): Promise<{ settings: string; variant: DiscreteVariant }> {
  const { folder } = store;
  const ids = [...new Set(store.samples().map((record) => record.settings))];
  if (ids.length === 0) throw incomplete(folder, 'an image for each training image', 'none');
  if (ids.length > 1) notWritten(folder, `images made with ${ids.length} settings`);
  const made = await store.generatorSettings(ids[0]);
  if (made.method !== 'dad' || made.teacher === undefined) notWritten(folder, 'images made otherwise');
  const found = difference(comparable(expected), comparable(made), '');
  if (found) {
    const [path, wanted, has] = found;
    const what = path === 'teacher' || path === 'discretiser' ? `the ${path}` : path;
    throw new SparringError('config', `${folder}: ${what}: expected ${text(wanted)}, as this run has it, found ${text(has)}, with which the images of the store were made.`, 'Make a store for this config with sparring discretise, or leave it out of dad.stores.');
  }
  return { settings: ids[0], variant: made.variant as DiscreteVariant };
}

function comparable({ variant: _variant, seed: _seed, precision: _precision, data, ...rest }: Record<string, unknown>): Record<string, unknown> {
  const { root: _root, file: _file, cacheBytes: _bytes, ...images } = (data ?? {}) as Record<string, unknown>;
  return { data: images, ...rest };
}

function text(value: unknown): string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? `SHA-256 ${value.slice(0, 12)}...` : (JSON.stringify(value) ?? 'nothing');
}

/** One image of each training image, with its label. */
function checkComplete(store: SampleStore, { length, labels }: Dataset): void {
  const sources = new Set<number>();
  for (const { key, source, label } of store.samples()) {
    if (source === undefined || source >= length || label !== labels[source]) notWritten(store.folder, `${key}, which is of none of the ${length} training images`);
    sources.add(source!);
  }
  if (sources.size < length) throw incomplete(store.folder, `an image for each of ${length} training images`, `${sources.size}`);
}

function incomplete(folder: string, expected: string, found: string): SparringError {
  return new SparringError('data', `${folder}: expected ${expected}, found ${found}.`, 'The sparring discretise command that began it goes on from there.');
}

function notWritten(folder: string, found: string): never {
  throw new SparringError('data', `${folder}: expected a store that sparring discretise wrote, found ${found}.`, 'Check dad.stores, or make it anew.');
}
