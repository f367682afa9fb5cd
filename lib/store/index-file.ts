import { open, readFile } from 'node:fs/promises';
import { fileError, writeFileAtomic } from '../training/files.js';
import { parseStored, recordSchema, type SampleRecord } from './record.js';

/** index.jsonl of a sample store: one line per sample, written by several processes, each line block in one call. */

export interface Index {
  /** Distinct records by shard, in file order. */
  shards: Map<string, SampleRecord[]>;
  /** Whether the file ends within a line, as a kill while writing may leave it. */
  torn: boolean;
}

/**
 * Reads the index; a missing file is an empty one, and a last line without an end is passed over.
 * @throws SparringError 'data' naming the first line that is damaged
 */
export async function readIndex(path: string): Promise<Index> {
  const text = await readFile(path, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw fileError(error, 'read', path);
    return '';
  });
  const lines = text.split('\n');
  const torn = lines.pop() !== '';
  const shards = new Map<string, SampleRecord[]>();
  const known = new Set<string>();
  lines.forEach((line, number) => {
    const record = parseStored(recordSchema, line, `${path}:${number + 1}`, 'Delete index.jsonl: it is rebuilt from the shards without loss.');
    if (known.has(record.key)) return;
    known.add(record.key);
    const shard = shards.get(record.shard);
    if (shard) shard.push(record);
    else shards.set(record.shard, [record]);
  });
  return { shards, torn };
}

/** Adds lines at the end, in one write, so that lines of several processes do not mix. */
export async function appendIndex(path: string, records: readonly SampleRecord[]): Promise<void> {
  try {
    const file = await open(path, 'a');
    try {
      const data = Buffer.from(format(records));
      const { bytesWritten } = await file.write(data);
      if (bytesWritten < data.length) throw Object.assign(new Error('short write'), { code: 'ENOSPC' });
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, 'append to', path);
  }
}

/** Replaces the whole index. */
export async function writeIndex(path: string, records: readonly SampleRecord[]): Promise<void> {
  await writeFileAtomic(path, format(records));
}

/** Parsing puts the keys into the schema's order: equal records are equal lines, whether written at first or rebuilt. */
function format(records: readonly SampleRecord[]): string {
  return records.map((record) => `${JSON.stringify(recordSchema.parse(record))}\n`).join('');
}
