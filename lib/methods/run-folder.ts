/** The folder of a run: new, or one whose config is that of the run to be continued. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';

import { difference, type Difference } from '../config/difference.js';
import { resolveConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { fileError, makeFolder, readSaved, writeFileAtomic } from '../training/files.js';
import { isEmptyFolder } from '../training/stage.js';
import { recipes, takesDiscretiser, takesGenerator, type ContinuedMethod } from './recipes.js';

/** Keys that may differ: where the folder is, which rows are wanted, since each row is a stage of its own, and what no run reads. */
const mayDiffer: readonly string[] = ['output', 'methods', 'ood', 'spurious'];

/** Makes or checks a run folder; true when the config is to be saved in it. `keys`: those that count, if not all. Throws SparringError 'usage', 'config' or 'io'. */
export function prepareRunFolder(folder: string, config: Config, resume: boolean, keys?: readonly (keyof Config)[]): boolean {
  try {
    const saved = readRunConfig(folder);
    if (saved !== undefined) {
      if (!resume) throw new SparringError('usage', `${folder}: expected an empty folder, found a run.`, 'Continue it with --resume, or choose another with --output <folder>.');
      checkSameRun(folder, saved, config, keys);
      return !isDeepStrictEqual(saved, asSaved(config));
    }
    if (!isEmptyFolder(folder)) throw new SparringError('usage', `${folder}: expected an empty folder or a run, found other files.`, 'Choose another with --output <folder>.');
    makeFolder(folder);
    return true;
  } catch (error) {
    throw error instanceof SparringError ? error : fileError(error, 'use', folder);
  }
}

/** From then on the folder holds a run. */
export async function saveRunConfig(folder: string, config: Config): Promise<void> {
  await writeFileAtomic(join(folder, 'config.yaml'), stringify(config));
}

/** What a run was started with, as it was saved; undefined when the folder holds no run. */
export function readRunConfig(folder: string): unknown {
  return readSaved<unknown>(join(folder, 'config.yaml'), (text) => parse(text) ?? {}, { problem: 'expected the config of a run, found no YAML.', hint: 'The file is damaged; choose another folder.' });
}

/** Throws SparringError 'config' at the first key that makes a run another one than it was. */
export function checkSameRun(folder: string, saved: unknown, config: Config, keys?: readonly (keyof Config)[]): void {
  const found = firstDifference(saved, config, keys, keys ? [] : notDrawnOn(folder));
  if (found === undefined) return;
  const [path, old, now] = found;
  const text = (value: unknown): string => JSON.stringify(value) ?? 'nothing';
  throw new SparringError('config', `${folder}: the config differs from the one that this run was started with (${join(folder, 'config.yaml')}): ${path}: expected ${text(old)}, found ${text(now)}.`, 'Resume with the same config, or choose another folder.');
}

/** Path and values, before and now, of the first key that makes a run another one; undefined where none does. */
export function firstDifference(saved: unknown, config: Config, keys?: readonly (keyof Config)[], passedOver: readonly string[] = []): Difference | undefined {
  // A run of an older version lacks later keys, whose defaults are what it did.
  const before = (isDeepStrictEqual(saved, asSaved(config)) ? saved : resolved(saved)) as Record<string, unknown>;
  const after = asSaved(config);
  const counting: readonly string[] = keys ?? [...new Set([...Object.keys(after), ...Object.keys(before)])].filter((key) => !mayDiffer.includes(key) && !passedOver.includes(key));
  for (const key of counting) {
    const found = difference(before[key], after[key], key);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Networks that nothing in a run was made with yet: with the first row that draws on one, what the config says of it counts. */
function notDrawnOn(folder: string): ('generator' | 'discretiser')[] {
  const within = (path: string): string[] => (existsSync(join(folder, path)) ? readdirSync(join(folder, path)) : []);
  const rows = within('.').filter((name) => name.startsWith('seed-')).flatMap(within).filter((name): name is ContinuedMethod => name in recipes);
  const [trained, kinds] = [within('foundation'), within('dad')];
  const drawnOn = {
    generator: trained.includes('generator') || existsSync(join(folder, 'da-fusion')) || takesGenerator(rows) || kinds.includes('generator'),
    discretiser: trained.includes('discretiser') || takesDiscretiser(rows) || kinds.some((kind) => kind !== 'generator'),
  };
  return (['generator', 'discretiser'] as const).filter((role) => !drawnOn[role]);
}

/** As reading it back would give it. */
function asSaved(config: Config): Record<string, unknown> {
  return parse(stringify(config));
}

function resolved(saved: unknown): unknown {
  try {
    return asSaved(resolveConfig(saved));
  } catch {
    return saved; // of a version whose keys are not ours: told by the first of them
  }
}
