import { join } from 'node:path';
import type { CommandModule } from 'yargs';

import { SparringError } from '../errors.js';
import { discretiseToStore } from '../methods/discretise-to-store.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type WorkFlags } from './options.js';
import { Progress } from './progress.js';
import { showProgress } from './run.js';

interface Flags extends WorkFlags {
  shard: string;
}

export const command: CommandModule<object, Flags> = {
  command: 'discretise',
  describe: 'Store the discrete adversary of every training image (DAD), with the soft labels of the teacher',
  builder: (yargs) =>
    yargs
      .options(flagsOf.work)
      .demandOption('config')
      .option('shard', { type: 'string', default: '1/1', describe: 'of several processes that share the work in one folder: 2/4 is the second of four' }) as never,
  handler: async (flags) => {
    const config = configFromFlags(flags);
    const [, number, count] = /^(\d+)\/(\d+)$/.exec(flags.shard) ?? [];
    if (count === undefined) throw new SparringError('usage', `--shard: expected number/count, found ${flags.shard}.`, 'For example --shard 2/4.');
    const progress = new Progress({ quiet: flags.quiet });
    const result = await interruptible((signal) =>
      discretiseToStore(config, { shard: { index: Number(number) - 1, count: Number(count) }, signal, onProgress: showProgress(progress) }),
    ).finally(() => progress.done());
    if (flags.json) {
      console.log(JSON.stringify({ command: 'discretise', ...result }));
      return;
    }
    const rate = (kept: number, stored: number): string => (stored === 0 ? 'none' : `${kept} kept (${((100 * kept) / stored).toFixed(1)} %)`);
    for (const { class: name, stored, kept } of result.classes) console.log(`${name.padEnd(28)} ${stored} images, ${rate(kept, stored)}`);
    console.log(`\n${result.stored} of ${result.images} training images, ${rate(result.kept, result.stored)}: ${join(result.folder, 'index.jsonl')}`);
  },
};
