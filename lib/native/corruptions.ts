/** Common corruptions in the native core. */
import type { JobControl } from './handles.js';

/** Hendrycks & Dietterich 2019 (arXiv 1903.12261), by the names of ImageNet-C's folders. */
export type Corruption =
  | 'gaussian_noise' | 'shot_noise' | 'impulse_noise' | 'defocus_blur' | 'glass_blur' | 'motion_blur' | 'zoom_blur' | 'snow' | 'frost' | 'fog'
  | 'brightness' | 'contrast' | 'elastic_transform' | 'pixelate' | 'jpeg_compression' | 'speckle_noise' | 'gaussian_blur' | 'spatter' | 'saturate';
export type CorruptionSeverity = 1 | 2 | 3 | 4 | 5;

export interface NativeCorruptions {
  /** Corrupted copies of images of at least 32 px; `seeds`, one per image. */
  corrupt(images: Uint8Array, options: { kind: Corruption; severity: CorruptionSeverity; size: number; seeds: ArrayLike<number> }, control?: JobControl): Promise<Uint8Array>;
}
