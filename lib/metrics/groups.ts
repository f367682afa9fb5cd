import { groupCounts, groupOf } from '../data/memory.js';
import { groupName, type Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import { wilsonInterval } from './intervals.js';

/** How a classifier does on one group; accuracies are in 0..1. */
export interface GroupAccuracy {
  group: number;
  /** 'class/attribute'. */
  name: string;
  count: number;
  correct: number;
  accuracy: number;
  /** Wilson 95 % interval of the accuracy. */
  interval: [low: number, high: number];
}

/** How a classifier does on the images of one class, whatever their attribute. */
export interface ClassAccuracy extends Omit<GroupAccuracy, 'group'> {
  label: number;
}

export interface GroupMetrics {
  /** The groups with at least one image, by number. */
  groups: GroupAccuracy[];
  /** The classes with at least one image, by label. */
  classes: ClassAccuracy[];
  /** Names of the groups without an image; they count for nothing below. */
  emptyGroups: string[];
  /** Name of the group with the lowest accuracy, the first of several. */
  worstGroup: string;
  worstGroupAccuracy: number;
  /** Mean over groups, each counting the same. */
  meanGroupAccuracy: number;
  /** Share of all images that are right. */
  accuracy: number;
  /**
   * Group accuracies weighted by the groups' shares of the training set, the "average accuracy" of group DRO and
   * SpuCo; null when no training counts were given or none of its groups was tested.
   */
  trainWeightedAccuracy: number | null;
}

/**
 * Accuracy by group.
 * @param dataset the images tested
 * @param predictions [dataset.length], predicted class of each
 * @param trainCounts images per group of the training set, as `groupCounts` gives them
 */
export function groupMetrics(dataset: Omit<Dataset, 'read'>, predictions: ArrayLike<number>, trainCounts?: ArrayLike<number>): GroupMetrics {
  if (predictions.length !== dataset.length || dataset.length === 0) {
    throw new SparringError('data', `${dataset.name}: expected predictions for ${dataset.length || 'at least one'} images, found ${predictions.length}`);
  }
  const counts = groupCounts(dataset);
  if (trainCounts && trainCounts.length !== counts.length) {
    throw new SparringError('data', `${dataset.name}: expected training counts of ${counts.length} groups, found ${trainCounts.length}`);
  }
  const correct = new Int32Array(counts.length);
  for (let index = 0; index < dataset.length; index++) {
    if (predictions[index] === dataset.labels[index]) correct[groupOf(dataset, index)]!++;
  }
  const groups: GroupAccuracy[] = [];
  const classes: ClassAccuracy[] = [];
  const emptyGroups: string[] = [];
  counts.forEach((count, group) => {
    const name = groupName(dataset, group);
    if (count === 0) return emptyGroups.push(name);
    const right = correct[group]!;
    return groups.push({ group, name, count, correct: right, accuracy: right / count, interval: wilsonInterval(right, count) });
  });
  dataset.classes.forEach((name, label) => {
    const own = groups.filter(({ group }) => Math.floor(group / dataset.attributes.length) === label);
    const [count, right] = [sum(own, (group) => group.count), sum(own, (group) => group.correct)];
    if (count > 0) classes.push({ label, name, count, correct: right, accuracy: right / count, interval: wilsonInterval(right, count) });
  });
  const worst = groups.reduce((lowest, group) => (group.accuracy < lowest.accuracy ? group : lowest));
  return {
    groups,
    classes,
    emptyGroups,
    worstGroup: worst.name,
    worstGroupAccuracy: worst.accuracy,
    meanGroupAccuracy: sum(groups, (group) => group.accuracy) / groups.length,
    accuracy: sum(groups, (group) => group.correct) / dataset.length,
    trainWeightedAccuracy: trainCounts ? weighted(groups, trainCounts) : null,
  };
}

/** The group with the lowest accuracy. */
export function worstGroupOf({ groups, worstGroup }: GroupMetrics): GroupAccuracy {
  return groups.find(({ name }) => name === worstGroup)!;
}

/**
 * The share of the distance from plain distillation to the teacher that a method covers:
 * (WGA - WGA of EDRM) / (WGA of teacher - WGA of EDRM); null where the teacher is not above EDRM, so that there is no gap.
 */
export function gapClosed(worstGroupAccuracy: number, edrm: number, teacher: number): number | null {
  return teacher <= edrm ? null : (worstGroupAccuracy - edrm) / (teacher - edrm);
}

function weighted(groups: GroupAccuracy[], trainCounts: ArrayLike<number>): number | null {
  const total = sum(groups, ({ group }) => trainCounts[group]!);
  return total === 0 ? null : sum(groups, ({ group, accuracy }) => accuracy * trainCounts[group]!) / total;
}

function sum<T>(items: T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}
