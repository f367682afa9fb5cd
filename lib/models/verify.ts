/** Whether weights are whole: layout, numbers, and that they fit a network. */
import { statSync } from 'node:fs';

import { SparringError } from '../errors.js';
import { sha256OfFile } from '../libtorch/download.js';
import type { Cancellable, Engine } from '../native/engine.js';
import { kindOf } from './inspect.js';
import { openModel, type Description } from './open.js';

export interface Verification {
  files: { path: string; bytes: number; sha256: string }[];
  tensors: number;
  /** What the weights fit; null when nothing says what they are of. */
  fits: 'classifier' | 'generator' | 'autoencoder' | null;
}

/** Reads all of it. Throws SparringError 'weights' at the first thing that is wrong. */
export async function verifyModel(engine: Engine, path: string, given: Description = {}, cancellable: Cancellable = {}): Promise<Verification> {
  const info = await engine.run((core) => core.inspectWeights(path));
  const problem = finiteProblem(await engine.run((core, control) => core.nonFiniteWeights(path, control), cancellable));
  if (problem) throw new SparringError('weights', `${path}: ${problem}.`, 'The training that made the file diverged, or the file is damaged: get it again.');
  using model = await openModel(engine, path, given);
  const files = [];
  for (const file of info.files) files.push({ path: file, bytes: statSync(file).size, sha256: await sha256OfFile(file) });
  return { files, tensors: info.tensors.length, fits: model && kindOf(model) };
}

/** `3 elements of conv1.weight are NaN or infinite`; undefined when there are none. */
export function finiteProblem(found: readonly { name: string; count: number }[]): string | undefined {
  if (found.length === 0) return undefined;
  const named = found.slice(0, 3).map(({ name, count }) => `${count} of ${name}`);
  return `elements are NaN or infinite: ${named.join(', ')}${found.length > 3 ? ` and of ${found.length - 3} more tensors` : ''}`;
}
