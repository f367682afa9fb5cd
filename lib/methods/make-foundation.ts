/** Trains a foundation to be shipped or shared: 16-bit weights and a record of how they were made. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { explainStop, SparringError } from '../errors.js';
import { Engine } from '../native/engine.js';
import { isArchive } from '../native/torchscript.js';
import { openMetricsLog } from '../report/metrics-log.js';
import { fileError, writeFileAtomic } from '../training/files.js';
import { stepsDone } from '../training/stage.js';
import { evaluate } from './evaluate.js';
import { checkSplits, foundationFiles, obtainFoundation, type Foundation } from './foundation.js';
import type { RunOptions } from './run.js';
import { prepareRunFolder, saveRunConfig } from './run-folder.js';

export interface FoundationResult {
  folder: string;
  teacher: { worstGroupAccuracy: number; meanGroupAccuracy: number };
  parameters: { teacher: number; generator: number };
  /** Training time of each, over all sessions; 0 for one whose weights were given. */
  seconds: Foundation['seconds'];
}

/** Throws SparringError; an interrupted training continues with `resume`. */
export async function makeFoundation(config: Config, options: RunOptions = {}): Promise<FoundationResult> {
  const { signal, onProgress = () => {} } = options;
  const { weights } = config.teacher;
  if (weights && isArchive(weights)) throw new SparringError('weights', `${weights}: expected safetensors, found TorchScript, which cannot be saved with the foundation.`, 'Give it as teacher.weights to `sparring distill` or `generate`.');
  if (config.generator.pretrained) throw new SparringError('config', 'generator.pretrained: expected a generator to train, found a published one, which is used as it is.', 'Give it to `sparring distill` or `generate`.');
  const folder = config.output ?? join('runs', config.name);
  const work = join(folder, 'work');
  const fresh = prepareRunFolder(work, config, options.resume ?? false);
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  checkSplits(config, data);
  if (fresh) await saveRunConfig(work, config);
  const log = await openMetricsLog(work, { keep: (row) => row.step <= stepsDone(work, row.stage) });
  const context = { config, engine, data, folder: work, reporter: { log: (row: Parameters<typeof log.write>[0]) => log.write(row), progress: onProgress }, ...(signal && { signal }) };
  const { teacher, generator, seconds } = await obtainFoundation(context).catch((error) => {
    throw explainStop(error, `Stopped. What was done until now is in ${work}.`, 'Continue with --resume.');
  });
  await teacher.save(join(folder, foundationFiles.teacher), 'fp16');
  await generator.save(join(folder, foundationFiles.generator), 'fp16');
  const metrics = await evaluate(teacher, data.test, { ...(signal && { signal }) });
  const result: FoundationResult = {
    folder,
    teacher: { worstGroupAccuracy: metrics.worstGroupAccuracy, meanGroupAccuracy: metrics.meanGroupAccuracy },
    parameters: {
      teacher: await engine.run((core) => core.parameterCount(teacher.handle)),
      generator: await engine.run((core) => core.parameterCount(generator.handle)),
    },
    seconds,
  };
  const { folder: _, ...measured } = result;
  const { data: dataset, teacher: teacherConfig, generator: generatorConfig, seed } = config;
  const record = { command: options.command, ...measured, config: { data: dataset, teacher: teacherConfig, generator: generatorConfig, seed } };
  await writeFileAtomic(join(folder, 'foundation.json'), `${JSON.stringify(record, null, 2)}\n`);
  await rm(work, { recursive: true }).catch((error) => {
    throw fileError(error, 'remove', work);
  });
  return result;
}
