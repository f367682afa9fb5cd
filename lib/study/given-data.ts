/**
 * What the images of a study's datasets were when it began: their names, sizes, classes, attributes and splits. A run is known by its
 * config, which names a folder alone: without this, results on old images would pass for those on new ones. Times do not
 * count, so a copy of a folder is the same; nor do contents, which would have to be read: an image that changes keeps its size by chance only.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import type { Config } from '../config/schema.js';
import type { Study } from '../config/study.js';
import { inParallel } from '../data/decode.js';
import { readMnist } from '../data/idx.js';
import { listImages, type ListedConfig } from '../data/open.js';
import { splitNames, type ImageRecord } from '../data/records.js';
import { SparringError } from '../errors.js';
import { throwIfAborted } from '../native/engine.js';
import { fileError, readSavedJson, writeFileAtomic } from '../training/files.js';

/** Of one dataset. */
export interface DataFingerprint {
  /** What of `data` in a config decides which images there are. */
  data: Record<string, unknown>;
  /** Of each folder or archive, by its path below the root: number and bytes of its images, and a hash. */
  parts: Record<string, string>;
}

const fileName = 'data.json';

/** Of every dataset on disk, each once however many variants look at it. Throws what opening it would throw; 'aborted'. */
export async function dataFingerprintsOf({ cells }: Pick<Study, 'cells'>, signal?: AbortSignal): Promise<DataFingerprint[]> {
  const found: DataFingerprint[] = [];
  for (const { config: { data: given } } of cells) {
    if (given.kind === 'birds') continue; // nothing is read from disk
    const data = listed(given);
    if (!find(found, data)) found.push({ data, parts: given.kind === 'spuco-mnist' ? await mnistParts(given.root) : await partsOf(given, signal) });
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

/** Folder that relative paths start from. */
function rootOf({ root, file }: DataFingerprint['data']): string {
  return typeof root === 'string' ? root : dirname(file as string);
}

async function partsOf(data: ListedConfig, signal?: AbortSignal): Promise<DataFingerprint['parts']> {
  const { splits, classes, attributes } = await listImages(data);
  const records = splitNames.flatMap((split) => (splits[split] ?? []).map((record) => ({ split, record })));
  const bytes = new Float64Array(records.length);
  await inParallel(records.length, async (i) => {
    throwIfAborted(signal);
    bytes[i] = await bytesOf(records[i].record);
  });
  const parts = new Map<string, { images: number; bytes: number; hash: ReturnType<typeof createHash> }>();
  for (const [i, { split, record: { path, member, label, attribute, caption } }] of records.entries()) {
    const name = relative(rootOf(data), member ? path : dirname(path)) || '.';
    const part = parts.get(name) ?? { images: 0, bytes: 0, hash: createHash('sha256') };
    parts.set(name, part);
    part.images++;
    part.bytes += bytes[i];
    part.hash.update(`${JSON.stringify([split, member?.name ?? relative(dirname(path), path), classes[label], attributes[attribute], bytes[i], ...(caption === undefined ? [] : [caption])])}\n`);
  }
  return Object.fromEntries([...parts].map(([name, { images, bytes, hash }]) => [name, describe(images, bytes, hash.digest('hex'))]));
}

async function bytesOf({ path, member }: ImageRecord): Promise<number> {
  if (member) return member.bytes;
  const { size } = await stat(path).catch((error) => {
    throw fileError(error, 'read', path);
  });
  return size;
}

/** Whole contents: the four files are small, and those of other sets in this format have the same sizes. */
async function mnistParts(root: string): Promise<DataFingerprint['parts']> {
  const parts: DataFingerprint['parts'] = {};
  for (const half of ['train', 'test'] as const) {
    const { pixels, labels } = await readMnist(root, half);
    parts[half] = describe(labels.length, pixels.length, createHash('sha256').update(pixels).update(labels).digest('hex'));
  }
  return parts;
}

function describe(images: number, bytes: number, sha256: string): string {
  return `${images} ${images === 1 ? 'image' : 'images'}, ${bytes} bytes, ${sha256.slice(0, 12)}`;
}
