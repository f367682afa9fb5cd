/** How long what is missing of a study will take: by what is done of it, or by a probe of a few steps and images. */
import type { Method } from '../report/rows.js';
import { recipes } from '../methods/recipes.js';
import { missingRows, type FoundationPlan, type StudyPlan, type Unit } from './plan.js';
import type { Rates } from './probe.js';

export interface Estimate {
  /** Of all that is missing, with as many processes as the study has. */
  seconds: number;
  /** What it rests on. */
  basis: 'nothing to do' | 'finished runs' | 'a short probe' | 'finished runs and a short probe';
}

/** Gives the rates of a dataset, from the first unit of it. */
export type Prober = (unit: Unit) => Promise<Rates>;

export async function estimate({ foundations, units }: StudyPlan, processes: number, prober: Prober): Promise<Estimate> {
  const missing = units.filter(({ result }) => !result);
  const untrained = foundations.filter(({ done }) => !done);
  if (missing.length === 0) return { seconds: 0, basis: 'nothing to do' };
  const uses = { finished: false, probe: false };
  const probes = new Map<string, Promise<Rates>>();
  const ratesOf = (unit: Unit): Promise<Rates> => {
    uses.probe = true;
    if (!probes.has(unit.dataset)) probes.set(unit.dataset, prober(unit));
    return probes.get(unit.dataset)!;
  };
  let seconds = 0;
  for (const foundation of untrained) seconds += foundationSeconds(foundation, await ratesOf(units.find((unit) => unit.foundation === foundation)!));
  for (const unit of missing) {
    for (const method of missingRows(unit)) {
      const measured = measuredSeconds(unit, method, units);
      if (measured !== undefined) uses.finished = true;
      seconds += measured ?? rowSeconds(unit, method, await ratesOf(unit));
    }
  }
  const basis = !uses.probe ? 'finished runs' : uses.finished ? 'finished runs and a short probe' : 'a short probe';
  return { seconds: seconds / Math.min(processes, missing.length), basis };
}

/** What the row took on average in finished runs of the same dataset and variant, or of the same dataset. */
function measuredSeconds(unit: Unit, method: Method, units: readonly Unit[]): number | undefined {
  const sameDataset = units.filter((other) => other.result && other.dataset === unit.dataset);
  const sameCell = sameDataset.filter((other) => other.variant === unit.variant);
  const seconds = (sameCell.length > 0 ? sameCell : sameDataset).flatMap(({ result }) => result!.rows.filter((row) => row.method === method).map((row) => row.seconds));
  return seconds.length > 0 ? seconds.reduce((sum, value) => sum + value, 0) / seconds.length : undefined;
}

function rowSeconds({ config }: Unit, method: Exclude<Method, 'teacher'>, rates: Rates): number {
  const { student, rounds, methods } = config;
  if (method === 'edrm') return student.training.steps * rates.studentStep;
  const { images } = recipes[method];
  const reused = method === 'unguided-selected' && methods.includes('unguided'); // the images of the other row
  const image = images === null || reused ? 0 : images.guidance === 'none' ? rates.unguidedImage : rates.guidedImage;
  return rounds.count * (rounds.training.steps * rates.roundStep + rounds.imagesPerRound * image);
}

function foundationSeconds({ config }: FoundationPlan, rates: Rates): number {
  return config.teacher.training.steps * rates.teacherStep + config.generator.training.steps * rates.generatorStep;
}
