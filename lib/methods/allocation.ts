/** How many images of a round each class gets, and in which order they are drawn. */
import type { Config } from '../config/schema.js';
import { softmax } from '../metrics/softmax.js';
import type { Classifier } from '../native/models.js';
import type { SampleStore } from '../store/store.js';
import { storedLogits } from './evaluate.js';

/** Images that a round generates, before selection. */
export function imagesOfRound({ imagesPerRound, imagesFor }: Pick<Config['rounds'], 'imagesPerRound' | 'imagesFor'>, training: { images: number; classes: number }): number {
  return imagesPerRound * { round: 1, class: training.classes, image: training.images }[imagesFor];
}

/** No class falls below this part of its even share: what the student has learnt it may forget again. */
const leastShare = 0.25;

export function evenShares(classes: number): number[] {
  return Array.from({ length: classes }, () => 1 / classes);
}

/**
 * Shares of the classes, which sum to 1: even, or, with `hardest`, as the mean error 1 − f_y that the current student still makes
 * on the images kept in the rounds before, as far as there are any of each class.
 */
export async function classShares(allocation: 'balanced' | 'hardest', store: SampleStore, student: Classifier, round: number): Promise<number[]> {
  const classes = student.classes.length;
  const even = evenShares(classes);
  if (allocation === 'balanced') return even;
  const records = store.samples().filter((record) => record.kept && record.round < round);
  const probabilities = softmax(await storedLogits(student, store, records), classes);
  const errors = even.map(() => ({ sum: 0, count: 0 }));
  for (const [i, { label }] of records.entries()) {
    errors[label].sum += 1 - probabilities[i * classes + label];
    errors[label].count++;
  }
  if (errors.some(({ count }) => count === 0)) return even;
  return sharesOf(errors.map(({ sum, count }) => sum / count));
}

/** Shares proportional to `weights`, none below its least part; even ones where all weights are 0. */
export function sharesOf(weights: readonly number[]): number[] {
  const least = leastShare / weights.length;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => least + (1 - leastShare) * (total > 0 ? weight / total : 1 / weights.length));
}

/** A class for each of `count` images, spread evenly over them: whatever part is drawn has nearly the same shares. */
export function allocate(count: number, shares: readonly number[]): number[] {
  const credit = shares.map(() => 0);
  return Array.from({ length: count }, () => {
    for (const [label, share] of shares.entries()) credit[label] += share;
    // A little slack: sums of shares such as 1/3 may fall short of what they stand for.
    const most = Math.max(...credit) - 1e-9;
    const label = credit.findIndex((value) => value >= most);
    credit[label] -= 1;
    return label;
  });
}
