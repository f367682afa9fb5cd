/**
 * What tells the images of a dataset from others without opening any: names, sizes, classes, attributes, captions and splits. Times do not
 * count, so a copy of a folder is the same; nor do contents, which would have to be read: an image that changes keeps its size by chance only.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';

import type { Config } from '../config/schema.js';
import { throwIfAborted } from '../native/engine.js';
import { fileError } from '../training/files.js';
import { inParallel } from './decode.js';
import { readMnist } from './idx.js';
import { listImages, type ListedConfig } from './open.js';
import { splitNames, type ImageRecord } from './records.js';

/** Of each folder or archive, by its path below the root: number and bytes of its images, and a hash. */
export type ImageFingerprints = Record<string, string>;

/** Of a dataset on disk; nothing of one that is drawn. Throws what opening it would throw; 'aborted'. */
export async function fingerprintImages(data: Config['data'], signal?: AbortSignal): Promise<ImageFingerprints> {
  if (data.kind === 'birds') return {};
  return data.kind === 'spuco-mnist' ? mnistParts(data.root) : partsOf(data, signal);
}

/** The folder that paths of images are meant from. */
export function rootOf({ root, file }: { root?: unknown; file?: unknown }): string {
  return typeof root === 'string' ? root : dirname(file as string);
}

async function partsOf(data: ListedConfig, signal?: AbortSignal): Promise<ImageFingerprints> {
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
async function mnistParts(root: string): Promise<ImageFingerprints> {
  const parts: ImageFingerprints = {};
  for (const half of ['train', 'test'] as const) {
    const { pixels, labels } = await readMnist(root, half);
    parts[half] = describe(labels.length, pixels.length, createHash('sha256').update(pixels).update(labels).digest('hex'));
  }
  return parts;
}

function describe(images: number, bytes: number, sha256: string): string {
  return `${images} ${images === 1 ? 'image' : 'images'}, ${bytes} bytes, ${sha256.slice(0, 12)}`;
}
