/** Trains a foundation to be shipped or shared: 16-bit weights and a record of how they were made. */
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { isArchive } from '../native/torchscript.js';
import { writeFileAtomic } from '../training/files.js';
import { evaluate } from './evaluate.js';
import { checkSplits, foundationFiles, obtainFoundation, type Foundation } from './foundation.js';
import { inFoundationFolder } from './foundation-folder.js';
import type { RunOptions } from './run.js';

export interface FoundationResult {
  folder: string;
  teacher: { worstGroupAccuracy: number; meanGroupAccuracy: number };
  parameters: { teacher: number; generator: number };
  /** Training time of each, over all sessions; 0 for one whose weights were given. */
  seconds: Foundation['seconds'];
}

/** Throws SparringError; an interrupted training continues with `resume`. */
export async function makeFoundation(config: Config, options: RunOptions = {}): Promise<FoundationResult> {
  const { weights } = config.teacher;
  if (weights && isArchive(weights)) throw new SparringError('weights', `${weights}: expected safetensors, found TorchScript, which cannot be saved with the foundation.`, 'Give it as teacher.weights to `sparring distill` or `generate`.');
  if (config.generator.pretrained) throw new SparringError('config', 'generator.pretrained: expected a generator to train, found a published one, which is used as it is.', 'Give it to `sparring distill` or `generate`.');
  return inFoundationFolder(config, options, {
    check: ({ data }) => checkSplits(config, data),
    train: obtainFoundation,
    write: async ({ engine, data, signal }, { teacher, generator, seconds }, folder) => {
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
      return result;
    },
  });
}
