/**
 * What the images of a study's datasets were when it began. A run is known by its config, which names a folder alone: without
 * this, results on old images would pass for those on new ones.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import type { Config } from '../config/schema.js';
import type { Study } from '../config/study.js';
import { fingerprintImages, rootOf, type ImageFingerprints } from '../data/fingerprint.js';
import { SparringError } from '../errors.js';
import { readSavedJson, writeFileAtomic } from '../training/files.js';

/** Of one dataset. */
export interface DataFingerprint {
  /** What of `data` in a config decides which images there are. */
  data: Record<string, unknown>;
  parts: ImageFingerprints;
}

const fileName = 'data.json';

/** Of every dataset on disk, each once however many variants look at it. Throws what opening it would throw; 'aborted'. */
export async function dataFingerprintsOf({ cells }: Pick<Study, 'cells'>, signal?: AbortSignal): Promise<DataFingerprint[]> {
  const found: DataFingerprint[] = [];
  for (const { config: { data: given } } of cells) {
    if (given.kind === 'birds') continue; // nothing is read from disk
    const data = listed(given);
    if (!find(found, data)) found.push({ data, parts: await fingerprintImages(given, signal) });
  }
  return found;
}

/** Throws SparringError 'data' with the first folder that is not what it was when the study began. */
export function checkDataFingerprints({ output }: Pick<Study, 'output'>, found: readonly DataFingerprint[]): void {
  const saved = savedFingerprints(output);
  for (const { data, parts } of found) {
    const before = find(saved, data)?.parts;
    if (!before) continue;
    const changed = [...new Set([...Object.keys(before), ...Object.keys(parts)])].filter((name) => before[name] !== parts[name]);
    if (changed.length === 0) continue;
    const [name] = changed as [string];
    const more = changed.length > 1 ? `; ${changed.length - 1} more ${changed.length === 2 ? 'differs' : 'differ'}` : '';
    throw new SparringError('data', `${join(rootOf(data), name)}: expected the images that the runs in ${output} were begun with (${before[name] ?? 'none'}), found others (${parts[name] ?? 'none'})${more}.`, 'Put the old images back, or choose another folder with --output <folder>.');
  }
}

/** Keeps them for the next time, beside those of earlier times. */
export async function saveDataFingerprints({ output }: Pick<Study, 'output'>, found: readonly DataFingerprint[]): Promise<void> {
  const others = savedFingerprints(output).filter(({ data }) => !find(found, data));
  await writeFileAtomic(join(output, fileName), `${JSON.stringify([...others, ...found], null, 2)}\n`);
}

function savedFingerprints(output: string): DataFingerprint[] {
  return readSavedJson<DataFingerprint[]>(join(output, fileName), 'The file is damaged; delete it if the images are what they were.') ?? [];
}

function find(fingerprints: readonly DataFingerprint[], data: DataFingerprint['data']): DataFingerprint | undefined {
  return fingerprints.find((one) => isDeepStrictEqual(one.data, data));
}

function listed(data: Exclude<Config['data'], { kind: 'birds' }>): DataFingerprint['data'] {
  if (data.kind === 'spuco-mnist') return { kind: data.kind, root: data.root };
  const { imageSize: _size, transform: _transform, dropGroups: _groups, cacheBytes: _bytes, ...listed } = data;
  return JSON.parse(JSON.stringify(listed)) as DataFingerprint['data']; // as it is saved
}
