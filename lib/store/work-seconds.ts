/** Wall time that went into a store: a file `seconds-<writer>.json` for each process that writes to it, so that none waits for another. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import { fileError, readSaved, writeFileAtomic } from '../training/files.js';

const schema = z.object({ seconds: z.number().min(0) });

/** Counts from now on, beside what earlier sessions of the writer took: call what it returns whenever work has been stored. */
export function timeWork(folder: string, writer: string): () => Promise<void> {
  const path = join(folder, `seconds-${writer}.json`);
  const before = readSeconds(path) ?? 0;
  const startedAt = performance.now();
  return () => writeFileAtomic(path, `${JSON.stringify({ seconds: before + (performance.now() - startedAt) / 1000 })}\n`);
}

/** The sum over all processes; undefined where none has counted. */
export async function secondsOfWork(folder: string): Promise<number | undefined> {
  const names = await readdir(folder).catch((error) => {
    throw fileError(error, 'read', folder);
  });
  const found = names.filter((name) => /^seconds-[a-z0-9]+\.json$/.test(name)).map((name) => readSeconds(join(folder, name)) ?? 0);
  return found.length === 0 ? undefined : found.reduce((sum, seconds) => sum + seconds);
}

function readSeconds(path: string): number | undefined {
  return readSaved(path, (text) => schema.parse(JSON.parse(text)).seconds, { problem: 'expected {"seconds": a number}, found something else.', hint: 'The file is damaged; write {"seconds": 0} to leave that time out.' });
}
