/** The folder of a foundation that is to be shipped or shared: its stages are in `work/`, which goes when all is written. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { explainStop } from '../errors.js';
import { aloneIn } from '../lock.js';
import { Engine } from '../native/engine.js';
import { openMetricsLog } from '../report/metrics-log.js';
import { fileError } from '../training/files.js';
import { stepsDone } from '../training/stage.js';
import type { RunContext } from './context.js';
import type { RunOptions } from './run.js';
import { prepareRunFolder, saveRunConfig } from './run-folder.js';

/**
 * `check` fails before anything is written, `train` does what an interruption may leave for later, and `write` puts into the folder
 * what it is for.
 */
export async function inFoundationFolder<Trained, Result>(
  config: Config,
  options: RunOptions,
  { check, train, write }: {
    check(context: RunContext): void | Promise<void>;
    train(context: RunContext): Promise<Trained>;
    write(context: RunContext, trained: Trained, folder: string): Promise<Result>;
  },
): Promise<Result> {
  const folder = config.output ?? join('runs', config.name);
  const work = join(folder, 'work');
  const fresh = prepareRunFolder(work, config, options.resume ?? false);
  const result = await aloneIn(work, 'foundation', async () => {
    const context = await openContext(config, work, options);
    await check(context);
    if (fresh) await saveRunConfig(work, config);
    const log = await openMetricsLog(work, { keep: (row) => row.step <= stepsDone(work, row.stage) });
    context.reporter.log = (row) => log.write(row);
    return train(context)
      .then((trained) => write(context, trained, folder))
      .catch((error) => {
        throw explainStop(error, `Stopped. What was done until now is in ${work}.`, 'Continue with --resume.');
      });
  });
  await rm(work, { recursive: true }).catch((error) => {
    throw fileError(error, 'remove', work);
  });
  return result;
}

/** Its log is opened once it is clear that there will be a run. */
async function openContext(config: Config, folder: string, { signal, onProgress = () => {} }: RunOptions): Promise<RunContext> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  return { config, engine, data, folder, reporter: { log: async () => {}, progress: onProgress }, ...(signal && { signal }) };
}
