import { commonCorruptions, heldOutCorruptions, severities } from '../data/corruptions.js';
import { SparringError } from '../errors.js';
import type { Corruption } from '../native/contract.js';

/**
 * Errors under common corruptions (Hendrycks & Dietterich, arXiv 1903.12261): each corruption's mean error over its five
 * severities, divided by that of a reference classifier before the corruptions are averaged.
 */

/** What was measured of one classifier: top-1 errors, 0..1. */
export interface MeasuredErrors {
  /** On the images without corruption; null where they were not tested. */
  clean: number | null;
  /** By corruption, for severity 1 to 5. */
  bySeverity: Readonly<Partial<Record<Corruption, readonly number[]>>>;
}

/** A classifier to which errors are relative. */
export interface ReferenceErrors {
  clean: number | null;
  /** Mean over the severities. */
  mean: Readonly<Partial<Record<Corruption, number>>>;
}

/** AlexNet of torchvision on ImageNet-C, as all published values are normalised; the clean error is that of its weights. */
export const alexNetErrors: ReferenceErrors = {
  clean: 0.43478,
  mean: {
    gaussian_noise: 0.886428, shot_noise: 0.894468, impulse_noise: 0.92264, defocus_blur: 0.81988, glass_blur: 0.826268, motion_blur: 0.785948,
    zoom_blur: 0.79836, snow: 0.866816, frost: 0.826572, fog: 0.819324, brightness: 0.564592, contrast: 0.853204, elastic_transform: 0.646056,
    pixelate: 0.71784, jpeg_compression: 0.6065,
  },
};

/** One corruption. */
export interface CorruptionError {
  name: Corruption;
  /** Top-1 errors for severity 1 to 5, 0..1. */
  bySeverity: readonly number[];
  /** Their mean. */
  error: number;
  /** CE: 100 * error / error of the reference; null where the reference makes none or was not measured. */
  corruptionError: number | null;
  /** Relative CE: 100 * (error - clean error) / the same of the reference; null where corruption does not harm the reference. */
  relativeCorruptionError: number | null;
}

export interface CorruptionMetrics {
  corruptions: CorruptionError[];
  /** Those that never count for the means below. */
  heldOut: CorruptionError[];
  /** Of the fifteen that count; while one is missing the means are null. */
  missing: Corruption[];
  /** Mean over the fifteen of 1 - error, 0..1. */
  meanAccuracy: number | null;
  /** mCE: mean over the fifteen of their CE, in percent; lower is better, and the reference has 100. */
  meanCorruptionError: number | null;
  /** Likewise of the relative CE. */
  relativeMeanCorruptionError: number | null;
}

/** @param reference default: AlexNet, for ImageNet-C; for other data a classifier's own errors, see `asReference` */
export function corruptionMetrics({ clean, bySeverity }: MeasuredErrors, reference: ReferenceErrors = alexNetErrors): CorruptionMetrics {
  const measure = (name: Corruption): CorruptionError[] => {
    const errors = bySeverity[name];
    if (errors === undefined) return [];
    const error = meanOverSeverities(name, errors);
    const other = reference.mean[name];
    const harm = clean === null ? null : error - clean;
    const otherHarm = reference.clean === null || other === undefined ? null : other - reference.clean;
    return [{ name, bySeverity: errors, error, corruptionError: percent(error, other ?? null), relativeCorruptionError: harm === null ? null : percent(harm, otherHarm) }];
  };
  const counted = commonCorruptions.flatMap(measure);
  const missing = commonCorruptions.filter((name) => bySeverity[name] === undefined);
  const overall = (value: (one: CorruptionError) => number | null): number | null => {
    const values = counted.map(value);
    return missing.length > 0 || values.includes(null) ? null : mean(values as number[]);
  };
  return {
    corruptions: counted,
    heldOut: heldOutCorruptions.flatMap(measure),
    missing,
    meanAccuracy: overall(({ error }) => 1 - error),
    meanCorruptionError: overall(({ corruptionError }) => corruptionError),
    relativeMeanCorruptionError: overall(({ relativeCorruptionError }) => relativeCorruptionError),
  };
}

/** A measured classifier as reference for others. */
export function asReference({ clean, bySeverity }: MeasuredErrors): ReferenceErrors {
  return { clean, mean: Object.fromEntries(Object.entries(bySeverity).map(([name, errors]) => [name, meanOverSeverities(name, errors)])) };
}

function meanOverSeverities(name: string, errors: readonly number[]): number {
  if (errors.length !== severities.length || !errors.every((error) => error >= 0 && error <= 1)) {
    throw new SparringError('data', `corruption ${name}: expected an error in 0..1 for each of the ${severities.length} severities, found ${errors.join(', ') || 'none'}`, 'Test it at all severities.');
  }
  return mean(errors);
}

/** null where it would say nothing: by a reference of zero or less. */
function percent(value: number, of: number | null): number | null {
  return of === null || of <= 0 ? null : (100 * value) / of;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
