import { readFile } from 'node:fs/promises';
import { z } from 'zod';

import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';

/** Reads a JSON file of a model folder. Throws SparringError 'io' or 'weights', which names file, key, expected and found. */
export async function readJson<Schema extends z.ZodType>(path: string, schema: Schema): Promise<z.output<Schema>> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, 'read', path);
  });
  let tree: unknown;
  try {
    tree = JSON.parse(text);
  } catch (error) {
    throw new SparringError('weights', `${path}: not valid JSON: ${(error as Error).message}`, 'Copy the model folder again.', { cause: error });
  }
  const result = schema.safeParse(tree);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const found = issue!.path.reduce<unknown>((node, key) => (node as Record<PropertyKey, unknown> | undefined)?.[key], tree);
  throw new SparringError('weights', `${path}: ${issue!.path.join('.') || 'file'}: ${issue!.message}, found ${JSON.stringify(found)?.slice(0, 200)}.`, 'Only CLIP models with a vision transformer as image tower are read.');
}
