/** What a study consists of, and what of it is done: units of dataset, variant and seed, and the foundations they share. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';

import type { Config } from '../config/schema.js';
import type { Cell, Study } from '../config/study.js';
import { foundationFiles, isTrained, isTrainedGenerator } from '../methods/foundation.js';
import type { RunEnvironment } from '../methods/run-environment.js';
import { checkSameRun, firstDifference, readRunConfig } from '../methods/run-folder.js';
import { foundationKeys } from '../methods/shared-foundation.js';
import type { Method, Row } from '../report/rows.js';
import { readSavedJson } from '../training/files.js';
import { stepsDone } from '../training/stage.js';

/** Teacher and generator of one or more cells, trained once. */
export interface FoundationPlan {
  /** `shared/3f2a81c0`: what people are told, and the folder within that of the study. */
  name: string;
  folder: string;
  config: Config;
  done: boolean;
  /** What was spent on it so far: steps of the teacher, seconds of both. */
  spent: { trainingSteps: number; seconds: number };
}

/** result.json of a stage of it. */
type Trained = { seconds: number; steps: number };

/** One run. */
export interface Unit {
  /** `birds/base/seed-0`, likewise. */
  name: string;
  folder: string;
  dataset: string;
  variant: string;
  seed: number;
  config: Config;
  /** Trained before it; null where nothing of it is trained. */
  foundation: FoundationPlan | null;
  /** When every row is there. */
  result: UnitResult | null;
  /** Rows that it has found undefined on the data, also when others are missing. */
  undefinedRows: Method[];
}

/** result.json of a run. */
export interface UnitResult {
  rows: Row[];
  environment: RunEnvironment;
}

export interface StudyPlan {
  foundations: FoundationPlan[];
  units: Unit[];
}

/** Looks at the folder of a study. Throws SparringError 'config' for a run that was made with another config. */
export function planStudy(study: Study): StudyPlan {
  const threads = study.threads || Math.max(1, Math.floor(availableParallelism() / study.processes));
  const foundations: FoundationPlan[] = [];
  const units: Unit[] = [];
  for (const cell of study.cells) {
    const foundation = foundationOf(study, cell, threads, foundations);
    for (const seed of study.seeds) units.push(unitOf(study, cell, seed, threads, foundation));
  }
  return { foundations, units };
}

/** That of an earlier cell if it would be the same, else a new one, which joins them; null when nothing is to be trained. */
function foundationOf({ output, seeds }: Study, { config }: Cell, threads: number, foundations: FoundationPlan[]): FoundationPlan | null {
  if (!isTrained(config.teacher) && !isTrainedGenerator(config.generator)) return null;
  const name = join('shared', foundationName(join(output, 'shared'), config));
  const folder = join(output, name);
  const same = foundations.find((other) => other.name === name);
  if (same) return same;
  const own: Config = { ...config, name: name.replaceAll('/', '-'), output: folder, seed: seeds[0], seeds: 1, methods: [], threads, ...saved(folder, ['seed', 'threads']) };
  const teacher = isTrained(own.teacher) ? readResult<Trained>(join(folder, 'foundation/teacher/result.json')) : { seconds: 0, steps: 0 };
  const generator = isTrainedGenerator(own.generator) ? readResult<Trained>(join(folder, 'foundation/generator/result.json')) : { seconds: 0 };
  const foundation: FoundationPlan = {
    name, folder, config: own,
    done: teacher !== undefined && generator !== undefined,
    spent: { trainingSteps: teacher?.steps ?? 0, seconds: (teacher?.seconds ?? 0) + (generator?.seconds ?? 0) },
  };
  foundations.push(foundation);
  return foundation;
}

/** What makes it another one. Its seed is the first of the study that it was begun for, whatever seeds join that study later. */
const settings = foundationKeys.filter((key) => key !== 'seed' && key !== 'threads');

