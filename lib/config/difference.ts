/** Where two trees of settings differ. */
import { isDeepStrictEqual } from 'node:util';

export type Difference = [path: string, before: unknown, after: unknown];

/** Path and values of the first place; undefined where there is none. */
export function difference(before: unknown, after: unknown, path: string): Difference | undefined {
  if (isDeepStrictEqual(before, after)) return undefined;
  const isSection = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isSection(before) || !isSection(after)) return [path, before, after];
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const found = difference(before[key], after[key], path ? `${path}.${key}` : key);
    if (found) return found;
  }
  return undefined;
}
