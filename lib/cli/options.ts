/** Flags that several commands share, and how they become a Config. */
import type { Argv, CommandModule, InferredOptionTypes } from 'yargs';

import { applyOverrides, readConfigFile, resolveConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';

const configOptions = {
  config: { type: 'string', requiresArg: true, describe: 'YAML or JSON file; see docs/config.md' },
  set: { type: 'string', array: true, nargs: 1, default: [] as string[], describe: 'override one value: --set rounds.count=3' },
  device: { type: 'string', requiresArg: true, describe: 'auto, cpu, cuda or cuda:<n>' },
  threads: { type: 'number', requiresArg: true, describe: 'CPU threads; 0 = all cores' },
  json: { type: 'boolean', default: false, describe: 'print one JSON object on the last line of stdout' },
} as const;
const workOptions = {
  output: { type: 'string', requiresArg: true, describe: 'folder to write to (default runs/<name>)' },
  seed: { type: 'number', requiresArg: true, describe: 'first seed' },
  quiet: { type: 'boolean', default: false, describe: 'no progress' },
} as const;
const trainingOptions = {
  resume: { type: 'boolean', default: false, describe: 'continue what was started in the folder' },
  'dry-run': { type: 'boolean', default: false, describe: 'check everything, print the plan, run nothing' },
} as const;
const seedsOption = { seeds: { type: 'number', requiresArg: true, describe: 'number of seeds' } } as const;

/** Flags of every command that takes a config. */
export type ConfigFlags = InferredOptionTypes<typeof configOptions>;
/** Further flags of those that write a folder. */
export type WorkFlags = ConfigFlags & InferredOptionTypes<typeof workOptions>;
/** Further flags of those that train. */
export type TrainingFlags = WorkFlags & InferredOptionTypes<typeof trainingOptions>;
/** Further flags of those that run the main job. */
export type RunFlags = TrainingFlags & InferredOptionTypes<typeof seedsOption>;

export const flagsOf = {
  config: configOptions,
  work: { ...configOptions, ...workOptions },
  training: { ...configOptions, ...workOptions, ...trainingOptions },
  run: { ...configOptions, ...workOptions, ...trainingOptions, ...seedsOption },
} as const;

/** The commands of a command, one of which must follow it. */
export function subcommands(yargs: Argv, name: string, commands: readonly object[]): Argv {
  const names = (commands as readonly CommandModule[]).map(({ command }) => String(command).split(' ')[0]);
  const expected = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  return yargs.command(commands as CommandModule[]).demandCommand(1, `sparring ${name}: expected ${expected} after it.`).strict();
}

/** The config of a run: `base`, then the file, then --set, then the flags, each over the one before. */
export function configFromFlags(flags: ConfigFlags & Partial<RunFlags>, base: Record<string, unknown> = {}): Config {
  checkScalars(flags);
  const tree = applyOverrides(flags.config === undefined ? base : { ...base, ...readConfigFile(flags.config) }, flags.set);
  for (const key of ['output', 'seed', 'seeds', 'device', 'threads'] as const) {
    if (flags[key] !== undefined) tree[key] = flags[key];
  }
  return resolveConfig(tree, flags.config ?? 'config');
}

/** yargs makes a list of a flag that is given twice, and NaN of a number that is none. */
export function checkScalars(flags: object): void {
  for (const [name, value] of Object.entries(flags)) {
    if (Array.isArray(value) && name !== 'set' && name !== '_') throw new SparringError('usage', `--${name}: expected one value, found ${value.join(' and ')}.`, 'Give it once.');
    if (Number.isNaN(value)) throw new SparringError('usage', `--${name}: expected a number, found something else.`, 'See `sparring --help`.');
  }
}
