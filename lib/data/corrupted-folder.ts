/** Corrupted images as files, in the layout of ImageNet-C: <kind>/<severity>/<class>/<image>.png. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';

import { SparringError } from '../errors.js';
import type { Corruption, CorruptionSeverity } from '../native/contract.js';
import { throwIfAborted, type Cancellable, type Engine } from '../native/engine.js';
import { makeFolder, writeFileAtomic } from '../training/files.js';
import { corrupted } from './corruptions.js';
import { inParallel } from './decode.js';
import { imageBytes } from './memory.js';
import type { Dataset } from './types.js';

export interface CorruptedFolderOptions extends Cancellable {
  kinds: readonly Corruption[];
  severities: readonly CorruptionSeverity[];
  seed: number;
}

export interface CorruptedFolder {
  folder: string;
  /** Files that were made now; the others were there. */
  written: number;
  images: number;
}

const batchSize = 64;

/**
 * Writes the images of a dataset under every kind and severity. Files that are there stay, so that the same call goes on
 * after an interruption; an image is named by its place in the dataset.
 * @throws SparringError 'usage' for a folder that belongs to other data or another seed, 'data', 'io'
 */
export async function writeCorrupted(engine: Engine, dataset: Dataset, folder: string, { kinds, severities, seed, signal, onProgress }: CorruptedFolderOptions): Promise<CorruptedFolder> {
  const unfit = dataset.classes.find((name) => /[/\\]/.test(name) || /^\.{0,2}$/.test(name));
  if (unfit !== undefined) throw new SparringError('data', `${dataset.name}: expected class names that can be names of folders, found ${JSON.stringify(unfit)}.`);
  const digits = String(Math.max(dataset.length - 1, 0)).length;
  const total = kinds.length * severities.length * dataset.length;
  let done = 0, written = 0;
  for (const kind of kinds) {
    for (const severity of severities) {
      const view = corrupted(engine, dataset, { kind, severity, seed });
      const pathOf = (index: number): string => join(folder, kind, String(severity), dataset.classes[dataset.labels[index]!]!, `${String(index).padStart(digits, '0')}.png`);
      for (let begin = 0; begin < dataset.length; begin += batchSize) {
        throwIfAborted(signal);
        const batch = Array.from({ length: Math.min(batchSize, dataset.length - begin) }, (_, i) => begin + i);
        const missing = batch.filter((index) => !existsSync(pathOf(index)));
        const pixels = await view.read(missing);
        await claim(folder, dataset, seed); // after the first images: what cannot be corrupted leaves no folder behind
        await inParallel(missing.length, async (slot) => {
          const path = pathOf(missing[slot]!);
          makeFolder(dirname(path));
          await writeFileAtomic(path, await png(dataset, pixels, slot));
        });
        written += missing.length;
        onProgress?.((done += batch.length), total);
      }
    }
  }
  return { folder, written, images: total };
}

/** Says in the folder whose images it has, or checks it. */
async function claim(folder: string, { name, length, imageSize, classes }: Dataset, seed: number): Promise<void> {
  const path = join(folder, 'corruptions.json');
  const expected = `${JSON.stringify({ dataset: name, images: length, imageSize, classes, seed })}\n`;
  if (existsSync(path)) {
    if ((await readFile(path, 'utf8')) !== expected) {
      throw new SparringError('usage', `${folder}: expected images of ${name} with seed ${seed}, found a corruptions.json of other data or another seed.`, 'Choose another folder with --output.');
    }
    return;
  }
  makeFolder(folder);
  await writeFileAtomic(path, expected);
}

function png(dataset: Dataset, pixels: Uint8Array, slot: number): Promise<Buffer> {
  const bytes = imageBytes(dataset);
  return sharp(pixels.subarray(slot * bytes, (slot + 1) * bytes), { raw: { width: dataset.imageSize, height: dataset.imageSize, channels: 3 } }).png().toBuffer();
}
