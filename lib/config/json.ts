import { readFile } from 'node:fs/promises';
import { z } from 'zod';

import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';

/**
 * Reads a JSON file of a model folder. Throws SparringError 'io' when it cannot be read; 'weights', which names file, key,
 * expected and found, when it is not JSON or not what `schema` says; `hint` is then what to do.
 */
export async function readJson<Schema extends z.ZodType>(path: string, schema: Schema, hint: string): Promise<z.output<Schema>> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, 'read', path);
  });
  const tree = parse(path, text);
  const result = schema.safeParse(tree);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const found = issue!.path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], tree);
  throw new SparringError('weights', `${path}: ${issue!.path.join('.') || 'file'}: ${issue!.message}, found ${JSON.stringify(found)?.slice(0, 200)}.`, hint);
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    try {
      return JSON.parse(text.replace(/:\s*-?Infinity\b/g, ': null')); // Python writes infinity, which JSON has not
    } catch {
      throw new SparringError('weights', `${path}: not valid JSON: ${(error as Error).message}`, 'Copy the model folder again.', { cause: error });
    }
  }
}
