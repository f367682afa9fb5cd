import type { SpuriousEvaluation } from '../methods/evaluate-spurious.js';
import type { SpuriousMetrics } from '../metrics/spurious.js';
import { count } from './table.js';

const listed = 10;

/** What `sparring evaluate --suite spurious` prints for people: the means, and the classes with the lowest average precision. */
export function spuriousText({ teacher, notes, ...metrics }: SpuriousEvaluation): string {
  const { classes, chance } = metrics;
  const sum = (images: 'validationImages' | 'spuriousImages'): string => count(classes.reduce((total, one) => total + one[images], 0));
  const worst = [...classes].sort((a, b) => a.averagePrecision - b.averagePrecision).slice(0, listed);
  const width = Math.max(24, ...worst.map(({ name }) => name.length));
  const line = (name: string, ...cells: string[]): string => [name.padEnd(width), ...cells.map((cell) => cell.padStart(9))].join(' ');
  const means = (name: string, { averagePrecision, rocAuc, jointAveragePrecision }: SpuriousMetrics): string => line(name, ...[averagePrecision, rocAuc, jointAveragePrecision].map(three));
  const ofTeacher = (label: number): string[] => (teacher ? [three(teacher.classes.find((one) => one.label === label)!.averagePrecision)] : []);
  return [
    `${count(classes.length)} classes: ${sum('validationImages')} validation images, ${sum('spuriousImages')} of spurious features`,
    '',
    line('Spurious mAUC', 'AP', 'ROC AUC', 'joint AP'),
    means('these weights', metrics),
    ...(teacher ? [means('teacher', teacher)] : []),
    line('constant scores', three(chance), three(0.5)),
    '',
    line(classes.length > listed ? 'Classes of lowest AP' : 'Classes', 'AP', ...(teacher ? ['teacher'] : []), 'ROC AUC', 'val %', 'spur. %', 'images'),
    ...worst.map(({ name, label, averagePrecision, rocAuc, predictedValidation, predictedSpurious, validationImages, spuriousImages }) =>
      line(name, three(averagePrecision), ...ofTeacher(label), three(rocAuc), percent(predictedValidation), percent(predictedSpurious), `${validationImages} + ${spuriousImages}`)),
    'val %, spur. %: share of the validation images and of those of the feature that is predicted as the class',
    ...(notes.length > 0 ? ['', ...notes.map((text) => `note: ${text}`)] : []),
  ].join('\n');
}

function three(value: number): string {
  return value.toFixed(3);
}

function percent(value: number): string {
  return (100 * value).toFixed(1);
}
