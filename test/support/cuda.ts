import { SparringError } from '../../lib/errors.js';
import { Engine } from '../../lib/native/engine.js';

/** Both engines; the libraries of CUDA must be opened first. */
export async function openBoth(): Promise<{ gpu: Engine; cpu: Engine } | undefined> {
  try {
    return { gpu: await Engine.open({ device: 'cuda', threads: 1, precision: 'fp32' }), cpu: await Engine.open({ device: 'cpu', threads: 1, precision: 'fp32' }) };
  } catch (error) {
    if (!(error instanceof SparringError) || error.code !== 'environment') throw error;
    console.log('skipped: what runs on a GPU (none was found)');
    return undefined;
  }
}
