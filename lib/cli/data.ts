import type { ArgumentsCamelCase, CommandModule } from 'yargs';

import { checkData } from '../data/check.js';
import { writeCorrupted } from '../data/corrupted-folder.js';
import { commonCorruptions, heldOutCorruptions, severities } from '../data/corruptions.js';
import { openData } from '../data/open.js';
import { SparringError } from '../errors.js';
import { Engine } from '../native/engine.js';
import { dataCheckText } from '../report/data-check.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, subcommands, type ConfigFlags, type WorkFlags } from './options.js';
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

interface CorruptFlags extends WorkFlags {
  kinds?: string;
  severities?: string;
}

const corrupt: CommandModule<object, CorruptFlags> = {
  command: 'corrupt',
  describe: 'Write corrupted images of the test split: <kind>/<severity>/<class>/<image>.png; goes on where it was stopped',
  builder: (yargs) =>
    yargs
      .options(flagsOf.work)
      .demandOption(['config', 'output'])
      .option('kinds', { type: 'string', requiresArg: true, describe: 'names with commas between; default the fifteen of ImageNet-C' })
      .option('severities', { type: 'string', requiresArg: true, describe: 'of 1 to 5, with commas between; default all' }) as never,
  handler: async (flags) => {
    const config = configFromFlags(flags);
    const kinds = chosen('--kinds', flags.kinds, [...commonCorruptions, ...heldOutCorruptions]) ?? commonCorruptions;
    const strengths = chosen('--severities', flags.severities, severities) ?? severities;
    const progress = new Progress({ quiet: flags.quiet });
    const result = await interruptible(async (signal) => {
      const engine = await Engine.open({ ...config, device: 'cpu' });
      const { test } = await openData(config.data);
      progress.start('corrupting', kinds.length * strengths.length * test.length);
      return writeCorrupted(engine, test, flags.output!, { kinds, severities: strengths, seed: config.seed, signal, onProgress: (done) => progress.update(done) });
    }).finally(() => progress.done());
    console.log(flags.json ? JSON.stringify({ command: 'data corrupt', ...result }) : `${result.written} of ${result.images} images written: ${result.folder}`);
  },
};

/** Those of the known values that a flag lists, in the order in which they are known; undefined without the flag. */
function chosen<Value extends string | number>(flag: string, list: string | undefined, known: readonly Value[]): readonly Value[] | undefined {
  if (list === undefined) return undefined;
  const names = list.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !known.some((value) => String(value) === name));
  if (wrong !== undefined) throw new SparringError('usage', `${flag}: expected some of ${known.join(', ')} with commas between, found ${JSON.stringify(wrong)}.`);
  return known.filter((value) => names.includes(String(value)));
}

export const command: CommandModule = {
  command: 'data <command>',
  describe: 'Look at a dataset before training on it, or corrupt its test images',
  builder: (yargs) => subcommands(yargs, 'data', [check, corrupt]),
  handler: (_: ArgumentsCamelCase) => {},
};
