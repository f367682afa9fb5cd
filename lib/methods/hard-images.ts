/** Training images that the current student finds hard: where the samples of ActGen (arXiv 2403.06517) start. */
import type { Dataset } from '../data/types.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import { gives } from './generation.js';
import { recordsOfClasses } from './start-images.js';

export interface HardImages {
  /** Records of each class, at least one. */
  startRecords: number[][];
  /** How many images of the whole set the student gets wrong. */
  provenance: { wrongTrainingImages: number };
}

const batchSize = 256;

/**
 * Of each class the images that the student gets wrong; where there is none, the `spare` ones with the largest cross-entropy.
 * Without augmentation; groups have no say.
 */
export async function hardImages(student: Pick<Classifier, 'probabilities'>, train: Dataset, spare: number, { signal }: Pick<Cancellable, 'signal'> = {}): Promise<HardImages> {
  const startRecords: number[][] = [];
  let wrongTrainingImages = 0;
  for (const [label, records] of recordsOfClasses(train).entries()) {
    const scored = await score(student, train, records, label, signal ? { signal } : {});
    const wrong = scored.filter(({ right }) => !right);
    const hardest = [...scored].sort((a, b) => a.probability - b.probability || a.record - b.record).slice(0, Math.max(spare, 1));
    wrongTrainingImages += wrong.length;
    startRecords.push((wrong.length > 0 ? wrong : hardest).map(({ record }) => record));
  }
  return { startRecords, provenance: { wrongTrainingImages } };
}

interface Scored {
  record: number;
  /** Of the label: the smaller, the larger the cross-entropy. */
  probability: number;
  right: boolean;
}

async function score(student: Pick<Classifier, 'probabilities'>, train: Dataset, records: readonly number[], label: number, cancellable: Cancellable): Promise<Scored[]> {
  const scored: Scored[] = [];
  const k = train.classes.length;
  for (let begin = 0; begin < records.length; begin += batchSize) {
    const batch = records.slice(begin, begin + batchSize);
    const probabilities = await student.probabilities(await train.read(batch), cancellable);
    batch.forEach((record, i) => {
      const own = probabilities.subarray(i * k, (i + 1) * k);
      scored.push({ record, probability: own[label], right: gives(own, label) });
    });
  }
  return scored;
}
