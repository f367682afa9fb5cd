import { groupCounts } from '../data/memory.js';
import type { Dataset } from '../data/types.js';
import { groupMetrics, type GroupMetrics } from '../metrics/groups.js';
import { argmax, crossEntropy } from '../metrics/softmax.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import type { SampleRecord } from '../store/record.js';
import type { SampleStore } from '../store/store.js';

const batchSize = 256;

export interface PredictOptions extends Cancellable {
  /** Class numbers to choose among, ascending. Default: all. */
  among?: readonly number[];
}

/** Predicted class of every image of a dataset, [length]; `onProgress` hears of its images. */
export async function predictAll(classifier: Classifier, dataset: Dataset, { among, ...options }: PredictOptions = {}): Promise<Int32Array> {
  const predictions = new Int32Array(dataset.length);
  for await (const [begin, logits] of logitsOf(classifier, dataset, options)) predictions.set(argmax(logits, classifier.classes.length, among), begin);
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

/** What a classifier says of stored images, [records, classes]; read and judged batch by batch. */
export async function storedLogits(classifier: Classifier, store: SampleStore, records: readonly SampleRecord[], options: Cancellable = {}): Promise<Float32Array> {
  const classes = classifier.classes.length;
  const logits = new Float32Array(records.length * classes);
  for (let begin = 0; begin < records.length; begin += batchSize) {
    const images = await store.readImages(records.slice(begin, begin + batchSize).map((record) => record.key));
    logits.set(await classifier.logits(images, options), begin * classes);
  }
  return logits;
}

/** Logits of a batch, and where it begins, until every image had its turn. */
export async function* logitsOf(classifier: Classifier, dataset: Dataset, { onProgress, ...options }: Cancellable): AsyncGenerator<[begin: number, logits: Float32Array]> {
  for await (const [begin, images] of batchesOf(dataset, onProgress)) yield [begin, await classifier.logits(images, options)];
}

/** Images of a batch, and where it begins; the next one is read meanwhile. `onProgress` hears of those that were dealt with. */
export async function* batchesOf(dataset: Dataset, onProgress?: Cancellable['onProgress']): AsyncGenerator<[begin: number, images: Uint8Array]> {
  const { length, imageSize } = dataset;
  // Of large images fewer, whose activations would fill the memory: 64 of 224 px.
  const atOnce = Math.max(16, Math.min(batchSize, Math.floor((64 * 224 ** 2) / imageSize ** 2)));
  const read = (begin: number): Promise<Uint8Array> => dataset.read(Array.from({ length: Math.min(atOnce, length - begin) }, (_, i) => begin + i));
  let coming = length > 0 ? read(0) : undefined;
  onProgress?.(0, length);
  for (let begin = 0; begin < length; begin += atOnce) {
    const images = await coming!;
    const end = Math.min(begin + atOnce, length);
    coming = end < length ? read(end) : undefined;
    coming?.catch(() => {}); // thrown when its turn comes, if it comes
    yield [begin, images];
    onProgress?.(end, length);
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
