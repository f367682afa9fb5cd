/**
 * An estimate of Ω, the part of the gap between test and training risk that comes from the shift between the two
 * distributions, for a student as it is: without the stored images, and with them. See "Why it can work" in docs/method.md.
 *
 *   Ω        = R_test − R_real                    R: mean cross-entropy to the labels, which stand for p*
 *   Ω_mixed  = R_test − (1 − w) R_real − w l̄      l̄: of stored images, to the teacher's labels; w: their share in a batch
 */
import { subset } from '../data/memory.js';
import { batchIndices } from '../data/order.js';
import type { Dataset, Splits } from '../data/types.js';
import { softCrossEntropy } from '../metrics/softmax.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import type { SampleStore } from '../store/store.js';
import { imageLosses, storedLogits } from './evaluate.js';

/** Images of each kind that are looked at; more would cost time and change the third digit. */
const looked = 500;

/** @param share of stored images in a batch; `store` is null where there are none */
export async function omegaDiagnostics(student: Classifier, { train, test }: Splits, store: SampleStore | null, share: number, options: Cancellable = {}): Promise<Record<string, number>> {
  const real = mean(await imageLosses(student, sample(train), options));
  const tested = mean(await imageLosses(student, sample(test), options));
  const estimate = { 'risk/real': real, 'risk/test': tested, 'omega/real': tested - real };
  const kept = store ? store.samples().filter((record) => record.kept) : [];
  if (!store || kept.length === 0) return estimate;
  const records = places(kept.length).map((place) => kept[place]);
  const logits = await storedLogits(student, store, records, options);
  const stored = mean(softCrossEntropy(logits, records.map((record) => record.teacherProbabilities)));
  return { ...estimate, 'risk/stored': stored, 'omega/mixed': tested - (1 - share) * real - share * stored };
}

/** As many records as are looked at. */
function sample(dataset: Dataset): Dataset {
  return subset(dataset, places(dataset.length));
}

/** Always the same ones, drawn at random: in many datasets classes and groups take turns, and every fourth record is of one group. */
function places(length: number): number[] {
  return Array.from(batchIndices(length, Math.min(looked, length), 0, 0));
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
