/** From the outcomes of a run to the rows of its result: each method over the seeds, in the order of the table. */
import { asReference, corruptionMetrics } from '../metrics/corruption-error.js';
import { gapClosed, worstGroupOf } from '../metrics/groups.js';
import { methods, summarise, type Method, type Row } from '../report/rows.js';
import { averageCost } from './cost.js';
import { isMeasured, type Measured, type Outcome } from './outcome.js';

export function toRows(outcomes: readonly Outcome[]): Row[] {
  const of = (method: Method): Outcome[] => outcomes.filter((outcome) => outcome.method === method);
  const [teachers, edrms] = [of('teacher').filter(isMeasured), of('edrm').filter(isMeasured)];
  return methods
    .filter((method) => of(method).length > 0)
    .map((method) => {
      const own = of(method);
      const measured = own.filter(isMeasured);
      return measured.length === own.length ? measuredRow(method, measured, { teachers, edrms, erms: of('erm').filter(isMeasured) }) : undefinedRow(method, own);
    });
}

function measuredRow(method: Method, own: readonly Measured[], { teachers, edrms, erms }: Record<'teachers' | 'edrms' | 'erms', readonly Measured[]>): Row {
  const wga = ({ metrics }: Measured): number => metrics.worstGroupAccuracy;
  const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const upWeighted = own.flatMap((outcome) => outcome.upWeighted ?? []);
  const rounds = own.flatMap((outcome) => outcome.rounds ?? []);
  return {
    method,
    worstGroupAccuracy: summarise(own.map(wga)),
    worstGroupIntervals: own.map(({ metrics }) => worstGroupOf(metrics).interval),
    meanGroupAccuracy: summarise(own.map(({ metrics }) => metrics.meanGroupAccuracy)),
    trainWeightedAccuracy: summarise(own.map(({ metrics }) => metrics.trainWeightedAccuracy)),
    accuracy: summarise(own.map(({ metrics }) => metrics.accuracy)),
    classes: own[0]!.metrics.classes.map(({ name }, place) => ({ name, accuracy: summarise(own.map(({ metrics }) => metrics.classes[place]!.accuracy)) })),
    gapClosed: summarise(own.map((outcome, i) => gapClosed(wga(outcome), wga(edrms[i]!), wga(teachers[i]!)))),
    ...corruptions(own, erms),
    generated: average(own.map(({ generated }) => generated)),
    ...(upWeighted.length > 0 && { upWeighted: summarise(upWeighted) }),
    ...(rounds.length > 0 && { rounds: summarise(rounds) }),
    trainingSteps: average(own.map(({ trainingSteps }) => trainingSteps)),
    seconds: average(own.map(({ seconds }) => seconds)),
    ...averageCost(own.map(({ cost }) => cost)),
  };
}

/** Of a row that was tested under corruptions. */
function corruptions(own: readonly Measured[], erms: readonly Measured[]): Pick<Row, 'corruptions'> {
  const measured = own.flatMap(({ corruptions }, i) => (corruptions ? [{ own: corruptions, erm: erms[i]?.corruptions }] : []));
  if (measured.length < own.length) return {};
  const metrics = measured.map(({ own, erm }) => corruptionMetrics(own, erm ? asReference(erm) : { clean: null, mean: {} }));
  return { corruptions: { accuracy: summarise(metrics.map(({ meanAccuracy }) => meanAccuracy)), error: summarise(metrics.map(({ meanCorruptionError }) => meanCorruptionError)) } };
}

/** The data decide it, so it is the same in every seed. */
function undefinedRow(method: Method, own: readonly Outcome[]): Row {
  const none = summarise<number | null>(own.map(() => null));
  return {
    method,
    undefined: own.find((outcome) => !isMeasured(outcome))!.undefined!,
    worstGroupAccuracy: none,
    meanGroupAccuracy: none,
    trainWeightedAccuracy: none,
    accuracy: none,
    classes: [],
    gapClosed: none,
    generated: 0,
    trainingSteps: 0,
    seconds: 0,
  };
}
