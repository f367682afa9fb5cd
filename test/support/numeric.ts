/** Small numerical helpers; everything in double precision. */
import { stream } from '../../lib/data/random.js';

/** |found - expected| / |expected| in the L2 norm. */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) throw new Error(`expected ${expected.length} numbers, found ${found.length}`);
  let difference = 0, norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (found[i] - expected[i]) ** 2;
    norm += expected[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

export function norm(a: ArrayLike<number>): number {
  return Math.sqrt(dot(a, a));
}

export function mean(a: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, value) => sum + value, 0) / a.length;
}

/** Standard normal numbers. */
export function normals(seed: number, count: number): Float32Array {
  const random = stream(seed, 'test');
  return Float32Array.from({ length: count }, () => random.normal());
}

/** The logarithm of the softmax of one row. */
export function logSoftmax(row: ArrayLike<number>): number[] {
  const values = Array.from(row);
  const largest = Math.max(...values);
  const normaliser = largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return values.map((value) => value - normaliser);
}

/** Rows of a flat [B, columns] array. */
export function rows<Values extends Float32Array | Uint8Array>(values: Values, columns: number): Values[] {
  return Array.from({ length: values.length / columns }, (_, i) => values.subarray(i * columns, (i + 1) * columns) as Values);
}
