/** Flags that several commands share, and how they become a Config. */
import type { Argv, InferredOptionTypes } from 'yargs';

import { applyOverrides, readConfigFile, resolveConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';

const runOptions = {
  config: { type: 'string', requiresArg: true, describe: 'YAML or JSON file; see docs/config.md' },
  set: { type: 'string', array: true, nargs: 1, default: [] as string[], describe: 'override one value: --set rounds.count=3' },
  output: { type: 'string', requiresArg: true, describe: 'run folder (default runs/<name>)' },
  seed: { type: 'number', requiresArg: true, describe: 'first seed' },
  seeds: { type: 'number', requiresArg: true, describe: 'number of seeds' },
  device: { type: 'string', requiresArg: true, describe: 'auto, cpu, cuda or cuda:<n>' },
  threads: { type: 'number', requiresArg: true, describe: 'CPU threads; 0 = all cores' },
  resume: { type: 'boolean', default: false, describe: 'continue the run in the run folder' },
  'dry-run': { type: 'boolean', default: false, describe: 'check everything, print the plan, run nothing' },
  json: { type: 'boolean', default: false, describe: 'print one JSON object on the last line of stdout' },
  quiet: { type: 'boolean', default: false, describe: 'no progress' },
} as const;

export type RunFlags = InferredOptionTypes<typeof runOptions>;

export function addRunOptions(argv: Argv): Argv<RunFlags> {
  return argv.options(runOptions) as unknown as Argv<RunFlags>;
}

/** The config of a run: `base`, then the file, then --set, then the flags, each over the one before. */
export function configFromFlags(flags: RunFlags, base: Record<string, unknown> = {}): Config {
  checkScalars(flags);
  const tree = applyOverrides(flags.config === undefined ? base : { ...base, ...readConfigFile(flags.config) }, flags.set);
  for (const key of ['output', 'seed', 'seeds', 'device', 'threads'] as const) {
    if (flags[key] !== undefined) tree[key] = flags[key];
  }
  return resolveConfig(tree, flags.config ?? 'config');
}

/** yargs makes a list of a flag that is given twice, and NaN of a number that is none. */
function checkScalars(flags: RunFlags): void {
  for (const [name, value] of Object.entries(flags)) {
    if (Array.isArray(value) && name !== 'set' && name !== '_') throw new SparringError('usage', `--${name}: expected one value, found ${value.join(' and ')}.`, 'Give it once.');
    if (Number.isNaN(value)) throw new SparringError('usage', `--${name}: expected a number, found something else.`, 'See `sparring --help`.');
  }
}
