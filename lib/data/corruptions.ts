/** Common corruptions of images (Hendrycks & Dietterich 2019, arXiv 1903.12261) in five severities; docs/corruptions.md. */
import type { Cancellable, Engine } from '../native/engine.js';
import type { Corruption, CorruptionSeverity } from '../native/contract.js';
import { stream } from './random.js';
import type { Dataset } from './types.js';

/** The fifteen that a benchmark averages over, by the names of ImageNet-C's folders. */
export const commonCorruptions = [
  'gaussian_noise', 'shot_noise', 'impulse_noise', 'defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur', 'snow', 'frost', 'fog',
  'brightness', 'contrast', 'elastic_transform', 'pixelate', 'jpeg_compression',
] as const satisfies readonly Corruption[];

/** Side in pixels of the smallest images that can be corrupted. */
export const smallestSide = 32;

/** Four more, to choose settings by. */
export const heldOutCorruptions = ['speckle_noise', 'gaussian_blur', 'spatter', 'saturate'] as const satisfies readonly Corruption[];

export const severities = [1, 2, 3, 4, 5] as const satisfies readonly CorruptionSeverity[];

export interface CorruptOptions {
  kind: Corruption;
  severity: CorruptionSeverity;
  /** Side of the images in pixels, at least 32. */
  size: number;
  /** One for each image, 0..2^53-1; what becomes of an image depends on its own alone. */
  seeds: ArrayLike<number>;
}

/**
 * Corrupted copies of images, on the CPU, in parallel.
 * @param images uint8, [B, size, size, 3]
 * @throws SparringError 'usage'
 */
export function corrupt(engine: Engine, images: Uint8Array, options: CorruptOptions, { signal }: Pick<Cancellable, 'signal'> = {}): Promise<Uint8Array> {
  return engine.run((core, control) => core.corrupt(images, options, control), { ...(signal && { signal }) });
}

/**
 * A dataset whose images are corrupted as they are read: the same record has the same pixels in every batch and run.
 * @param seed of the random numbers, 0..2^53-1; one seed has the same noise in all severities of a corruption
 */
export function corrupted(engine: Engine, dataset: Dataset, { kind, severity, seed }: Pick<CorruptOptions, 'kind' | 'severity'> & { seed: number }): Dataset {
  const { classes, attributes, imageSize, length, labels, attributeOf, captions } = dataset;
  return {
    name: `${dataset.name}, ${kind} ${severity}`, classes, attributes, imageSize, length, labels, attributeOf, captions,
    read: async (indices) => {
      const images = await dataset.read(indices);
      if (indices.length === 0) return images;
      const seeds = Array.from(indices, (index) => Math.floor(stream(seed, 'corruption', index).uniform() * 2 ** 53));
      return corrupt(engine, images, { kind, severity, size: imageSize, seeds });
    },
  };
}
