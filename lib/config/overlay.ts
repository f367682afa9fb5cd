/** A config laid over another: what the upper one names wins, all else stays. */
import type { Tree } from './load.js';

/** Keys that say of what kind a section is; with another kind nothing of the lower section is left. */
const kindKeys = ['kind', 'family'];

/** `upper` over `lower`, section by section; lists and values are replaced as a whole. Neither is changed. */
export function overlay(lower: Tree, upper: Tree): Tree {
  const result = structuredClone(lower);
  for (const [key, value] of Object.entries(upper)) {
    const below = result[key];
    result[key] = isSection(below) && isSection(value) && sameKind(below, value) ? overlay(below, value) : structuredClone(value);
  }
  return result;
}

function sameKind(lower: Tree, upper: Tree): boolean {
  return kindKeys.every((key) => upper[key] === undefined || upper[key] === lower[key]);
}

function isSection(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
