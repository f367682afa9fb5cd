/** Weights of another project, or of another precision, as a file of ours that says what it is. */
import { randomBytes } from 'node:crypto';
import { rm, rename } from 'node:fs/promises';

import { SparringError } from '../errors.js';
import type { StorageType } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { fileError } from '../training/files.js';
import { openModel, type Description } from './open.js';
import { finiteProblem } from './verify.js';

/** Reads `source` (file, shards or model folder) and writes `target` with our key names and description, whole or not at all. */
export async function convertModel(engine: Engine, source: string, target: string, { storage, ...given }: Description & { storage: StorageType }): Promise<void> {
  if (!target.endsWith('.safetensors')) throw new SparringError('usage', `${target}: expected a name that ends in .safetensors.`, 'What is written is one safetensors file.');
  using model = await openModel(engine, source, given);
  if (!model) throw new SparringError('usage', `${source}: nothing says what network these weights are of.`, 'Give --architecture; see `sparring models list`.');
  const temporary = `${target.slice(0, -'.safetensors'.length)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp.safetensors`;
  try {
    const { metadata } = await engine.run((core) => core.inspectWeights(source));
    const notes = Object.entries(metadata).filter(([key]) => key !== 'format' && !key.startsWith('sparring.'));
    await model.save(temporary, storage, { format: 'pt', ...Object.fromEntries(notes) });
    const problem = finiteProblem(await engine.run((core) => core.nonFiniteWeights(temporary)));
    if (problem) throw new SparringError('weights', `${source}: as ${storage} ${problem}.`, storage === 'fp16' ? 'fp16 ends at 65504: take bf16 or fp32.' : 'The weights themselves are damaged; see `sparring models verify`.');
    await rename(temporary, target).catch((error) => {
      throw fileError(error, 'write', target);
    });
  } finally {
    await rm(temporary, { force: true });
  }
}
