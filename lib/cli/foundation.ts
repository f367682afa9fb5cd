import type { CommandModule } from 'yargs';

import { makeFoundation } from '../methods/make-foundation.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type TrainingFlags } from './options.js';
import { Progress } from './progress.js';
import { commandLine, printPlan, showProgress } from './run.js';

interface Flags extends TrainingFlags {
  data: string | undefined;
}

export const command: CommandModule<object, Flags> = {
  command: 'foundation [data]',
  describe: 'Train a teacher and a generator on the broad split, and write them as safetensors',
  builder: (yargs) =>
    yargs
      .options(flagsOf.training)
      .positional('data', { choices: ['birds'], describe: 'the embedded dataset; for others give --config' })
      .example('$0 foundation birds --output birds', 'the birds; how the shipped weights were made is in assets/birds/foundation.json') as never,
  handler: async (flags) => {
    const config = configFromFlags(flags, { name: 'foundation', ...(flags.data && { data: { kind: flags.data } }) });
    if (flags['dry-run']) return printPlan('foundation', config, flags);
    const progress = new Progress({ quiet: flags.quiet });
    const result = await interruptible((signal) => makeFoundation(config, { signal, resume: flags.resume, onProgress: showProgress(progress), command: commandLine() })).finally(() => progress.done());
    console.log(flags.json ? JSON.stringify({ command: 'foundation', ...result }) : `Teacher and generator are in ${result.folder}; teacher WGA ${result.teacher.worstGroupAccuracy.toFixed(3)}, ${Math.round(result.seconds.teacher + result.seconds.generator)} s.`);
  },
};
