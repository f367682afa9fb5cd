import type { CommandModule } from 'yargs';

import { quickstartConfig } from '../config/quickstart.js';
import { configFromFlags, flagsOf, type RunFlags } from './options.js';
import { runAndPrint } from './run.js';

export const command: CommandModule<object, RunFlags> = {
  command: 'quickstart',
  describe: 'Run the main job on the embedded default: procedural birds, with the teacher and generator that are shipped',
  builder: (yargs) => yargs.options(flagsOf.run).hide('config') as never,
  handler: (flags) => runAndPrint('quickstart', configFromFlags(flags, quickstartConfig(flags)), flags),
};
