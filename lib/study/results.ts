/** From the runs of a study to its rows: means over seeds with intervals, and differences between rows and between variants, paired by seed. */
import type { Study } from '../config/study.js';
import { averageCost } from '../methods/cost.js';
import { meanInterval } from '../metrics/student-t.js';
import { methods as allMethods, type Cost, type Method, type Row, type Summary } from '../report/rows.js';
import type { Unit } from './plan.js';

export const measures = ['worstGroupAccuracy', 'meanGroupAccuracy', 'trainWeightedAccuracy', 'accuracy', 'gapClosed'] as const;
export type Measure = (typeof measures)[number];

/** A measure over seeds. */
export interface Mean {
  /** null where a seed has no value. */
  mean: number | null;
  /** 95 %, Student's t over the seeds; null with a single one, without a mean, and for the teacher, which all seeds share. */
  interval: [low: number, high: number] | null;
  /** One per seed. */
  values: (number | null)[];
}

interface Place {
  dataset: string;
  variant: string;
  method: Method;
  /** The seeds that are done, in the order of the values. */
  seeds: number[];
}

export interface StudyRow extends Place, Record<Measure, Mean> {
  /** Why there are no numbers. */
  undefined?: string;
  /** Wilson's 95 % interval of the worst group over the test images, its ends averaged over the seeds. */
  worstGroupInterval?: [low: number, high: number];
  /** As of a row of a run. */
  corruptions?: Record<'accuracy' | 'error', Mean>;
  /** Images before selection, training steps and seconds of one seed on average. */
  generated: number;
  trainingSteps: number;
  seconds: number;
  /** Of one seed on average, as of a row of a run. */
  cost?: Cost;
}

/** What a row has more than another one of the dataset, seed by seed: than another method, or than itself in the first variant. */
export interface Difference extends Place, Record<'worstGroupAccuracy' | 'meanGroupAccuracy', Mean> {
  reference: Method;
  referenceVariant: string;
}

export interface StudyRows {
  rows: StudyRow[];
  differences: Difference[];
}

/** Rows of what is done, by dataset and variant, each in the order of the table; a place without the reference has no differences to it. Differences of a place: between its methods, then to the first variant. */
export function studyRows({ cells, reference }: Pick<Study, 'cells' | 'reference'>, units: readonly Unit[]): StudyRows {
  const rows: StudyRow[] = [];
  const differences: Difference[] = [];
  for (const { dataset, variant, config } of cells) {
    const wanted = allMethods.filter((method) => method === 'teacher' || method === 'edrm' || config.methods.includes(method));
    const done = units.filter((unit) => unit.dataset === dataset && unit.variant === variant && unit.result);
    if (done.length === 0) continue;
    const own = wanted.map((method) => studyRow({ dataset, variant, method, seeds: done.map(({ seed }) => seed) }, done.map((unit) => rowOf(unit, method))));
    rows.push(...own);
    differences.push(...pairs(own, reference), ...sinceFirstVariant(own, cells, rows));
  }
  return { rows, differences };
}

function studyRow(place: Place, rows: readonly Row[]): StudyRow {
  const mean = (values: readonly (number | null)[]): Mean => (place.method === 'teacher' ? { ...meanOf(values), interval: null } : meanOf(values));
  const undefinedReason = rows.map((row) => row.undefined).find((reason) => reason !== undefined);
  return {
    ...place,
    ...(undefinedReason !== undefined && { undefined: undefinedReason }),
    ...(Object.fromEntries(measures.map((measure) => [measure, mean(rows.map((row) => single(row[measure])))])) as Record<Measure, Mean>),
    ...(rows.every((row) => row.worstGroupIntervals) && { worstGroupInterval: [0, 1].map((end) => average(rows.map((row) => row.worstGroupIntervals![0]![end]!))) as [number, number] }),
    ...(rows.every((row) => row.corruptions) && { corruptions: { accuracy: mean(rows.map((row) => single(row.corruptions!.accuracy))), error: mean(rows.map((row) => single(row.corruptions!.error))) } }),
    generated: average(rows.map((row) => row.generated)),
    trainingSteps: average(rows.map((row) => row.trainingSteps)),
    seconds: average(rows.map((row) => row.seconds)),
    ...averageCost(rows.map((row) => row.cost)),
  };
}

/** A run that is given its teacher has no steps and seconds for it: those are the foundation's. */
function rowOf({ result, foundation }: Unit, method: Method): Row {
  const row = result!.rows.find((one) => one.method === method)!;
  return method === 'teacher' && foundation ? { ...row, trainingSteps: foundation.spent.trainingSteps, seconds: row.seconds + foundation.spent.seconds } : row;
}

/** A run of a study has one seed; one of an older version may lack a measure. */
function single(summary: Summary<number | null> | undefined): number | null {
  return summary?.values[0] ?? null;
}

export function meanOf(values: readonly (number | null)[]): Mean {
  const numbers = values.filter((value) => value !== null);
  const whole = numbers.length === values.length && numbers.length > 0;
  return {
    mean: whole ? average(numbers) : null,
    interval: whole ? meanInterval(numbers) : null,
    values: [...values],
  };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Every row less the reference, then the ConfiG row less every other one. */
function pairs(rows: readonly StudyRow[], reference: Method): Difference[] {
  const measured = rows.filter((row) => row.undefined === undefined);
  const row = (method: Method): StudyRow | undefined => measured.find((one) => one.method === method);
  const [against, config] = [row(reference), row('config')];
  return [
    ...(against ? measured.filter((one) => one !== against).map((one) => difference(one, against)) : []),
    ...(config && config !== against ? measured.filter((one) => one !== config && one !== against).map((one) => difference(config, one)) : []),
  ];
}

/** Each row of students less that of the same method in the first variant that is to have it, over the seeds that both have. */
function sinceFirstVariant(own: readonly StudyRow[], cells: Study['cells'], rows: readonly StudyRow[]): Difference[] {
  return own.flatMap((row) => {
    const first = cells.find(({ dataset, config }) => dataset === row.dataset && (row.method === 'edrm' || (config.methods as readonly Method[]).includes(row.method)));
    if (!first || first.variant === row.variant || row.undefined !== undefined) return [];
    const other = rows.find(({ dataset, variant, method }) => dataset === row.dataset && variant === first.variant && method === row.method);
    if (!other || other.undefined !== undefined || !row.seeds.some((seed) => other.seeds.includes(seed))) return [];
    return [difference(row, other)];
  });
}

function difference(row: StudyRow, other: StudyRow): Difference {
  const { dataset, variant, method } = row;
  const seeds = row.seeds.filter((seed) => other.seeds.includes(seed));
  const less = (measure: 'worstGroupAccuracy' | 'meanGroupAccuracy'): Mean => {
    const of = (one: StudyRow, seed: number): number | null => one[measure].values[one.seeds.indexOf(seed)];
    return meanOf(seeds.map((seed) => {
      const [value, base] = [of(row, seed), of(other, seed)];
      return value === null || base === null ? null : value - base;
    }));
  };
  return { dataset, variant, method, seeds, reference: other.method, referenceVariant: other.variant, worstGroupAccuracy: less('worstGroupAccuracy'), meanGroupAccuracy: less('meanGroupAccuracy') };
}
