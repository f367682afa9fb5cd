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

/** All that the metrics take from it, small enough to be kept. */
export interface SpuriousScores {
  name: string;
  label: number;
  validation: ImageScores;
  spurious: ImageScores;
}

interface ImageScores {
  /** Probability of the class itself, of each image. */
  scores: number[];
  /** How many images are predicted to be of the class. */
  predicted: number;
}

/** One class; the score is its own probability, validation images are the positives. */
export interface SpuriousClassMetrics {
  name: string;
  label: number;
  validationImages: number;
  spuriousImages: number;
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
export function spuriousMetrics(classes: readonly SpuriousClass[], width: number): SpuriousMetrics {
  return scoredMetrics(classes.map((one) => spuriousScores(one, width)));
}

/** Throws SparringError 'data' when there is no class. */
export function scoredMetrics(given: readonly SpuriousScores[]): SpuriousMetrics {
  if (given.length === 0) throw new SparringError('data', 'spurious mAUC: expected at least one class, found none');
  const ranked = given.map(({ validation, spurious }) => {
    const scores = [...validation.scores, ...spurious.scores];
    return { scores, positive: scores.map((_, image) => image < validation.scores.length) };
  });
  const classes = given.map(({ name, label, validation, spurious }, which): SpuriousClassMetrics => {
    const { positive, scores } = ranked[which]!;
    return {
      name,
      label,
      validationImages: validation.scores.length,
      spuriousImages: spurious.scores.length,
      averagePrecision: averagePrecision(positive, scores),
      rocAuc: rocAuc(positive, scores),
      meanValidation: mean(validation.scores),
      meanSpurious: mean(spurious.scores),
      predictedValidation: validation.predicted / validation.scores.length,
      predictedSpurious: spurious.predicted / spurious.scores.length,
    };
  });
  return {
    classes,
    averagePrecision: mean(classes.map((one) => one.averagePrecision)),
    rocAuc: mean(classes.map((one) => one.rocAuc)),
    jointAveragePrecision: averagePrecision(ranked.flatMap(({ positive }) => positive), ranked.flatMap(({ scores }) => scores)),
    chance: mean(classes.map(({ validationImages, spuriousImages }) => validationImages / (validationImages + spuriousImages))),
  };
}

/** Throws SparringError 'data' for outputs of another shape, 'numeric' for NaN. */
export function spuriousScores({ name, label, validation, spurious }: SpuriousClass, width: number): SpuriousScores {
  const rows = [validation.length / width, spurious.length / width];
  if (!rows.every((count) => Number.isInteger(count) && count > 0) || !(label >= 0 && label < width)) {
    throw new SparringError('data', `spurious mAUC: ${name}: expected a label below ${width} and whole rows of ${width} probabilities of both kinds of images, found label ${label} and ${validation.length} and ${spurious.length} numbers`);
  }
  const scoresOf = (probabilities: Float32Array): ImageScores => {
    const scores = Array.from({ length: probabilities.length / width }, (_, row) => probabilities[row * width + label]!);
    if (scores.some(Number.isNaN)) throw new SparringError('numeric', `spurious mAUC: ${name}: expected probabilities, found NaN`, 'The model gave NaN; see its training.');
    return { scores, predicted: argmax(probabilities, width).filter((found) => found === label).length };
  };
  return { name, label, validation: scoresOf(validation), spurious: scoresOf(spurious) };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
