import { SparringError } from '../errors.js';
import { averagePrecision, rocAuc } from './ranking.js';
import { argmax } from './softmax.js';

/**
 * Spurious mAUC (Neuhaus et al., "Spurious Features Everywhere", ICCV 2023): whether a classifier tells images of a class
 * from images that show nothing of it but a spurious feature.
 */

/** What a classifier says of the images of one class. */
export interface SpuriousClass {
  name: string;
  /** Its number among all classes of the classifier. */
  label: number;
  /** Softmax over all classes for validation images of the class, [P, classes], flat. */
  validation: Float32Array;
  /** Likewise for images with the spurious feature alone, [N, classes]. */
  spurious: Float32Array;
}

/** One class; the score is its own probability, validation images are the positives. */
export interface SpuriousClassMetrics {
  name: string;
  averagePrecision: number;
  rocAuc: number;
  /** Mean score. */
  meanValidation: number;
  meanSpurious: number;
  /** Share of the images that are predicted to be of the class. */
  predictedValidation: number;
  predictedSpurious: number;
}

export interface SpuriousMetrics {
  classes: SpuriousClassMetrics[];
  /** Mean over classes of the average precision: what the reference code computes and its paper reports as mAUC. */
  averagePrecision: number;
  /** Mean over classes of the area under the ROC curve. */
  rocAuc: number;
  /** Average precision of the scores of all classes together. */
  jointAveragePrecision: number;
  /** What constant scores would give as `averagePrecision`: the mean share of validation images, 0.4 for 50 and 75. */
  chance: number;
}

/** @param width number of classes of the classifier, 1000 for ImageNet */
export function spuriousMetrics(given: readonly SpuriousClass[], width: number): SpuriousMetrics {
  if (given.length === 0) throw new SparringError('data', 'spurious mAUC: expected at least one class, found none');
  const scored = given.map((one) => ({ ...one, ...scores(one, width) }));
  const classes = scored.map(({ name, label, validation, spurious, own, positive, positives }): SpuriousClassMetrics => ({
    name,
    averagePrecision: averagePrecision(positive, own),
    rocAuc: rocAuc(positive, own),
    meanValidation: mean(own.slice(0, positives)),
    meanSpurious: mean(own.slice(positives)),
    predictedValidation: shareOf(validation, width, label),
    predictedSpurious: shareOf(spurious, width, label),
  }));
  return {
    classes,
    averagePrecision: mean(classes.map((one) => one.averagePrecision)),
    rocAuc: mean(classes.map((one) => one.rocAuc)),
    jointAveragePrecision: averagePrecision(scored.flatMap(({ positive }) => positive), scored.flatMap(({ own }) => own)),
    chance: mean(scored.map(({ positive, positives }) => positives / positive.length)),
  };
}

/** The class's own probability of every image, validation images first. */
function scores({ name, label, validation, spurious }: SpuriousClass, width: number): { own: number[]; positive: boolean[]; positives: number } {
  const [positives, negatives] = [validation.length / width, spurious.length / width];
  if (![positives, negatives].every((count) => Number.isInteger(count) && count > 0) || !(label >= 0 && label < width)) {
    throw new SparringError('data', `spurious mAUC: ${name}: expected a label below ${width} and whole rows of ${width} probabilities of both kinds of images, found label ${label} and ${validation.length} and ${spurious.length} numbers`);
  }
  const column = (values: Float32Array, count: number): number[] => Array.from({ length: count }, (_, row) => values[row * width + label]!);
  const own = [...column(validation, positives), ...column(spurious, negatives)];
  return { own, positive: own.map((_, item) => item < positives), positives };
}

function shareOf(probabilities: Float32Array, width: number, label: number): number {
  const predicted = argmax(probabilities, width);
  return predicted.filter((found) => found === label).length / predicted.length;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
