import type { CommandModule } from 'yargs';

import { configFromFlags, flagsOf, type RunFlags } from './options.js';
import { runAndPrint } from './run.js';

export const command: CommandModule<object, RunFlags> = {
  command: 'distill',
  describe: 'Run the main job on your data: teacher, generator, EDRM student, and its continuations side by side',
  builder: (yargs) =>
    yargs.options(flagsOf.run)
      .demandOption('config')
      .example('$0 distill --config examples/spuco-mnist.yaml --set data.root=mnist', 'SpuCoMNIST from the IDX files in ./mnist') as never,
  handler: (flags) => runAndPrint('distill', configFromFlags(flags), flags),
};
