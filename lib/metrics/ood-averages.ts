/** Averages over the sets of the out-of-distribution suite, as tables of DAD (arXiv 2311.01441) have them. */

/** Accuracies in 0..1; null for what was not measured. */
export interface OodScores {
  val: number | null;
  v2: number | null;
  a: number | null;
  r: number | null;
  sketch: number | null;
  stylized: number | null;
  /** mCE of ImageNet-C, in percent. */
  meanCorruptionError: number | null;
}

/** In 0..1; null where a part is missing. */
export interface OodAverages {
  /** ImageNet val and V2. */
  inDistribution: number | null;
  /** R, Sketch and A. */
  naturalShift: number | null;
  /** The six accuracies and 1 - mCE / 100. */
  all: number | null;
}

export function oodAverages({ val, v2, a, r, sketch, stylized, meanCorruptionError }: OodScores): OodAverages {
  const c = meanCorruptionError === null ? null : 1 - meanCorruptionError / 100;
  return { inDistribution: average([val, v2]), naturalShift: average([r, sketch, a]), all: average([val, v2, a, r, sketch, stylized, c]) };
}

function average(values: readonly (number | null)[]): number | null {
  let sum = 0;
  for (const value of values) {
    if (value === null) return null;
    sum += value;
  }
  return sum / values.length;
}
