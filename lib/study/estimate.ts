/** How long what is missing of a study will take: by what is done of it, or by a probe of a few steps and images. */
import type { Config } from '../config/schema.js';
import { recipes, trainingOf, type ContinuedMethod, type Recipe } from '../methods/recipes.js';
import type { Method } from '../report/rows.js';
import { missingRows, type FoundationPlan, type StudyPlan, type Unit } from './plan.js';
import { secondsOfTasks, type TimedTask } from './pool.js';
import type { Rates } from './probe.js';

export interface Estimate {
  /** Of all that is missing, with as many processes as the study has. */
  seconds: number;
  /** What it rests on. */
  basis: 'nothing to do' | 'finished runs' | 'a short probe' | 'finished runs and a short probe';
}

/** Gives the rates of a dataset, from the first unit of it. */
export type Prober = (unit: Unit) => Promise<Rates>;

/** @returns also how many rows are to be made: without those that are known to be undefined, from finished runs or from a probe */
export async function estimate({ foundations, units }: StudyPlan, processes: number, prober: Prober): Promise<Estimate & { rows: number }> {
  const missing = units.filter(({ result }) => !result);
  if (missing.length === 0) return { rows: 0, seconds: 0, basis: 'nothing to do' };
  const uses = { finished: false, probe: false };
  const probes = new Map<string, Promise<Rates>>();
  const ratesOf = (unit: Unit): Promise<Rates> => {
    uses.probe = true;
    if (!probes.has(unit.dataset)) probes.set(unit.dataset, prober(unit));
    return probes.get(unit.dataset)!;
  };
  const trained = new Map<FoundationPlan | null, TimedTask>();
  for (const foundation of foundations) {
    const first = missing.find((unit) => unit.foundation === foundation);
    if (first && !foundation.done) trained.set(foundation, { after: null, seconds: foundationSeconds(foundation, await ratesOf(first)) });
  }
  let rows = 0;
  const runs: TimedTask[] = [];
  for (const unit of missing) {
    let seconds = 0;
    for (const method of missingRows(unit)) {
      if (isUndefined(unit, method, units)) continue;
      const measured = measuredSeconds(unit, method, units);
      const rates = measured === undefined ? await ratesOf(unit) : null;
      if (rates?.undefinedRows.includes(method)) continue;
      if (!rates) uses.finished = true;
      seconds += rates ? rowSeconds(unit, method, rates) : measured!;
      rows++;
    }
    runs.push({ after: trained.get(unit.foundation) ?? null, seconds });
  }
  const basis = !uses.probe ? 'finished runs' : uses.finished ? 'finished runs and a short probe' : 'a short probe';
  return { rows, seconds: secondsOfTasks([...trained.values(), ...runs], processes), basis };
}

/** Whether a run on the same data has found the row undefined. */
function isUndefined({ config }: Unit, method: Method, units: readonly Unit[]): boolean {
  return units.some((other) => other.undefinedRows.includes(method) && JSON.stringify(other.config.data) === JSON.stringify(config.data));
}

/** What the row took on average in finished runs of the same dataset and variant, or of the same dataset. */
function measuredSeconds(unit: Unit, method: Method, units: readonly Unit[]): number | undefined {
  const sameDataset = units.filter((other) => other.result && other.dataset === unit.dataset);
  const sameCell = sameDataset.filter((other) => other.variant === unit.variant);
  const seconds = (sameCell.length > 0 ? sameCell : sameDataset).flatMap(({ result }) => result!.rows.filter((row) => row.method === method).map((row) => row.seconds));
  return seconds.length > 0 ? seconds.reduce((sum, value) => sum + value, 0) / seconds.length : undefined;
}

function rowSeconds({ config }: Unit, method: 'edrm' | ContinuedMethod, rates: Rates): number {
  const { student, rounds, methods } = config;
  const fromNew = student.training.steps * rates.studentStep;
  if (method === 'edrm') return fromNew;
  const recipe = recipes[method];
  const { images } = recipe;
  const reused = method === 'unguided-selected' && methods.includes('unguided'); // the images of the other row
  const image = images === null || reused ? 0 : images.guidance === 'none' ? rates.unguidedImage : rates.guidedImage;
  const step = (rates.roundStep * (passes(trainingOf(recipe, rounds.training)) + attackPasses(recipe, config))) / passes(rounds.training);
  // The student that the row begins with, and the helper of TAB, are trained as the EDRM student is.
  const trainsAnother = recipe.labelsOnly || recipe.real === 'clusters-balanced';
  return (trainsAnother ? fromNew : 0) + rounds.count * (rounds.training.steps * step + rounds.imagesPerRound * image);
}

/** Beside them, of adversaries that are made in each step: those of the attack, and the adversaries themselves. */
function attackPasses({ online }: Recipe, { adversarialTraining, dad }: Config): number {
  return online === 'plain' ? adversarialTraining.steps : online === 'discrete' ? dad.attack.steps + 1 : 0;
}

/** Of the student in each step: AugMix has three views of an image. */
function passes({ augment }: Config['rounds']['training']): number {
  return augment.policy === 'augmix' ? 3 : 1;
}

function foundationSeconds({ config }: FoundationPlan, rates: Rates): number {
  return config.teacher.training.steps * rates.teacherStep + config.generator.training.steps * rates.generatorStep;
}
