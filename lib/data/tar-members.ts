import { open, type FileHandle } from 'node:fs/promises';

import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';
import { isWebPage, webPageError } from './source.js';

/** A regular file within a tar, in the order of the archive. */
export interface TarMember {
  name: string;
  /** Place of its content. */
  offset: number;
  bytes: number;
  /** Reads the content; valid until the next member is asked for. */
  content(): Promise<Buffer>;
}

const block = 512;

/**
 * The regular files of an uncompressed tar (ustar, GNU or pax). Contents are passed over, so a shard of any size costs
 * one small read per member.
 * @throws SparringError 'data' for a damaged, compressed or truncated archive
 */
export async function* tarMembers(path: string): AsyncGenerator<TarMember> {
  const handle = await open(path, 'r').catch((error) => {
    throw fileError(error, 'read', path);
  });
  try {
    const file = new WindowedFile(handle, (await handle.stat()).size);
    let longName: string | undefined;
    let longSize: number | undefined;
    for (let position = 0; ; ) {
      // Without this a shard cut off between two members would pass for one with fewer of them.
      if (position >= file.size) throw damaged(path, file.size === 0 ? 'found an empty file' : `found its end at byte ${file.size}, without the empty block that closes an archive`);
      const header = await file.read(position, block);
      if (header.length === block && header.every((byte) => byte === 0)) return; // the end is two empty blocks; some writers leave one
      checkHeader(header, position, path);
      const kind = String.fromCharCode(header[156]!);
      const bytes = (kind === 'x' || kind === 'L' ? undefined : longSize) ?? size(header);
      const offset = position + block;
      if (offset + bytes > file.size) throw damaged(path, `found ${text(header, 0, 100)} cut short`);
      if (kind === 'x') ({ name: longName = longName, size: longSize } = paxValues(await file.read(offset, bytes)));
      else if (kind === 'L') longName = text(await file.read(offset, bytes), 0, bytes);
      else {
        const prefix = text(header, 257, 5) === 'ustar' && header[262] === 0 ? text(header, 345, 155) : '';
        const name = longName ?? (prefix ? `${prefix}/` : '') + text(header, 0, 100);
        longName = longSize = undefined;
        if (kind === '0' || kind === '\0') yield { name, offset, bytes, content: () => file.read(offset, bytes) };
      }
      position = offset + Math.ceil(bytes / block) * block;
    }
  } catch (error) {
    throw error instanceof SparringError ? error : fileError(error, 'read', path);
  } finally {
    await handle.close();
  }
}

/** Reads ahead a little: headers and small members lie side by side. */
class WindowedFile {
  static readonly windowBytes = 8192;
  #start = 0;
  #window = Buffer.alloc(0);

  constructor(
    private readonly handle: FileHandle,
    readonly size: number,
  ) {}

  async read(position: number, bytes: number): Promise<Buffer> {
    if (position < this.#start || position + bytes > this.#start + this.#window.length) {
      const { buffer, bytesRead } = await this.handle.read(Buffer.alloc(Math.max(bytes, WindowedFile.windowBytes)), 0, undefined, position);
      this.#start = position;
      this.#window = buffer.subarray(0, bytesRead);
    }
    return this.#window.subarray(position - this.#start, position - this.#start + bytes);
  }
}

function checkHeader(header: Buffer, position: number, path: string): void {
  if (position === 0 && isWebPage(header)) throw webPageError(path, 'a tar');
  if (position === 0 && header[0] === 0x1f && header[1] === 0x8b) {
    throw new SparringError('data', `${path}: expected an uncompressed tar, found one compressed with gzip`, 'Images in a compressed archive cannot be read one by one. Unpack it with gunzip.');
  }
  if (header.length < block) throw damaged(path, `found it cut short at byte ${position}`);
  // The checksum is the sum of all bytes, with its own field as spaces.
  let sum = 8 * 32;
  for (let byte = 0; byte < block; byte++) if (byte < 148 || byte >= 156) sum += header[byte]!;
  if (sum !== parseInt(text(header, 148, 8), 8)) throw damaged(path, `found no header at byte ${position}`);
}

function damaged(path: string, found: string): SparringError {
  return new SparringError('data', `${path}: expected a whole tar, ${found}`, 'Get the shard again.');
}

/** Octal digits, or base 256 for very large members. */
function size(header: Buffer): number {
  if (header[124]! & 0x80) return Number(header.readBigUInt64BE(128));
  return parseInt(text(header, 124, 12), 8) || 0;
}

function text(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8').trimEnd();
}

/** Records `<length> <key>=<value>\n`; the length counts bytes. */
function paxValues(content: Buffer): { name?: string; size?: number } {
  const result: { name?: string; size?: number } = {};
  for (let start = 0; start < content.length; ) {
    const space = content.indexOf(32, start);
    const length = Number(content.subarray(start, space));
    if (!(length > 0)) break;
    const [key, value] = content.subarray(space + 1, start + length - 1).toString('utf8').split(/=(.*)/s) as [string, string];
    if (key === 'path') result.name = value;
    if (key === 'size') result.size = Number(value);
    start += length;
  }
  return result;
}
