/** How long what is missing of a study will take: by what is done of it, or by a probe of a few steps and images. */
import type { Config } from '../config/schema.js';
import { imagesOfRound } from '../methods/allocation.js';
import { recipes, trainingOf, type ContinuedMethod, type CounterpartKind, type Recipe } from '../methods/recipes.js';
import { drawOn } from '../methods/shared-foundation.js';
import type { Method } from '../report/rows.js';
import { allGeneratorSettings } from '../store/settings.js';
import { missingRows, passSeconds, type FoundationPlan, type StudyPlan, type Unit } from './plan.js';
import { stepsDone } from '../training/stage.js';
import { secondsOfTasks, type TimedTask } from './pool.js';
import { probedParts, type Rates } from './probe.js';

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
    // A variant may draw on what another leaves alone, or go without what another asks for.
    const { data, methods, evaluation, discretiser, sampling, dad } = unit.config;
    const key = JSON.stringify([unit.dataset, data, probedParts(methods), evaluation.corruptions, discretiser, sampling.start, dad]);
    if (!probes.has(key)) probes.set(key, prober(unit));
    return probes.get(key)!;
  };
  const trained = new Map<FoundationPlan | null, TimedTask>();
  for (const foundation of foundations) {
    const own = missing.filter((unit) => unit.foundation === foundation);
    if (own.length === 0 || foundation.missing.length === 0) continue;
    let seconds = 0;
    for (const role of foundation.missing) {
      const first = own.find(({ config }) => drawOn(role, config.methods));
      if (first) seconds += foundation.config[role].training.steps * (await ratesOf(first))[`${role}Step`]; // what is begun counts as a whole
    }
    trained.set(foundation, { after: null, seconds });
  }
  let rows = 0;
  const runs: TimedTask[] = [];
  for (const unit of missing) {
    const tested = unit.config.evaluation.corruptions ? (await ratesOf(unit)).corruptions : 0; // which is no cost of a row
    let seconds = stepsDone(unit.folder, 'teacher') < Infinity ? tested : 0;
    const kinds = new Set<CounterpartKind>();
    const given = (await Promise.all(unit.config.dad.stores.map(allGeneratorSettings))).flat().map(({ variant }) => variant);
    for (const method of missingRows(unit)) {
      if (isUndefined(unit, method, units)) continue;
      const measured = measuredSeconds(unit, method, units);
      const rates = measured === undefined ? await ratesOf(unit) : null;
      if (rates?.undefinedRows.includes(method)) continue;
      if (!rates) uses.finished = true;
      seconds += tested + (rates ? rowSeconds(unit, method, rates) : measured!);
      rows++;
      const kind = counterpartsOf(method);
      if (kind && !given.includes(kind) && passSeconds(unit, kind) === undefined) kinds.add(kind);
    }
    // Once for all rows of a run.
    for (const kind of kinds) seconds += measuredPass(unit, kind, units) ?? passOf(kind, await ratesOf(unit));
    runs.push({ after: trained.get(unit.foundation) ?? null, seconds });
  }
  const basis = !uses.probe ? 'finished runs' : uses.finished ? 'finished runs and a short probe' : 'a short probe';
  return { rows, seconds: secondsOfTasks([...trained.values(), ...runs], processes), basis };
}

/** Whether a run on the same data has found the row undefined. */
function isUndefined({ config }: Unit, method: Method, units: readonly Unit[]): boolean {
  return units.some((other) => other.undefinedRows.includes(method) && JSON.stringify(other.config.data) === JSON.stringify(config.data));
}

/** What the row took on average in finished runs of the same dataset and variant, or of the same dataset, but for the making of counterparts. */
function measuredSeconds(unit: Unit, method: 'edrm' | ContinuedMethod, units: readonly Unit[]): number | undefined {
  const kind = counterpartsOf(method);
  return average(likeRuns(unit, units).flatMap((other) => other.result!.rows.filter((row) => row.method === method).map((row) => row.seconds - (kind ? (passSeconds(other, kind) ?? 0) : 0))));
}

/** What the making of counterparts took in them. */
function measuredPass(unit: Unit, kind: CounterpartKind, units: readonly Unit[]): number | undefined {
  return average(likeRuns(unit, units).flatMap((other) => passSeconds(other, kind) ?? []));
}

function counterpartsOf(method: 'edrm' | ContinuedMethod): CounterpartKind | undefined {
  return method === 'edrm' ? undefined : recipes[method].counterparts;
}

function passOf(kind: CounterpartKind, rates: Rates): number {
  return rates.trainImages * (kind === 'generator' ? rates.generatorAdversary : rates.adversary);
}

function likeRuns(unit: Unit, units: readonly Unit[]): Unit[] {
  const sameDataset = units.filter((other) => other.result && other.dataset === unit.dataset);
  const sameCell = sameDataset.filter((other) => other.variant === unit.variant);
  return sameCell.length > 0 ? sameCell : sameDataset;
}

function average(values: readonly number[]): number | undefined {
  return values.length > 0 ? values.reduce((sum, value) => sum + value, 0) / values.length : undefined;
}

function rowSeconds({ config }: Unit, method: 'edrm' | ContinuedMethod, rates: Rates): number {
  const { student, rounds, methods } = config;
  const fromNew = student.training.steps * rates.studentStep;
  if (method === 'edrm') return fromNew;
  const recipe = recipes[method];
  const { images } = recipe;
  const reused = method === 'unguided-selected' && methods.includes('unguided'); // the images of the other row
  const drawn = images?.guidance === 'none' ? rates.unguidedImage : rates.guidedImage;
  const image = images === null || reused ? 0 : drawn + (images.start ? 0 : rates.nullTextImage);
  const step = (rates.roundStep * (passes(trainingOf(recipe, rounds.training)) + adversaryPasses(recipe, config))) / passes(rounds.training) + rates.adversary * discretised(recipe, rounds.training);
  // The student that the row begins with, and the helper of TAB, are trained as the EDRM student is.
  const trainsAnother = recipe.labelsOnly || recipe.real === 'clusters-balanced';
  return (trainsAnother ? fromNew : 0) + rounds.count * (rounds.training.steps * step + imagesOfRound(rounds, { images: rates.trainImages, classes: rates.classes }) * image);
}

/** Beside them, of adversaries: the steps of a plain attack, or discrete ones beside the images, made beforehand (of real images alone) or in the step. */
function adversaryPasses({ images, counterparts, online }: Recipe, { adversarialTraining, rounds }: Config): number {
  const beforehand = !counterparts ? 0 : images ? 1 - rounds.replay : 1;
  return beforehand + (online === 'plain' ? adversarialTraining.steps : online ? 1 : 0);
}

/** Discrete adversaries that are made in each step; an attack on the student counts as one on the teacher. */
function discretised({ online }: Recipe, { batchSize }: Config['rounds']['training']): number {
  return online && online !== 'plain' ? batchSize : 0;
}

/** Of the student in each step: AugMix has three views of an image. */
function passes({ augment }: Config['rounds']['training']): number {
  return augment.policy === 'augmix' ? 3 : 1;
}