/** The name of one that was begun with these settings, or a short hash of them: it depends neither on order nor on what else there is. */
function foundationName(shared: string, config: Config): string {
  const begun = existsSync(shared) ? readdirSync(shared).sort() : [];
  const same = begun.find((name) => {
    const before = readRunConfig(join(shared, name));
    return before !== undefined && firstDifference(before, config, settings) === undefined;
  });
  return same ?? createHash('sha256').update(JSON.stringify(settings.map((key) => config[key]))).digest('hex').slice(0, 8);
}

function unitOf(study: Study, { dataset, variant, config }: Cell, seed: number, threads: number, foundation: FoundationPlan | null): Unit {
  const name = `${dataset}/${variant}/seed-${seed}`;
  const folder = join(study.output, name);
  const own: Config = { ...withFoundation(config, foundation), name: name.replaceAll('/', '-'), output: folder, seed, seeds: 1, threads, ...saved(folder, ['threads']) };
  const before = readRunConfig(folder);
  if (before !== undefined) {
    if (foundation) checkSameFoundation(before as Partial<Config> | null, foundation);
    checkSameRun(folder, before, own);
  }
  const result = readResult<UnitResult>(join(folder, 'result.json'));
  const complete = result && ['teacher', 'edrm', ...own.methods].every((method) => result.rows.some((row) => row.method === method));
  return { name, folder, dataset, variant, seed, config: own, foundation, result: complete ? result : null, undefinedRows: (result?.rows ?? []).filter((row) => row.undefined !== undefined).map(({ method }) => method) };
}

/** Tells in which setting the foundation of a run was another one: the config of the run would tell its path alone. */
function checkSameFoundation(run: Partial<Config> | null, { folder, config }: FoundationPlan): void {
  for (const role of ['teacher', 'generator'] as const) {
    const weights = run?.[role]?.weights;
    if (typeof weights !== 'string') continue;
    const begun = dirname(dirname(dirname(weights))); // of <folder>/foundation/<role>/<file>
    const isOther = dirname(begun) === dirname(folder) && begun !== folder;
    const before = isOther ? readRunConfig(begun) : undefined;
    if (before !== undefined) checkSameRun(begun, before, config, settings);
  }
}

/** The config of a run that takes as weights what its foundation trains. */
function withFoundation(config: Config, foundation: FoundationPlan | null): Config {
  if (!foundation) return config;
  const weights = (role: keyof typeof foundationFiles): string => join(foundation.folder, 'foundation', role, foundationFiles[role]);
  const { teacher, generator } = config;
  const { start: _teacherStart, zeroShot: _zeroShot, ...readyTeacher } = teacher;
  const { start: _generatorStart, ...readyGenerator } = generator;
  return {
    ...config,
    teacher: isTrained(teacher) ? { ...readyTeacher, weights: weights('teacher') } : teacher,
    generator: isTrainedGenerator(generator) ? { ...readyGenerator, weights: weights('generator') } : generator,
  };
}

/** What was begun goes on with as many threads as it had: with others its numbers would differ in the last digits. Likewise a seed. */
function saved(folder: string, keys: readonly ('threads' | 'seed')[]): Partial<Pick<Config, 'threads' | 'seed'>> {
  const before = readRunConfig(folder) as Record<string, unknown> | null | undefined;
  return Object.fromEntries(keys.flatMap((key) => (typeof before?.[key] === 'number' ? [[key, before[key]]] : [])));
}

function readResult<Content>(path: string): Content | undefined {
  return readSavedJson(path, 'The file is damaged; delete it to have it written again.');
}

/** Rows of a unit that are to be made yet, EDRM first; a row is a stage of its own, but for one that is undefined. */
export function missingRows({ folder, seed, config, undefinedRows }: Unit): Exclude<Method, 'teacher'>[] {
  return (['edrm', ...config.methods] as const).filter((method) => !undefinedRows.includes(method) && stepsDone(folder, `seed-${seed}/${method}`) < Infinity);
}
