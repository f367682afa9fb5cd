import type { ArgumentsCamelCase, CommandModule } from 'yargs';

import { checkData } from '../data/check.js';
import { dataCheckText } from '../report/data-check.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type ConfigFlags } from './options.js';
import { Progress } from './progress.js';

interface Flags extends ConfigFlags {
  quiet: boolean;
}

const check: CommandModule<object, Flags> = {
  command: 'check',
  describe: 'What the data of a config are, and what is wrong with them; decodes every image',
  builder: (yargs) => yargs.options({ ...flagsOf.config, quiet: flagsOf.work.quiet }) as never,
  handler: async (flags) => {
    const { data } = configFromFlags(flags);
    const progress = new Progress({ quiet: flags.quiet });
    const result = await interruptible((signal) => {
      let started = false;
      const onProgress = (done: number, total: number): void => {
        if (!started) progress.start('decoding', total);
        started = true;
        progress.update(done);
      };
      return checkData(data, { signal, onProgress });
    }).finally(() => progress.done());
    console.log(flags.json ? JSON.stringify({ command: 'data check', ...result }) : dataCheckText(result));
    if (!result.ok) process.exitCode = 1;
  },
};

export const command: CommandModule = {
  command: 'data <command>',
  describe: 'Look at a dataset before training on it',
  builder: (yargs) => yargs.command(check).demandCommand(1).strict(),
  handler: (_: ArgumentsCamelCase) => {},
};
