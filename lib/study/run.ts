/** Runs a study: what is missing of it, several runs at a time, and then its tables and report. */

import type { Study } from '../config/study.js';
import { explainStop, SparringError } from '../errors.js';
import { aloneIn } from '../lock.js';
import type { FoundationRole } from '../methods/foundation.js';
import { foundationRoles } from '../methods/shared-foundation.js';
import { stepsDone } from '../training/stage.js';
import { fileError, makeFolder } from '../training/files.js';
import { checkGiven } from './given.js';
import { estimate, type Estimate } from './estimate.js';
import { planStudy, type FoundationPlan, type StudyPlan, type Unit } from './plan.js';
import { runTasks, type Failure, type Task } from './pool.js';
import { runInProcess, type ProcessOptions } from './process.js';
import { writeStudyReport } from './report.js';
import type { StudyRows } from './results.js';

export interface StudyRunOptions {
  signal?: AbortSignal;
  /** Told what is there and how long the rest will take, before anything is begun. */
  onPlan?: (plan: StudyOverview) => void;
  /** Progress of a run of the study, such as `birds/base/seed-0`. */
  onProgress?: (run: string, stage: string, done: number, total: number, fields?: Record<string, number>) => void;
  /** A run has ended; `error` when it has failed. */
  onEnd?: (run: string, seconds: number, error?: unknown) => void;
  onWarning?: (warning: string) => void;
  /** The command, for the reports. */
  command?: string;
}

export interface StudyOverview {
  runs: number;
  done: number;
  /** Runs of which some row or step is there. */
  begun: number;
  /** Foundations that runs share and of which something is to be trained yet, and what. */
  foundations: number;
  training: FoundationRole[];
  /** Rows to be made yet, over all runs. */
  rows: number;
  processes: number;
  estimate: Estimate;
}

export interface StudyResult extends StudyRows {
  /** Of the study: table.md, table.csv, result.json, report.html. */
  folder: string;
}

/** What is done of a study and how long the rest will take; writes nothing. Throws what `runStudy` would throw before it begins. */
export async function overviewOf(study: Study, options: Pick<ProcessOptions, 'signal'> = {}): Promise<StudyOverview> {
  const plan = planStudy(study);
  await checkGiven(study, options.signal);
  return overview(study, plan, options);
}

async function overview({ processes }: Study, plan: StudyPlan, { signal }: Pick<ProcessOptions, 'signal'>): Promise<StudyOverview> {
  const { units, foundations } = plan;
  const missing = units.filter(({ result }) => !result);
  const isBegun = ({ folder, seed, config }: Unit): boolean => ['edrm', ...config.methods].some((method) => stepsDone(folder, `seed-${seed}/${method}`) > 0);
  // A run that gets its networks ready is probed as if it trained them: the weights are not there yet.
  const probe = async ({ config, foundation }: Unit) => {
    const { teacher, generator, discretiser } = foundation ? foundation.config : config;
    return (await runInProcess({ kind: 'probe', config: { ...config, teacher, generator, discretiser } }, { ...(signal && { signal }) }))!;
  };
  const { rows, ...estimated } = await estimate(plan, processes, probe);
  const begin = foundations.filter((foundation) => foundation.missing.length > 0 && missing.some((unit) => unit.foundation === foundation));
  return {
    runs: units.length,
    done: units.length - missing.length,
    begun: missing.filter(isBegun).length,
    foundations: begin.length,
    training: foundationRoles.filter((role) => begin.some((foundation) => foundation.missing.includes(role))),
    rows,
    processes,
    estimate: estimated,
  };
}

/**
 * Runs what is missing and writes the tables. A study that was stopped or has failed in part goes on when it is run
 * again. Throws SparringError; the tables then show the runs that are done. Two at once in one folder would write the
 * same files: the second is refused with 'usage'.
 */
export async function runStudy(study: Study, options: StudyRunOptions = {}): Promise<StudyResult> {
  const { output } = study;
  try {
    makeFolder(output);
  } catch (error) {
    throw fileError(error, 'create', output);
  }
  return aloneIn(output, 'study', () => runAlone(study, options));
}

async function runAlone(study: Study, options: StudyRunOptions): Promise<StudyResult> {
  const { signal, onPlan, command } = options;
  const plan = planStudy(study);
  const explain = (error: unknown): never => {
    throw explainStop(error, 'Stopped before anything was begun.', 'Give the command again.');
  };
  const given = await checkGiven(study, signal).catch(explain);
  onPlan?.(await overview(study, plan, options).catch(explain));
  await given.save();
  const failures = await runTasks(tasksOf(plan, options), study.processes, signal);
  const after = planStudy(study);
  const rows = after.units.some(({ result }) => result) ? await writeStudyReport(study, after, command) : { rows: [], differences: [] };
  const isMissing = after.units.some(({ result }) => !result);
  // One that was stopped when all was done is done.
  if (failures.some(({ error }) => !isAbort(error)) || (isMissing && (failures.length > 0 || signal?.aborted))) throw failureOf(study, failures, after.units);
  return { folder: study.output, ...rows };
}

/** The foundations that are missing, then the runs. */
function tasksOf({ foundations, units }: StudyPlan, options: StudyRunOptions): Task[] {
  const missing = units.filter(({ result }) => !result);
  const task = (name: string, after: Task | null, job: Parameters<typeof runInProcess>[0]): Task => ({ name, after, run: () => runOne(name, job, options) });
  const trained = new Map<FoundationPlan | null, Task>();
  for (const foundation of foundations) {
    if (foundation.missing.length === 0 || !missing.some((unit) => unit.foundation === foundation)) continue;
    trained.set(foundation, task(foundation.name, null, { kind: 'foundation', config: foundation.config, folder: foundation.folder, roles: foundation.roles }));
  }
  const { command } = options;
  return [...trained.values(), ...missing.map((unit) => task(unit.name, trained.get(unit.foundation) ?? null, { kind: 'run', config: unit.config, ...(command && { command }) }))];
}

async function runOne(name: string, job: Parameters<typeof runInProcess>[0], { signal, onProgress, onWarning, onEnd }: StudyRunOptions): Promise<void> {
  const begin = performance.now();
  const seconds = (): number => (performance.now() - begin) / 1000;
  try {
    await runInProcess(job, {
      ...(signal && { signal }),
      onProgress: (stage, done, total, fields) => onProgress?.(name, stage.split('/').at(-1)!, done, total, fields),
      onWarning: (warning) => onWarning?.(`${name}: ${warning}`),
    });
  } catch (error) {
    onEnd?.(name, seconds(), error);
    throw error;
  }
  onEnd?.(name, seconds());
}

function isAbort(error: unknown): boolean {
  return error instanceof SparringError && error.code === 'aborted';
}

/** One error for all that went wrong: the first, and how many more. */
function failureOf({ output }: Study, failures: readonly Failure[], units: readonly Unit[]): Error {
  const missing = units.filter(({ result }) => !result).length;
  const first = failures.find(({ error }) => !isAbort(error));
  if (!first) return new SparringError('aborted', `Stopped with ${missing} of ${units.length} runs missing. What was done until now is in ${output}.`, 'Go on with the same command.');
  if (!(first.error instanceof SparringError)) return first.error as Error;
  const { code, message, hint, stack } = first.error;
  const error = new SparringError(code, `${first.task.name}: ${message} (${missing} of ${units.length} runs are missing)`, `${hint ? `${hint} ` : ''}The same command does what is missing.`, { cause: first.error });
  if (code === 'internal' && stack) error.stack = stack;
  return error;
}
