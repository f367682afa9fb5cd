import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { SparringError } from '../errors.js';
import { fileError, makeFolder, readSaved, writeFileAtomic } from '../training/files.js';

/** Runs a named piece of work, or gives its result where that is known. */
export type Remember = <Value>(name: string, work: () => Promise<Value>) => Promise<Value>;

export const forget: Remember = (_, work) => work();

/**
 * Keeps results in a JSON file after each piece of work, so that an interrupted command goes on where it stopped.
 * @param key all that the results depend on; a file that was written under another key is refused
 * @throws SparringError 'usage' for that, 'data' for a file that is something else, 'io'
 */
export function rememberIn(path: string, key: Record<string, unknown>): Remember {
  const own: unknown = JSON.parse(JSON.stringify(key));
  const parts = readParts(path, own);
  return async <Value>(name: string, work: () => Promise<Value>): Promise<Value> => {
    if (parts[name] === undefined) {
      parts[name] = await work();
      await writeFileAtomic(path, `${JSON.stringify({ key: own, parts }, null, 1)}\n`);
    }
    return parts[name] as Value;
  };
}

function readParts(path: string, key: unknown): Record<string, unknown> {
  const saved = readSaved(path, (text) => JSON.parse(text) as { key?: unknown; parts?: unknown } | null, { problem: 'expected results of an evaluation, found no JSON.', hint: 'Choose another file.' });
  if (saved === undefined) {
    try {
      makeFolder(dirname(path));
    } catch (error) {
      throw fileError(error, 'read', path);
    }
    return {};
  }
  if (typeof saved?.parts !== 'object' || saved.parts === null) throw new SparringError('data', `${path}: expected results of an evaluation, found other JSON.`, 'Choose another file.');
  if (!isDeepStrictEqual(saved.key, key)) throw new SparringError('usage', `${path}: expected results of these weights and sets, found those of others.`, 'Choose another file, or remove this one.');
  return saved.parts as Record<string, unknown>;
}
