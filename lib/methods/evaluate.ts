import { groupCounts } from '../data/memory.js';
import type { Dataset } from '../data/types.js';
import { groupMetrics, type GroupMetrics } from '../metrics/groups.js';
import { argmax, crossEntropy } from '../metrics/softmax.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';

const batchSize = 256;

/** Predicted class of every image of a dataset, [length]. */
export async function predictAll(classifier: Classifier, dataset: Dataset, options: Cancellable = {}): Promise<Int32Array> {
  const predictions = new Int32Array(dataset.length);
  for await (const [begin, logits] of logitsOf(classifier, dataset, options)) predictions.set(argmax(logits, classifier.classes.length), begin);
  return predictions;
}

/** Cross-entropy of every image of a dataset to its label, [length]. */
export async function imageLosses(classifier: Classifier, dataset: Dataset, options: Cancellable = {}): Promise<Float32Array> {
  const losses = new Float32Array(dataset.length);
  for await (const [begin, logits] of logitsOf(classifier, dataset, options)) {
    losses.set(crossEntropy(logits, dataset.labels.subarray(begin), classifier.classes.length), begin);
  }
  return losses;
}

/** Logits of a batch, and where it begins, until every image had its turn. */
async function* logitsOf(classifier: Classifier, dataset: Dataset, options: Cancellable): AsyncGenerator<[begin: number, logits: Float32Array]> {
  for (let begin = 0; begin < dataset.length; begin += batchSize) {
    const indices = Array.from({ length: Math.min(batchSize, dataset.length - begin) }, (_, i) => begin + i);
    yield [begin, await classifier.logits(await dataset.read(indices), options)];
  }
}

export interface EvaluateOptions extends Cancellable {
  /** What the classifier was trained on: its groups weigh the train-weighted accuracy. */
  train?: Omit<Dataset, 'read'>;
}

/** Accuracy by group and class. */
export async function evaluate(classifier: Classifier, dataset: Dataset, { train, ...options }: EvaluateOptions = {}): Promise<GroupMetrics> {
  return groupMetrics(dataset, await predictAll(classifier, dataset, options), train && groupCounts(train));
}
