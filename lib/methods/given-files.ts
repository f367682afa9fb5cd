/**
 * What the files that a run or a study is given were when it began: weights, the list of a dataset, and what discrete adversaries were made with. A config
 * names them by path alone: without this, rows made with an old file would stand beside those made with a new one.
 */
import { join } from 'node:path';

import { weightPaths } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { throwIfAborted } from '../native/engine.js';
import { readSavedJson, writeFileAtomic } from '../training/files.js';
import { fingerprint } from './fingerprint.js';

/** SHA-256 by path as it stands in the config. */
export type Fingerprints = Record<string, string>;

const fileName = 'weights.json';

/**
 * Of every file or folder that the configs name, but for weights at and below the keys that are passed over, of which `dad.stores` may be one. Throws SparringError 'io' for one
 * that is not there; 'aborted'.
 */
export async function fingerprintsOf(configs: readonly Config[], { passedOver = [], signal }: { passedOver?: readonly string[]; signal?: AbortSignal | undefined } = {}): Promise<Fingerprints> {
  const result: Fingerprints = {};
  for (const path of new Set(configs.flatMap((config) => pathsOf(config, passedOver)))) {
    throwIfAborted(signal);
    result[path] = await fingerprint(path);
  }
  return result;
}

/** Throws SparringError 'weights' or 'data' when one is not what it was when the work in the folder began. */
export function checkFingerprints(folder: string, configs: readonly Config[], found: Fingerprints): void {
  const saved = savedFingerprints(folder);
  for (const [path, sha256] of Object.entries(found)) {
    if (saved[path] === undefined || saved[path] === sha256) continue;
    const isList = configs.some((config) => listOf(config) === path);
    const isStore = configs.some((config) => settingsOfStores(config).includes(path));
    const what = isList ? 'list of images' : isStore ? 'settings of discrete adversaries' : 'weights';
    throw new SparringError(isList || isStore ? 'data' : 'weights', `${path}: expected the ${what} that ${folder} was begun with (SHA-256 ${saved[path].slice(0, 12)}...), found ${isList ? 'another' : 'others'} (${sha256.slice(0, 12)}...).`, 'Put the old file back, or choose another folder with --output <folder>.');
  }
}

/** Keeps them for the next time, beside those of earlier times. */
export async function saveFingerprints(folder: string, found: Fingerprints): Promise<void> {
  await writeFileAtomic(join(folder, fileName), `${JSON.stringify({ ...savedFingerprints(folder), ...found }, null, 2)}\n`);
}

function savedFingerprints(folder: string): Fingerprints {
  return readSavedJson<Fingerprints>(join(folder, fileName), 'The file is damaged; delete it if the weights and lists of images are what they were.') ?? {};
}

function pathsOf(config: Config, passedOver: readonly string[]): string[] {
  return [listOf(config), ...weightPaths(config, passedOver), ...(passedOver.includes('dad.stores') ? [] : settingsOfStores(config))].filter((path) => path !== undefined);
}

/** Of discrete adversaries that are given: the images themselves would take minutes to read. */
function settingsOfStores({ dad: { stores } }: Config): string[] {
  return stores.map((store) => join(store, 'generators'));
}

/** The file that says which images a dataset has, where the config names it. */
function listOf({ data }: Config): string | undefined {
  return 'file' in data ? data.file : undefined;
}
