/** Small datasets in the layouts of the true ones, made in a temporary folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import * as assert from 'uvu/assert';

import { wordNetIds } from '../../lib/data/ood/wordnet-ids.js';
import type { SparringError } from '../../lib/errors.js';

export const webPage = '<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>';

/** A folder of one test file; `remove` deletes it. */
export class Scratch {
  readonly root = mkdtempSync(join(tmpdir(), 'sparring-data-'));
  #count = 0;

  folder(): string {
    const path = join(this.root, `tree${this.#count++}`);
    mkdirSync(path);
    return path;
  }

  remove(): void {
    rmSync(this.root, { recursive: true });
  }
}

export function text(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export interface Photo {
  width?: number;
  height?: number;
  /** Grey value, 0..255, by which a test knows the image again. */
  grey?: number;
}

export function photo({ width = 24, height = 18, grey = 128 }: Photo = {}): sharp.Sharp {
  return sharp({ create: { width, height, channels: 3, background: { r: grey, g: grey, b: grey } } });
}

/** Writes an image; the extension says in which format. */
export async function image(path: string, options?: Photo): Promise<string> {
  mkdirSync(dirname(path), { recursive: true });
  const pixels = photo(options);
  writeFileSync(path, await (/\.png$/.test(path) ? pixels.png() : pixels.jpeg({ quality: 95 })).toBuffer());
  return path;
}

/** The SparringError with which a promise fails. */
export async function failure(promise: Promise<unknown>, code = 'data'): Promise<SparringError> {
  const error: any = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error, 'expected a failure');
  assert.is(error.code, code, error.stack);
  assert.not.match(error.message, /\n/);
  return error;
}

/** Writes a PNG of one colour which says a class number, 0..65535; see labelSeen. */
export async function labelledImage(path: string, label: number, side = 224): Promise<string> {
  const pixels = sharp({ create: { width: side, height: side, channels: 3, background: { r: label >> 8, g: label & 255, b: 7 } } });
  return text(path, await pixels.png().toBuffer());
}

/** The class number that image `index` of a batch says, [B, size, size, 3]. */
export function labelSeen(images: Uint8Array, size: number, index: number): number {
  const pixel = index * size * size * 3;
  return 256 * images[pixel]! + images[pixel + 1]!;
}

/** A class of Spurious ImageNet: a grey for each of its images. */
export interface Feature {
  name: string;
  label: number;
  validation: number[];
  spurious: number[];
}

/**
 * Spurious ImageNet, and the classes of ImageNet's val that it needs, in its folder `split`. Squares with a black border of an
 * eighth of their side; images that are the same are copies of each other.
 */
export async function spuriousImageNet(scratch: Scratch, features: readonly Feature[], split = 'val'): Promise<{ root: string; imageNet: string }> {
  const [root, imageNet] = [scratch.folder(), scratch.folder()];
  const encoded = new Map<number, Buffer>();
  for (const { name, label, validation, spurious } of features) {
    for (const [folder, greys] of [[join(imageNet, split, wordNetIds[label]!), validation], [join(root, 'images', name), spurious]] as const) {
      mkdirSync(folder, { recursive: true });
      for (const [number, grey] of greys.entries()) {
        if (!encoded.has(grey)) encoded.set(grey, await photo({ width: 24, height: 24, grey }).extend({ top: 4, bottom: 4, left: 4, right: 4, background: 'black' }).jpeg({ quality: 95 }).toBuffer());
        writeFileSync(join(folder, `${number}_${grey}.jpg`), encoded.get(grey)!);
      }
    }
  }
  text(join(root, 'images/timestamp.txt'), '1');
  return { root, imageNet };
}
