/** What a study consists of, and what of it is done: units of dataset, variant and seed, and the foundations they share. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, sep } from 'node:path';

import type { Config } from '../config/schema.js';
import type { Cell, Study } from '../config/study.js';
import { foundationFiles, type FoundationRole } from '../methods/foundation.js';
import type { CounterpartKind } from '../methods/recipes.js';
import type { RunEnvironment } from '../methods/run-environment.js';
import { checkSameRun, firstDifference, readRunConfig } from '../methods/run-folder.js';
import { foundationKeys, foundationRoles, trainedRoles } from '../methods/shared-foundation.js';
import type { Method, Row } from '../report/rows.js';
import { readSavedJson } from '../training/files.js';
import { stepsDone } from '../training/stage.js';

/** Teacher, generator and discretiser of one or more cells, as far as their rows draw on them: trained once. */
export interface FoundationPlan {
  /** `shared/3f2a81c0`: what people are told, and the folder within that of the study. */
  name: string;
  folder: string;
  config: Config;
  /** What is to be trained for the rows of all its cells, and what of it is not there yet. */
  roles: FoundationRole[];
  missing: FoundationRole[];
  /** What was spent on it so far: steps of the teacher, seconds of all. */
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
  const named = new Map(study.cells.filter(({ config }) => trainedRoles(config).length > 0).map((cell) => [cell, join('shared', foundationName(join(study.output, 'shared'), cell.config))]));
  const foundations = [...new Set(named.values())].map((name) => foundationOf(study, name, study.cells.filter((cell) => named.get(cell) === name), threads));
  const units = study.cells.flatMap((cell) => {
    const foundation = foundations.find(({ name }) => name === named.get(cell)) ?? null;
    return study.seeds.map((seed) => unitOf(study, cell, seed, threads, foundation));
  });
  return { foundations, units };
}

function foundationOf({ output, seeds }: Study, name: string, cells: readonly Cell[], threads: number): FoundationPlan {
  const folder = join(output, name);
  const config: Config = { ...cells[0].config, name: name.replaceAll('/', '-'), output: folder, seed: seeds[0], seeds: 1, methods: [], threads, ...saved(folder, ['seed', 'threads']) };
  const roles = trainedRoles({ ...config, methods: cells.flatMap((cell) => cell.config.methods) });
  const trained = new Map(roles.map((role) => [role, readResult<Trained>(join(folder, 'foundation', role, 'result.json'))]));
  const seconds = [...trained.values()].reduce((sum, result) => sum + (result?.seconds ?? 0), 0);
  return { name, folder, config, roles, missing: roles.filter((role) => !trained.get(role)), spent: { trainingSteps: trained.get('teacher')?.steps ?? 0, seconds } };
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

function unitOf({ output }: Study, { dataset, variant, config }: Cell, seed: number, threads: number, foundation: FoundationPlan | null): Unit {
  const name = `${dataset}/${variant}/seed-${seed}`;
  const folder = join(output, name);
  const before = readRunConfig(folder);
  const own: Config = { ...withFoundation(config, foundation, begunWith(before, output)), name: name.replaceAll('/', '-'), output: folder, seed, seeds: 1, threads, ...saved(folder, ['threads']) };
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
  for (const role of foundationRoles) {
    const weights = run?.[role]?.weights;
    if (typeof weights !== 'string') continue;
    const begun = dirname(dirname(dirname(weights))); // of <folder>/foundation/<role>/<file>
    const isOther = dirname(begun) === dirname(folder) && begun !== folder;
    const before = isOther ? readRunConfig(begun) : undefined;
    if (before !== undefined) checkSameRun(begun, before, config, settings);
  }
}

/** Weights that a run of the study was begun with and that the study trained: rows that draw on them may have left it since. */
function begunWith(before: unknown, output: string): Partial<Record<FoundationRole, string>> {
  const weights = foundationRoles.map((role) => [role, (before as Partial<Config> | null | undefined)?.[role]?.weights] as const);
  return Object.fromEntries(weights.filter(([, path]) => typeof path === 'string' && path.startsWith(join(output, 'shared') + sep)));
}

/** The config of a run that takes as weights what its foundation trains. */
function withFoundation(config: Config, foundation: FoundationPlan | null, begun: Partial<Record<FoundationRole, string>>): Config {
  const roles = trainedRoles(config);
  // What is trained here needs neither a start nor, of a teacher, prompts or, of a discretiser, LPIPS any more.
  const ready = <Section extends Config[FoundationRole]>(role: FoundationRole, section: Section): Section => {
    const isGiven = section.weights !== undefined || ('pretrained' in section && section.pretrained !== undefined);
    const weights = foundation && roles.includes(role) ? join(foundation.folder, 'foundation', role, foundationFiles[role]) : isGiven ? undefined : begun[role];
    if (weights === undefined) return section;
    const { start: _start, zeroShot: _zeroShot, lpips: _lpips, ...rest } = section as Record<string, unknown>;
    return { ...rest, weights } as Section;
  };
  return { ...config, teacher: ready('teacher', config.teacher), generator: ready('generator', config.generator), discretiser: ready('discretiser', config.discretiser) };
}

/** What was begun goes on with as many threads as it had: with others its numbers would differ in the last digits. Likewise a seed. */
function saved(folder: string, keys: readonly ('threads' | 'seed')[]): Partial<Pick<Config, 'threads' | 'seed'>> {
  const before = readRunConfig(folder) as Record<string, unknown> | null | undefined;
  return Object.fromEntries(keys.flatMap((key) => (typeof before?.[key] === 'number' ? [[key, before[key]]] : [])));
}

function readResult<Content>(path: string): Content | undefined {
  return readSavedJson(path, 'The file is damaged; delete it to have it written again.');
}

/** What the making of its counterparts of a kind took; undefined where they are not made. */
export function passSeconds({ folder }: Unit, kind: CounterpartKind): number | undefined {
  return readResult<{ seconds: number }>(join(folder, 'dad', kind, 'result.json'))?.seconds;
}

/** Rows of a unit that are to be made yet, EDRM first; a row is a stage of its own, but for one that is undefined. */
export function missingRows({ folder, seed, config, undefinedRows }: Unit): Exclude<Method, 'teacher'>[] {
  return (['edrm', ...config.methods] as const).filter((method) => !undefinedRows.includes(method) && stepsDone(folder, `seed-${seed}/${method}`) < Infinity);
}
