import { open, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { extract, pack } from 'tar-stream';
import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';
import { parseStored, provenanceSchema, type Provenance, type SampleRecord } from './record.js';

/**
 * A shard: a tar in WebDataset layout, `000000.png` and `000000.json` side by side. It is written once, whole, and
 * never changed.
 */

const block = 512;

/** Packs images and what is known of them. Equal input gives equal bytes. */
export async function packShard(shard: string, images: { png: Buffer; provenance: Provenance }[]): Promise<{ data: Buffer; entries: SampleRecord[] }> {
  const archive = pack();
  const chunks: Buffer[] = [];
  const collected = (async () => {
    for await (const chunk of archive) chunks.push(chunk as Buffer);
  })();
  const places = new OffsetCounter();
  const entries = images.map(({ png, provenance }, number) => {
    const name = String(number).padStart(6, '0');
    const json = Buffer.from(JSON.stringify(provenanceSchema.parse(provenance)));
    const header = { mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 };
    archive.entry({ ...header, name: `${name}.png` }, png);
    archive.entry({ ...header, name: `${name}.json` }, json);
    const offset = places.next(png.length);
    places.next(json.length);
    return { ...provenance, key: keyOf(shard, name), shard, shardLength: images.length, offset, bytes: png.length };
  });
  archive.finalize();
  await collected;
  return { data: Buffer.concat(chunks), entries };
}

/** Reads the entries of a shard back from the shard itself. */
export async function readShardEntries(path: string, shard: string): Promise<SampleRecord[]> {
  const fail = (reason: string): never => {
    throw new SparringError('data', `${path}: expected a shard of numbered .png and .json pairs, ${reason}`, 'Remove this file, or restore it from a copy.');
  };
  const data = await readFile(path).catch((error) => {
    throw fileError(error, 'read', path);
  });
  const places = new OffsetCounter();
  const found: Omit<SampleRecord, 'shardLength'>[] = [];
  let png: { name: string; offset: number; bytes: number } | undefined;
  const archive = extract();
  Readable.from([data]).pipe(archive);
  try {
    for await (const entry of archive) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      const content = Buffer.concat(chunks);
      const [name, kind] = entry.header.name.split('.') as [string, string];
      const offset = places.next(content.length);
      if (kind === 'png') png = { name, offset, bytes: content.length };
      else if (kind === 'json' && png?.name === name) {
        const provenance = parseStored(provenanceSchema, content.toString(), `${path}: ${entry.header.name}`, 'Remove this shard, or restore it from a copy.');
        found.push({ ...provenance, key: keyOf(shard, name), shard, offset: png.offset, bytes: png.bytes });
        png = undefined;
      } else fail(`found ${entry.header.name} out of place`);
    }
  } catch (error) {
    if (error instanceof SparringError) throw error;
    fail(`found a damaged tar (${(error as Error).message})`);
  }
  if (found.length === 0 || png) fail('found it cut short');
  return found.map((entry) => ({ ...entry, shardLength: found.length }));
}

/** The PNG at the given place of a shard; cut short where the shard is. */
export async function readShardImage(path: string, { offset, bytes }: { offset: number; bytes: number }): Promise<Buffer> {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, 'read', path);
  }
}

function keyOf(shard: string, name: string): string {
  return `${shard.replace(/\.tar$/, '')}/${name}`;
}

/** Where the contents of a tar lie: each after a header of one block, padded to whole blocks. */
class OffsetCounter {
  #position = 0;

  next(bytes: number): number {
    const offset = this.#position + block;
    this.#position = offset + Math.ceil(bytes / block) * block;
    return offset;
  }
}
