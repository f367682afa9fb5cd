/** What the images of a row cost, made and trained on. */
import type { Cost } from '../report/rows.js';
import type { Clocks } from '../training/stage.js';

/** @param elsewhere seconds of making images, or of what that needs, in other stages */
export function costOf(clocks: Clocks | undefined, images: Pick<Cost, 'imagesMade' | 'trainingImages'>, elsewhere = 0): { cost?: Cost } {
  return clocks ? { cost: { ...images, makingSeconds: clocks.making + elsewhere, trainingSeconds: clocks.training } } : {};
}

/** Of a row that begins with a student of its own. */
export function sumOfCosts(costs: readonly (Cost | undefined)[]): { cost?: Cost } {
  const known = costs.flatMap((cost) => cost ?? []);
  if (known.length < costs.length) return {};
  const sum = (key: keyof Cost): number => known.reduce((total, cost) => total + cost[key], 0);
  return { cost: { imagesMade: sum('imagesMade'), makingSeconds: sum('makingSeconds'), trainingImages: sum('trainingImages'), trainingSeconds: sum('trainingSeconds') } };
}

/** Of seeds, none where one of them was not measured. */
export function averageCost(costs: readonly (Cost | undefined)[]): { cost?: Cost } {
  const { cost } = sumOfCosts(costs);
  if (!cost) return {};
  const of = (sum: number): number => sum / costs.length;
  return { cost: { imagesMade: of(cost.imagesMade), makingSeconds: of(cost.makingSeconds), trainingImages: of(cost.trainingImages), trainingSeconds: of(cost.trainingSeconds) } };
}
