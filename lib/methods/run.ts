/** The main job: teacher and generator, then for each seed the EDRM student and its continuations, then the report. */
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { explainStop } from '../errors.js';
import { aloneIn } from '../lock.js';
import { Engine } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import { writeRunReport } from './run-report.js';
import { openMetricsLog } from '../report/metrics-log.js';
import type { Reporter } from '../report/reporter.js';
import { methods as allMethods, type Row } from '../report/rows.js';
import { writeFileAtomic } from '../training/files.js';
import { stepsDone } from '../training/stage.js';
import { checkCaptions, keepCaptions } from './captions.js';
import { openStage, type RunContext } from './context.js';
import { continueStudent } from './continuation.js';
import { corruptionErrors } from './corruption-errors.js';
import { trainFromLabels } from './erm.js';
import { distil, type StudentResult } from './distil.js';
import { obtainDiscretiser, readyDiscretiser } from './discretiser.js';
import { evaluate } from './evaluate.js';
import { checkSplits, isTrained, obtainFoundation, obtainTeacher, type Foundation, type FoundationRole } from './foundation.js';
import { openGivenAdversaries } from './given-adversaries.js';
import { checkFingerprints, fingerprintsOf, saveFingerprints } from './given-files.js';
import type { Outcome } from './outcome.js';
import { recipes, takesDiscretiser, takesGenerator, type ContinuedMethod } from './recipes.js';
import { runEnvironment } from './run-environment.js';
import { prepareRunFolder, saveRunConfig } from './run-folder.js';
import { toRows } from './run-rows.js';
import { checkStartImages } from './start-images.js';
import { undefinedReason, undefinedRows } from './undefined-rows.js';

export interface RunOptions {
  signal?: AbortSignal;
  onProgress?: Reporter['progress'];
  /** Continue the run in the output folder. Default false: the folder must be empty. */
  resume?: boolean;
  /** The command, for the report. */
  command?: string;
  /** Told what does not fit in the data but does not keep them from being used. */
  onWarning?: (warning: string) => void;
}

export interface RunResult {
  /** The run folder. */
  folder: string;
  rows: Row[];
  seeds: number;
}

/** Runs a whole comparison. Throws SparringError; what was done until then is in the run folder. */
export async function runDistil(config: Config, options: RunOptions = {}): Promise<RunResult> {
  const folder = config.output ?? join('runs', config.name);
  const fresh = prepareRunFolder(folder, config, options.resume ?? false);
  return aloneIn(folder, 'run', () => runStages(config, folder, fresh, options)).catch((error) => {
    throw explainStop(error, `Stopped. What was done until now is in ${folder}.`, 'Continue with --resume.');
  });
}

async function runStages(config: Config, folder: string, fresh: boolean, options: RunOptions): Promise<RunResult> {
  const { signal, onProgress = () => {} } = options;
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  for (const warning of data.warnings ?? []) options.onWarning?.(warning);
  const generates = takesGenerator(config.methods);
  checkSplits(config, data, { generates });
  checkStartImages(config, data.train);
  if (generates) checkCaptions(config, data.train);
  const discretises = takesDiscretiser(config.methods);
  if (discretises) await readyDiscretiser({ config, engine, data }, { trained: isReady('discretiser', folder) });
  const adversaries = await openGivenAdversaries({ config, engine, data, ...(signal && { signal }) });
  for (const row of undefinedRows(config.methods, data)) options.onWarning?.(row);
  const given = await fingerprintsOf([config], { passedOver: notRead(config, folder), signal });
  // Only now is it a run: what a wrong path, a missing split or a missing LibTorch leaves behind is an empty folder.
  if (fresh) await saveRunConfig(folder, config);
  if (generates) await keepCaptions(folder, config, data.train); // says more than that the list which has them is another
  checkFingerprints(folder, [config], given);
  await saveFingerprints(folder, given);
  const log = await openMetricsLog(folder, { keep: (row) => row.step <= stepsDone(folder, row.stage) });
  const reporter: Reporter = { log: (row) => log.write(row), progress: onProgress };
  const context: RunContext = { config, engine, data, folder, reporter, ...(signal && { signal }) };

  const ready = generates ? await obtainFoundation(context) : await withoutGenerator(context);
  const discretiser = discretises ? await obtainDiscretiser(context, ready.teacher) : null;
  const foundation = { ...ready, discretiser: discretiser?.model ?? null, adversaries };
  const { teacher } = foundation;
  const tested = await testTeacher(context, teacher);
  const { seconds } = foundation;

  const outcomes: Outcome[] = [];
  for (let seed = config.seed; seed < config.seed + config.seeds; seed++) {
    outcomes.push({ method: 'teacher', seed, ...tested, seconds: seconds.teacher + seconds.generator + (discretiser?.seconds ?? 0), trainingSteps: isTrained(config.teacher) ? config.teacher.training.steps : 0, generated: 0 });
    const { student, result } = await distil(context, teacher, seed);
    outcomes.push({ method: 'edrm', seed, ...result });
    for (const method of allMethods) {
      if (!config.methods.includes(method as ContinuedMethod)) continue;
      const reason = undefinedReason(method as ContinuedMethod, data);
      const outcome = reason ? { undefined: reason }
        : recipes[method as ContinuedMethod].labelsOnly ? await trainFromLabels(context, foundation, method as ContinuedMethod, seed)
        : await continueStudent(context, foundation, student, method as ContinuedMethod, seed);
      outcomes.push({ method, seed, ...outcome });
    }
  }
  const rows = toRows(outcomes);
  await writeRunReport(context, { outcomes, rows, log: log.rows, ...(options.command && { command: options.command }) });
  // Last, since with it the run is done.
  await writeFileAtomic(join(folder, 'result.json'), `${JSON.stringify({ rows, seeds: config.seeds, environment: runEnvironment(engine) }, null, 2)}\n`);
  return { folder, rows, seeds: config.seeds };
}

/** Keys of weights that no row reads, or that were read for a network whose training is done; and stores, which each row checks. */
function notRead({ methods }: Config, folder: string): string[] {
  const ready = (['teacher', 'generator', 'discretiser'] as const).filter((role) => isReady(role, folder));
  return [
    'dad.stores',
    ...(takesGenerator(methods) ? [] : ['generator', 'sampling']),
    ...(takesDiscretiser(methods) ? [] : ['discretiser']),
    ...ready.flatMap((role) => [`${role}.start`, `${role}.zeroShot`, `${role}.lpips`]),
  ];
}

/** Whether it was trained in this folder. */
function isReady(role: FoundationRole, folder: string): boolean {
  return stepsDone(folder, `foundation/${role}`) === Infinity;
}

/** The foundation of rows that generate nothing. */
async function withoutGenerator(context: RunContext): Promise<Omit<Foundation, 'discretiser' | 'adversaries'>> {
  const { model, seconds } = await obtainTeacher(context);
  return { teacher: model, generator: null, seconds: { teacher: seconds, generator: 0 } };
}

/** A stage of its own, since under corruptions it takes minutes. */
async function testTeacher(context: RunContext, teacher: Classifier): Promise<Pick<StudentResult, 'metrics' | 'corruptions'>> {
  const { data, signal } = context;
  const stage = openStage(context, 'teacher');
  if (!stage.finished()) await stage.finish({ metrics: await evaluate(teacher, data.test, { train: data.train, ...(signal && { signal }) }), ...(await corruptionErrors(context, teacher, stage)) });
  return stage.finished()!;
}
