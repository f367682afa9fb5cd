/** Teacher, generator and discretiser for several runs: trained once, in a folder of the form that a run has. */
import { isTrainedDiscretiser } from '../config/discretiser.js';
import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { explainStop } from '../errors.js';
import { Engine } from '../native/engine.js';
import { openMetricsLog } from '../report/metrics-log.js';
import { stepsDone } from '../training/stage.js';
import { obtainDiscretiser, readyDiscretiser } from './discretiser.js';
import { checkSplits, isTrained, isTrainedGenerator, obtainFoundation, obtainTeacher, type FoundationRole } from './foundation.js';
import { takesDiscretiser, takesGenerator } from './recipes.js';
import type { RunOptions } from './run.js';
import { prepareRunFolder, saveRunConfig } from './run-folder.js';

/** What of a config decides which foundation it has. */
export const foundationKeys = ['data', 'teacher', 'generator', 'discretiser', 'seed', 'device', 'threads', 'precision'] as const satisfies readonly (keyof Config)[];

/** In the order in which they are trained. */
export const foundationRoles = ['teacher', 'generator', 'discretiser'] as const satisfies readonly FoundationRole[];

/** Whether some row draws on it, as every one does on the teacher. */
export function drawOn(role: FoundationRole, methods: Config['methods']): boolean {
  return role === 'teacher' || (role === 'generator' ? takesGenerator(methods) : takesDiscretiser(methods));
}

/** What is to be trained for the rows of a config. */
export function trainedRoles({ teacher, generator, discretiser, methods }: Pick<Config, FoundationRole | 'methods'>): FoundationRole[] {
  const trained = { teacher: isTrained(teacher), generator: isTrainedGenerator(generator), discretiser: isTrainedDiscretiser(discretiser) };
  return foundationRoles.filter((role) => trained[role] && drawOn(role, methods));
}

/** Trains those, or what is missing of them, into `foundation/` below `folder`: the weights that a run of the same config would have. */
export async function shareFoundation(config: Config, folder: string, roles: readonly FoundationRole[], { signal, onProgress = () => {} }: Pick<RunOptions, 'signal' | 'onProgress'> = {}): Promise<void> {
  const unsaved = prepareRunFolder(folder, config, true, foundationKeys);
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  checkSplits(config, data, { generates: roles.includes('generator') });
  if (roles.includes('discretiser')) await readyDiscretiser({ config, engine, data });
  if (unsaved) await saveRunConfig(folder, config);
  const log = await openMetricsLog(folder, { keep: (row) => row.step <= stepsDone(folder, row.stage) });
  const reporter = { log: (row: Parameters<typeof log.write>[0]) => log.write(row), progress: onProgress };
  const context = { config, engine, data, folder, reporter, ...(signal && { signal }) };
  try {
    const teacher = roles.includes('generator') ? (await obtainFoundation(context)).teacher : (await obtainTeacher(context)).model;
    if (roles.includes('discretiser')) await obtainDiscretiser(context, teacher);
  } catch (error) {
    throw explainStop(error, `Stopped. What was done until now is in ${folder}.`, 'Continue with --resume.');
  }
}
