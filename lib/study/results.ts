/** From the runs of a study to its rows: means over seeds with intervals, and differences paired by seed. */
import type { Study } from '../config/study.js';
import { meanInterval } from '../metrics/student-t.js';
import { methods as allMethods, type Method, type Row, type Summary } from '../report/rows.js';
import type { Unit } from './plan.js';

export const measures = ['worstGroupAccuracy', 'meanGroupAccuracy', 'trainWeightedAccuracy', 'gapClosed'] as const;
export type Measure = (typeof measures)[number];

/** A measure over seeds. */
export interface Mean {
  /** null where a seed has no value. */
  mean: number | null;
  /** 95 %, Student's t over the seeds; null with a single one or without a mean. */
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
  /** Images before selection, training steps and seconds of one seed; seconds on average. */
  generated: number;
  trainingSteps: number;
  seconds: number;
}

/** What a row has more than another one, seed by seed. */
export interface Difference extends Place, Record<'worstGroupAccuracy' | 'meanGroupAccuracy', Mean> {
  reference: Method;
}

export interface StudyRows {
  rows: StudyRow[];
  differences: Difference[];
}

/** Rows of what is done, by dataset and variant, each in the order of the table; a place without the reference has no differences to it. */
export function studyRows({ cells, reference }: Pick<Study, 'cells' | 'reference'>, units: readonly Unit[]): StudyRows {
  const rows: StudyRow[] = [];
  const differences: Difference[] = [];
  for (const { dataset, variant, config } of cells) {
    const wanted = allMethods.filter((method) => method === 'teacher' || method === 'edrm' || config.methods.includes(method));
    const done = units.filter((unit) => unit.dataset === dataset && unit.variant === variant && unit.result);
    if (done.length === 0) continue;
    const own = wanted.map((method) => studyRow({ dataset, variant, method, seeds: done.map(({ seed }) => seed) }, done.map((unit) => rowOf(unit, method))));
    rows.push(...own);
    differences.push(...pairs(own, reference));
  }
  return { rows, differences };
}

function studyRow(place: Place, rows: readonly Row[]): StudyRow {
  const undefinedReason = rows.map((row) => row.undefined).find((reason) => reason !== undefined);
  return {
    ...place,
    ...(undefinedReason !== undefined && { undefined: undefinedReason }),
    ...(Object.fromEntries(measures.map((measure) => [measure, meanOf(rows.map((row) => single(row[measure])))])) as Record<Measure, Mean>),
    generated: rows[0].generated,
    trainingSteps: rows[0].trainingSteps,
    seconds: rows.reduce((sum, { seconds }) => sum + seconds, 0) / rows.length,
  };
}

/** A run that is given its teacher has no steps and seconds for it: those are the foundation's. */
function rowOf({ result, foundation }: Unit, method: Method): Row {
  const row = result!.rows.find((one) => one.method === method)!;
  return method === 'teacher' && foundation ? { ...row, ...foundation.spent } : row;
}

/** A run of a study has one seed. */
function single({ values }: Summary<number | null>): number | null {
  return values[0];
}

export function meanOf(values: readonly (number | null)[]): Mean {
  const numbers = values.filter((value) => value !== null);
  const whole = numbers.length === values.length && numbers.length > 0;
  return {
    mean: whole ? numbers.reduce((sum, value) => sum + value, 0) / numbers.length : null,
    interval: whole ? meanInterval(numbers) : null,
    values: [...values],
  };
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

function difference(row: StudyRow, other: StudyRow): Difference {
  const { dataset, variant, method, seeds } = row;
  const less = (measure: 'worstGroupAccuracy' | 'meanGroupAccuracy'): Mean =>
    meanOf(row[measure].values.map((value, place) => (value === null || other[measure].values[place] === null ? null : value - other[measure].values[place])));
  return { dataset, variant, method, seeds, reference: other.method, worstGroupAccuracy: less('worstGroupAccuracy'), meanGroupAccuracy: less('meanGroupAccuracy') };
}
