/** Adversarial accuracy: how often a classifier is right although each image is moved against it. */
import { groupCounts } from '../data/memory.js';
import { imageSeeds } from '../data/image-seeds.js';
import type { Dataset } from '../data/types.js';
import { groupMetrics, type GroupMetrics } from '../metrics/groups.js';
import { argmax } from '../metrics/softmax.js';
import type { EvaluationAttack } from '../native/contract.js';
import type { Classifier } from '../native/models.js';
import { readBatch } from './context.js';
import { predictAll, type EvaluateOptions } from './evaluate.js';

const batchSize = 64; // gradients need more memory than predictions

/** Step length of PGD with which it can reach any point of the ball from any other, and some more (Madry et al. 2018). */
export function pgdStepSize(epsilon: number, steps: number): number {
  return (2.5 * epsilon) / steps;
}

/**
 * Accuracy by group and class under an attack. Images that the classifier gets wrong as they are count as wrong; the others
 * are attacked.
 * @param seed of the random starts
 */
export async function evaluateAttacked(classifier: Classifier, dataset: Dataset, attack: EvaluationAttack, seed: number, { train, signal, onProgress }: EvaluateOptions = {}): Promise<GroupMetrics> {
  const cancellable = signal ? { signal } : {};
  const predictions = await predictAll(classifier, dataset, cancellable);
  const right = Array.from(predictions.keys()).filter((record) => predictions[record] === dataset.labels[record]);
  for (let begin = 0; begin < right.length; begin += batchSize) {
    const records = Int32Array.from(right.slice(begin, begin + batchSize));
    const { images, labels } = await readBatch(dataset, records);
    const logits = await classifier.attack(images, labels, { ...attack, seeds: imageSeeds(seed, 'attack', records) }, cancellable);
    argmax(logits, classifier.classes.length).forEach((prediction, slot) => (predictions[records[slot]] = prediction));
    onProgress?.(begin + records.length, right.length);
  }
  return groupMetrics(dataset, predictions, train && groupCounts(train));
}
