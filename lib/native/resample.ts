/** Resampling in the thin addon, which is there without LibTorch too. */
import { SparringError } from '../errors.js';
import { findAddon, type Loader } from './load.js';

/** Of `length` pixels, `from` that begin at `start` are resized to `to`, of which `count` are wanted, from `first` on. */
export interface ResampledAxis {
  length: number;
  start: number;
  from: number;
  to: number;
  first: number;
  count: number;
}

export interface Resampling {
  down: ResampledAxis;
  across: ResampledAxis;
  /** Widened along an axis that becomes shorter. */
  kernel: 'bilinear' | 'bicubic' | 'lanczos';
}

let loader: Loader | undefined;

/**
 * Crops, resizes and crops to the bit as Pillow does, beside the event loop.
 * @param pixels uint8, [down.length, across.length, 3]; empty afterwards where they have their memory for themselves
 * @returns uint8, [down.count, across.count, 3]
 * @throws SparringError 'environment' where the addon is missing or of an older build
 */
export function resample(pixels: Uint8Array, resampling: Resampling): Promise<Uint8Array> {
  loader ??= findAddon().loader;
  if (!loader.resample) throw new SparringError('environment', 'The native addon is of an older build: it cannot resample images.', 'Build it again with `npm run build`.');
  return loader.resample(pixels, resampling);
}
