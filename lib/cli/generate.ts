import { join } from 'node:path';
import type { CommandModule } from 'yargs';

import { generateToStore } from '../methods/generate-to-store.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type WorkFlags } from './options.js';
import { Progress } from './progress.js';
import { showProgress } from './run.js';

interface Flags extends WorkFlags {
  student?: string;
  count: number;
  unguided: boolean;
}

export const command: CommandModule<object, Flags> = {
  command: 'generate',
  describe: 'Generate images into a sample store, where teacher and student disagree or, with --unguided, freely',
  builder: (yargs) =>
    yargs
      .options(flagsOf.work)
      .demandOption('config')
      .option('student', { type: 'string', demandOption: true, describe: 'safetensors or TorchScript file of the student' })
      .option('count', { type: 'number', default: 256, describe: 'images, before selection' })
      .option('unguided', { type: 'boolean', default: false, describe: 'no guidance' }) as never,
  handler: async (flags) => {
    const config = configFromFlags(flags);
    const progress = new Progress({ quiet: flags.quiet });
    const result = await interruptible((signal) =>
      generateToStore(config, { student: flags.student!, count: flags.count, guided: !flags.unguided, signal, onProgress: showProgress(progress) }),
    ).finally(() => progress.done());
    const { gradientCosine } = result;
    if (!flags.json && gradientCosine !== undefined) console.log(`cosine of the gradient that guided with the exact one: ${gradientCosine.toFixed(3)}, mean over the first batch`);
    console.log(flags.json ? JSON.stringify({ command: 'generate', ...result }) : `${result.generated} images generated, ${result.kept} selected: ${join(result.folder, 'index.jsonl')}`);
  },
};
