/**
 * What the files that a study is given were when it began: weights, the list of a dataset, and what discrete adversaries were made with. A run is known by its
 * config, which names them by path alone: without this, results of an old file would pass for those of a new one.
 */
import { join } from 'node:path';

import { weightPaths } from '../config/load.js';
import type { Config } from '../config/schema.js';
import type { Study } from '../config/study.js';
import { SparringError } from '../errors.js';
import { fingerprint } from '../methods/fingerprint.js';
import { readSavedJson, writeFileAtomic } from '../training/files.js';

/** SHA-256 by path as it stands in the config. */
export type Fingerprints = Record<string, string>;

const fileName = 'weights.json';

/** Of every file or folder that the configs name. Throws SparringError 'io' for one that is not there. */
export async function fingerprintsOf({ cells }: Pick<Study, 'cells'>): Promise<Fingerprints> {
  const result: Fingerprints = {};
  for (const path of new Set(cells.flatMap(({ config }) => pathsOf(config)))) result[path] = await fingerprint(path);
  return result;
}

/** Throws SparringError 'weights' or 'data' when one is not what it was when the study began. */
export function checkFingerprints({ output, cells }: Pick<Study, 'output' | 'cells'>, found: Fingerprints): void {
  const saved = savedFingerprints(output);
  for (const [path, sha256] of Object.entries(found)) {
    if (saved[path] === undefined || saved[path] === sha256) continue;
    const isList = cells.some(({ config }) => listOf(config) === path);
    const isStore = cells.some(({ config }) => settingsOfStores(config).includes(path));
    const what = isList ? 'list of images' : isStore ? 'settings of discrete adversaries' : 'weights';
    throw new SparringError(isList || isStore ? 'data' : 'weights', `${path}: expected the ${what} that the runs in ${output} were begun with (SHA-256 ${saved[path].slice(0, 12)}...), found ${isList ? 'another' : 'others'} (${sha256.slice(0, 12)}...).`, 'Put the old file back, or choose another folder with --output <folder>.');
  }
}

/** Keeps them for the next time, beside those of earlier times. */
export async function saveFingerprints({ output }: Pick<Study, 'output'>, found: Fingerprints): Promise<void> {
  await writeFileAtomic(join(output, fileName), `${JSON.stringify({ ...savedFingerprints(output), ...found }, null, 2)}\n`);
}

function savedFingerprints(output: string): Fingerprints {
  return readSavedJson<Fingerprints>(join(output, fileName), 'The file is damaged; delete it if the weights and lists of images are what they were.') ?? {};
}

function pathsOf(config: Config): string[] {
  return [listOf(config), ...weightPaths(config), ...settingsOfStores(config)].filter((path) => path !== undefined);
}

/** Of discrete adversaries that are given: the images themselves would take minutes to read. */
function settingsOfStores({ dad: { stores } }: Config): string[] {
  return stores.map((store) => join(store, 'generators'));
}

/** The file that says which images a dataset has, where the config names it. */
function listOf({ data }: Config): string | undefined {
  return 'file' in data ? data.file : undefined;
}
