import type { CorruptionEvaluation } from '../methods/evaluate-corruptions.js';
import type { OodMetrics } from '../methods/evaluate-ood.js';
import type { CorruptionMetrics } from '../metrics/corruption-error.js';
import { count } from './table.js';

const nameWidth = 32;

/** What `sparring evaluate --suite ood` prints for people. */
export function oodText({ sets, corruption, shapeBias, averages, skipped, notes }: OodMetrics): string {
  const lines: string[] = [];
  if (sets.length > 0) lines.push(`${'Set'.padEnd(nameWidth)}   Top-1 %  95 % interval     Images  Classes`);
  for (const { title, accuracy, interval: [low, high], images, classes } of sets) {
    lines.push(`${title.padEnd(nameWidth)} ${percent(accuracy).padStart(9)}  ${`${percent(low)} to ${percent(high)}`.padEnd(14)} ${count(images).padStart(9)} ${count(classes).padStart(8)}`);
  }
  if (corruption) lines.push(...gap(lines), ...corruptionLines(corruption, 'ImageNet-C'));
  if (shapeBias) {
    lines.push(
      ...gap(lines),
      `Cue conflict, ${count(shapeBias.images)} images: shape bias ${shapeBias.shapeBias === null ? 'n/a' : `${percent(shapeBias.shapeBias)} %`}`,
      `  predicted as the shape ${percent(shapeBias.shapeAccuracy)} %, as the texture ${percent(shapeBias.textureAccuracy)} %`,
    );
  }
  const named = [['val and V2', averages.inDistribution], ['R, Sketch and A', averages.naturalShift], ['all seven, with 100 - mCE', averages.all]] as const;
  const known = named.flatMap(([name, value]) => (value === null ? [] : [`${name} ${percent(value)}`]));
  if (known.length > 0) lines.push('', `Averages, %: ${known.join('; ')}`);
  if (notes.length + skipped.length > 0) lines.push('', ...notes.map((text) => `note: ${text}`), ...skipped);
  return lines.join('\n');
}

/** What `sparring evaluate --suite corruptions` prints for people. */
export function corruptionText({ cleanError, reference, ...metrics }: CorruptionEvaluation): string {
  const other = reference ? `, of the reference ${percent(reference.clean!)} %` : '';
  return [...corruptionLines(metrics, 'Corruption'), `error without corruption ${percent(cleanError)} %${other}`].join('\n');
}

/** A table of corruptions and their means; without CE where there is no reference. */
function corruptionLines({ corruptions, heldOut, missing, meanAccuracy, meanCorruptionError, relativeMeanCorruptionError }: CorruptionMetrics, title: string): string[] {
  const relative = corruptions.some(({ corruptionError }) => corruptionError !== null);
  const row = ({ name, error, corruptionError, bySeverity }: CorruptionMetrics['corruptions'][number]): string =>
    `  ${name.padEnd(nameWidth - 2)} ${percent(error).padStart(9)}${relative ? ` ${number(corruptionError).padStart(7)}` : ''}  ${bySeverity.map((one) => percent(one).padStart(5)).join(' ')}`;
  const lines = [`${title.padEnd(nameWidth)}   Error %${relative ? '      CE' : ''}  by severity`, ...corruptions.map(row)];
  if (heldOut.length > 0) lines.push('  held out, in no mean:', ...heldOut.map(row));
  if (missing.length > 0) return [...lines, `no mean: without ${missing.join(', ')}`];
  const accuracy = `mean accuracy ${percent(meanAccuracy!)} %`;
  return [...lines, relative ? `mCE ${number(meanCorruptionError)} (lower is better), relative mCE ${number(relativeMeanCorruptionError)}, ${accuracy}` : accuracy];
}

function gap(lines: readonly string[]): string[] {
  return lines.length > 0 ? [''] : [];
}

function percent(value: number): string {
  return (100 * value).toFixed(1);
}

function number(value: number | null): string {
  return value === null ? 'n/a' : value.toFixed(1);
}
