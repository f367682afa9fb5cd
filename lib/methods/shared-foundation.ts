/** Teacher and generator for several runs: trained once, in a folder of the form that a run has. */
import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { explainStop } from '../errors.js';
import { Engine } from '../native/engine.js';
import { openMetricsLog } from '../report/metrics-log.js';
import { stepsDone } from '../training/stage.js';
import { checkSplits, obtainFoundation } from './foundation.js';
import type { RunOptions } from './run.js';
import { prepareRunFolder, saveRunConfig } from './run-folder.js';

/** What of a config decides which foundation it has. */
export const foundationKeys = ['data', 'teacher', 'generator', 'seed', 'device', 'threads', 'precision'] as const satisfies readonly (keyof Config)[];

/** Trains them, or what is missing of them, into `foundation/` below `folder`: the weights that a run of the same config would have. */
export async function shareFoundation(config: Config, folder: string, { signal, onProgress = () => {} }: Pick<RunOptions, 'signal' | 'onProgress'> = {}): Promise<void> {
  const unsaved = prepareRunFolder(folder, config, true, foundationKeys);
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  checkSplits(config, data);
  if (unsaved) await saveRunConfig(folder, config);
  const log = await openMetricsLog(folder, { keep: (row) => row.step <= stepsDone(folder, row.stage) });
  const reporter = { log: (row: Parameters<typeof log.write>[0]) => log.write(row), progress: onProgress };
  await obtainFoundation({ config, engine, data, folder, reporter, ...(signal && { signal }) }).catch((error) => {
    throw explainStop(error, `Stopped. What was done until now is in ${folder}.`, 'Continue with --resume.');
  });
}
