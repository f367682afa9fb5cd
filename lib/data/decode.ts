import { availableParallelism } from 'node:os';

import { SparringError } from '../errors.js';
import { isWebPage, webPageError } from './source.js';
import { decodeSquare, transforms, type Transform } from './transform.js';

/**
 * Decodes one JPEG, PNG or WebP to a square as the networks see it. The work is done outside the event loop.
 * @param name what an error calls it
 * @param transform default: the largest square at the centre
 * @returns uint8, [imageSize, imageSize, 3]
 * @throws SparringError 'data' for a damaged or truncated image, 'environment' where the addon is missing
 */
export async function decodeImage(encoded: Uint8Array, imageSize: number, name: string, transform: Transform = transforms.cover): Promise<Uint8Array> {
  try {
    return await decodeSquare(encoded, imageSize, transform);
  } catch (error) {
    if (error instanceof SparringError) throw error;
    if (isWebPage(encoded)) throw webPageError(name, 'a JPEG, PNG or WebP image');
    const reason = (error as Error).message.trim().replaceAll(/\s*\n\s*/g, '; ');
    throw new SparringError(
      'data',
      `${name}: expected a whole JPEG, PNG or WebP image, found one that cannot be decoded (${reason})`,
      'Replace or remove it. `sparring data check --config <file>` lists every such image of a dataset.',
      { cause: error },
    );
  }
}

/**
 * Runs `work` for 0..count-1, a few at a time; the first failure is thrown once those under way have ended.
 * Twice as many as there are cores: what has just been read waits for the event loop while others are decoded.
 */
export async function inParallel(count: number, work: (item: number) => Promise<void>): Promise<void> {
  let next = 0;
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    while (next < count && failures.length === 0) await work(next++).catch((error) => failures.push(error));
  };
  await Promise.all(Array.from({ length: Math.min(count, 2 * availableParallelism()) }, worker));
  if (failures.length > 0) throw failures[0];
}

/**
 * Decoded images up to a number of bytes. Those that came first stay: an epoch visits every image once, so replacing
 * older entries would only throw away what the next epoch needs.
 */
export class ImageCache<Key> {
  readonly #images = new Map<Key, Uint8Array>();
  #bytes = 0;

  constructor(readonly maximumBytes: number) {}

  async get(key: Key, decode: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const known = this.#images.get(key);
    if (known) return known;
    const image = await decode();
    if (!this.#images.has(key) && this.#bytes + image.length <= this.maximumBytes) {
      this.#images.set(key, image);
      this.#bytes += image.length;
    }
    return image;
  }
}
