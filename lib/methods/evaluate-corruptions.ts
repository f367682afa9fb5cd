import { commonCorruptions, heldOutCorruptions, severities } from '../data/corruptions.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import { asReference, corruptionMetrics, type CorruptionMetrics, type MeasuredErrors } from '../metrics/corruption-error.js';
import { argmax } from '../metrics/softmax.js';
import type { Corruption, CorruptionSeverity } from '../native/contract.js';
import type { Classifier } from '../native/models.js';
import { batchesOf } from './evaluate.js';
import { forget, type Remember } from './remembered.js';

/** Corruptions of any data: errors under each of them, relative to another classifier on the same images. */

export interface CorruptionOptions {
  /** A classifier whose errors are 100 %, such as one of plain training. Without it there is no mCE. */
  reference?: Classifier;
  /** Which corruptions. Default: the fifteen that count. */
  kinds?: readonly Corruption[];
  signal?: AbortSignal;
  onProgress?: (set: string, done: number, total: number) => void;
  /** Where results are kept, `rememberIn(...)`. Default: nowhere. */
  remember?: Remember;
}

export interface CorruptionEvaluation extends CorruptionMetrics {
  /** Top-1 error without corruption, 0..1. */
  cleanError: number;
  /** What was measured of the reference; null without one. */
  reference: MeasuredErrors | null;
}

/**
 * @param clean images without corruption
 * @param corrupted the same images under a corruption of severity 1 to 5
 */
export async function evaluateCorruptions(
  classifier: Classifier,
  clean: Dataset,
  corrupted: (kind: Corruption, severity: CorruptionSeverity) => Dataset | Promise<Dataset>,
  { reference, kinds = commonCorruptions, signal, onProgress, remember = forget }: CorruptionOptions = {},
): Promise<CorruptionEvaluation> {
  const known: readonly string[] = [...commonCorruptions, ...heldOutCorruptions];
  const unknown = kinds.find((kind) => !known.includes(kind));
  if (unknown !== undefined) throw new SparringError('usage', `corruptions: expected some of ${known.join(', ')}, found ${unknown}.`);
  const classifiers = reference ? [classifier, reference] : [classifier];
  const errors = (name: string, open: () => Dataset | Promise<Dataset>): Promise<number[]> =>
    remember(name, async () => errorsOn(await open(), classifiers, { ...(signal && { signal }), ...(onProgress && { onProgress: (done, total) => onProgress(name, done, total) }) }));
  const cleanErrors = await errors('clean', () => clean);
  const measured = cleanErrors.map((clean): MeasuredErrors & { bySeverity: Partial<Record<Corruption, number[]>> } => ({ clean, bySeverity: {} }));
  for (const kind of kinds) {
    for (const severity of severities) {
      (await errors(`${kind} ${severity}`, () => corrupted(kind, severity))).forEach((error, which) => (measured[which]!.bySeverity[kind] ??= []).push(error));
    }
  }
  const [own, other] = measured;
  return { ...corruptionMetrics(own!, other ? asReference(other) : { clean: null, mean: {} }), cleanError: own!.clean!, reference: other ?? null };
}

/** Top-1 errors of several classifiers, for which every image is read once. */
async function errorsOn(dataset: Dataset, classifiers: readonly Classifier[], { signal, onProgress }: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void }): Promise<number[]> {
  const wrong = classifiers.map(() => 0);
  for await (const [begin, images] of batchesOf(dataset, onProgress)) {
    for (const [which, classifier] of classifiers.entries()) {
      const predicted = argmax(await classifier.logits(images, { ...(signal && { signal }) }), classifier.classes.length);
      predicted.forEach((label, image) => (wrong[which]! += label === dataset.labels[begin + image] ? 0 : 1));
    }
  }
  return wrong.map((count) => count / dataset.length);
}
