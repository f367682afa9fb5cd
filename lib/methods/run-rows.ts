/** From the outcomes of a run to the rows of its result: each method over the seeds, in the order of the table. */
import { gapClosed } from '../metrics/groups.js';
import { methods, summarise, type Method, type Row } from '../report/rows.js';
import { isMeasured, type Measured, type Outcome } from './outcome.js';

export function toRows(outcomes: readonly Outcome[]): Row[] {
  const of = (method: Method): Outcome[] => outcomes.filter((outcome) => outcome.method === method);
  const [teachers, edrms] = [of('teacher').filter(isMeasured), of('edrm').filter(isMeasured)];
  return methods
    .filter((method) => of(method).length > 0)
    .map((method) => {
      const own = of(method);
      const measured = own.filter(isMeasured);
      return measured.length === own.length ? measuredRow(method, measured, teachers, edrms) : undefinedRow(method, own);
    });
}

function measuredRow(method: Method, own: readonly Measured[], teachers: readonly Measured[], edrms: readonly Measured[]): Row {
  const wga = ({ metrics }: Measured): number => metrics.worstGroupAccuracy;
  const average = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const upWeighted = own.flatMap((outcome) => outcome.upWeighted ?? []);
  const rounds = own.flatMap((outcome) => outcome.rounds ?? []);
  return {
    method,
    worstGroupAccuracy: summarise(own.map(wga)),
    meanGroupAccuracy: summarise(own.map(({ metrics }) => metrics.meanGroupAccuracy)),
    trainWeightedAccuracy: summarise(own.map(({ metrics }) => metrics.trainWeightedAccuracy)),
    classes: own[0]!.metrics.classes.map(({ name }, place) => ({ name, accuracy: summarise(own.map(({ metrics }) => metrics.classes[place]!.accuracy)) })),
    gapClosed: summarise(own.map((outcome, i) => gapClosed(wga(outcome), wga(edrms[i]!), wga(teachers[i]!)))),
    generated: average(own.map(({ generated }) => generated)),
    ...(upWeighted.length > 0 && { upWeighted: summarise(upWeighted) }),
    ...(rounds.length > 0 && { rounds: summarise(rounds) }),
    trainingSteps: average(own.map(({ trainingSteps }) => trainingSteps)),
    seconds: average(own.map(({ seconds }) => seconds)),
  };
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
    classes: [],
    gapClosed: none,
    generated: 0,
    trainingSteps: 0,
    seconds: 0,
  };
}
