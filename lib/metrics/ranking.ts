import { SparringError } from '../errors.js';

/** How well scores put positives before negatives. Equal scores are one threshold: their order does not matter. */

/**
 * Average precision, the step sum over distinct thresholds of (recall gained) x precision, as `average_precision_score`
 * of scikit-learn. By chance it is the share of positives, not 1/2.
 * @param positive whether each item is a positive, [N]
 * @param scores higher = more likely positive, [N]
 */
export function averagePrecision(positive: ArrayLike<boolean | number>, scores: ArrayLike<number>): number {
  const { steps, positives } = rank(positive, scores);
  let sum = 0;
  for (const { hits, seen, gained } of steps) sum += (gained / positives) * (hits / seen);
  return sum;
}

/** Area under the ROC curve: the probability that a positive scores above a negative, ties counting half. */
export function rocAuc(positive: ArrayLike<boolean | number>, scores: ArrayLike<number>): number {
  const { steps, positives, negatives } = rank(positive, scores);
  let area = 0;
  for (const { hits, gained, size } of steps) {
    const negativesHere = size - gained;
    area += negativesHere * (hits - gained / 2);
  }
  return area / (positives * negatives);
}

/** One distinct score: items down to it (seen), positives among them (hits), and those of this score alone. */
interface Step {
  seen: number;
  hits: number;
  size: number;
  gained: number;
}

function rank(positive: ArrayLike<boolean | number>, scores: ArrayLike<number>): { steps: Step[]; positives: number; negatives: number } {
  if (positive.length !== scores.length) throw new SparringError('data', `ranking: expected a score for each of ${positive.length} items, found ${scores.length}`);
  const order = Array.from({ length: scores.length }, (_, item) => item).sort((a, b) => scores[b]! - scores[a]!);
  const steps: Step[] = [];
  let hits = 0;
  let last: number | undefined;
  order.forEach((item, place) => {
    const score = scores[item]!;
    if (Number.isNaN(score)) throw new SparringError('numeric', `ranking: the score of item ${item} is not a number`, 'The model gave NaN; see its training.');
    if (score !== last) steps.push({ seen: 0, hits: 0, size: 0, gained: 0 });
    last = score;
    const step = steps.at(-1)!;
    step.size++;
    if (positive[item]) {
      step.gained++;
      hits++;
    }
    step.seen = place + 1;
    step.hits = hits;
  });
  const negatives = scores.length - hits;
  if (hits === 0 || negatives === 0) throw new SparringError('data', `ranking: expected positives and negatives, found ${hits} and ${negatives}`, 'Neither measure is defined with one of them alone.');
  return { steps, positives: hits, negatives };
}
