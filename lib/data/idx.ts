import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';

/**
 * The IDX format of MNIST and its relatives: two zero bytes, the element type (8 = unsigned byte), the number of
 * dimensions, each dimension as a big-endian 32-bit integer, then the elements, last dimension fastest.
 */
export interface IdxArray {
  shape: number[];
  /** The elements, row-major. */
  data: Uint8Array;
}

const unsignedByte = 8;
const elementTypes: Record<number, string> = { 9: 'int8', 11: 'int16', 12: 'int32', 13: 'float32', 14: 'float64' };
/** Far above any IDX file of images, far below what would exhaust memory: bounds what a damaged gzip unpacks to. */
const maximumBytes = 2 ** 31;

/**
 * Reads an IDX file of unsigned bytes, gzip-compressed (whatever its name) or plain.
 * @param dimensions the number of dimensions it must have
 * @throws SparringError 'data' when the header or the length is wrong, 'io' when the file cannot be read
 */
export async function readIdx(path: string, dimensions: number): Promise<IdxArray> {
  const raw = await readFile(path).catch((error) => {
    throw fileError(error, 'read', path);
  });
  const bytes = raw[0] === 0x1f && raw[1] === 0x8b ? await unpack(raw, path) : raw;
  const headerBytes = 4 + 4 * dimensions;
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    const found = bytes.length === 0 ? 'an empty file' : bytes.subarray(0, 4).toString('hex');
    throw damaged(path, `expected an IDX file starting with the bytes 0000 08 0${dimensions}, found ${found}`);
  }
  if (bytes[2] !== unsignedByte) {
    throw damaged(path, `expected elements of type uint8 (8), found ${elementTypes[bytes[2]!] ?? 'unknown'} (${bytes[2]})`);
  }
  if (bytes[3] !== dimensions) throw damaged(path, `expected ${dimensions} dimensions, found ${bytes[3]}`);
  if (bytes.length < headerBytes) throw damaged(path, `expected a header of ${headerBytes} bytes, found ${bytes.length} bytes in all`);
  const shape = Array.from({ length: dimensions }, (_, axis) => bytes.readUInt32BE(4 + 4 * axis));
  const count = shape.reduce((product, size) => product * size, 1);
  const found = bytes.length - headerBytes;
  if (found !== count) {
    throw damaged(path, `expected ${count} elements (${shape.join(' x ')}), found ${found}`);
  }
  if (count === 0) throw damaged(path, `expected at least one element, found the shape ${shape.join(' x ')}`);
  return { shape, data: bytes.subarray(headerBytes) };
}

/** Grey images, uint8 [length, size, size], and their labels, [length]. */
export interface GreyImages {
  size: number;
  pixels: Uint8Array;
  labels: Uint8Array;
}

/** Where MNIST files are found below a root: directly, and where torchvision keeps them. */
const folders = ['.', 'raw', join('MNIST', 'raw')];
const stems = { train: 'train', test: 't10k' };

/** Reads one half of MNIST, or of a set in the same files, such as Fashion-MNIST. */
export async function readMnist(root: string, half: 'train' | 'test'): Promise<GreyImages> {
  const images = await readFirst(root, `${stems[half]}-images`, 'idx3-ubyte', 3);
  const labels = await readFirst(root, `${stems[half]}-labels`, 'idx1-ubyte', 1);
  const [length, height, width] = images.shape as [number, number, number];
  if (height !== width) throw damaged(images.path, `expected square images, found ${height} x ${width}`);
  if (labels.shape[0] !== length) {
    throw damaged(labels.path, `expected ${length} labels, one per image of ${images.path}, found ${labels.shape[0]}`);
  }
  const stranger = labels.data.findIndex((label) => label > 9);
  if (stranger >= 0) throw damaged(labels.path, `expected labels 0 to 9, found ${labels.data[stranger]} at position ${stranger}`);
  return { size: height, pixels: images.data, labels: labels.data };
}

async function readFirst(root: string, stem: string, kind: string, dimensions: number): Promise<IdxArray & { path: string }> {
  const names = [`${stem}-${kind}`, `${stem}.${kind}`].flatMap((name) => [name, `${name}.gz`]);
  for (const path of folders.flatMap((folder) => names.map((name) => join(root, folder, name)))) {
    try {
      return { ...(await readIdx(path, dimensions)), path };
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  throw new SparringError(
    'data',
    `${root}: expected the MNIST file ${stem}-${kind} or ${stem}-${kind}.gz, found neither`,
    'Set data.root to the folder that holds the four MNIST files.',
  );
}

function isMissing(error: unknown): boolean {
  const cause = error instanceof SparringError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ENOENT' || cause?.code === 'ENOTDIR';
}

async function unpack(raw: Buffer, path: string): Promise<Buffer> {
  try {
    return await promisify(gunzip)(raw, { maxOutputLength: maximumBytes });
  } catch (error) {
    throw damaged(path, `expected a whole gzip file, found a damaged or truncated one (${(error as Error).message})`, error);
  }
}

function damaged(path: string, message: string, cause?: unknown): SparringError {
  return new SparringError('data', `${path}: ${message}`, 'Fetch the file again and compare its size with the source.', { cause });
}
