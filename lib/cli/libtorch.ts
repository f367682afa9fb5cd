import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';

import { SparringError } from '../errors.js';
import type { Installation, Variant } from '../libtorch/index.js';
import {
  cacheDirectory,
  downloadSize,
  findLibtorch,
  installLibtorch,
  libtorchMissing,
  listInstallations,
  removeInstallation,
  showSteps,
  VARIANTS,
  verifyInstallation,
} from '../libtorch/index.js';
import { findAddon } from '../native/load.js';
import { subcommands } from './options.js';

interface InstallArgs {
  variant: Variant;
  from?: string;
  sha256?: string;
}

const install: CommandModule<object, InstallArgs> = {
  command: 'install',
  describe: 'Fetch LibTorch into the user cache, checked and unpacked, without installing anything else',
  builder: (yargs) =>
    yargs
      .option('variant', {
        choices: VARIANTS,
        default: 'cpu' as const,
        describe: `cpu (${downloadSize('cpu')} to download) or CUDA 13.0 (about ${downloadSize('cu130')})`,
      })
      .option('from', {
        type: 'string',
        describe: 'A PyTorch wheel, a LibTorch zip or a LibTorch folder to use instead',
      })
      .option('sha256', { type: 'string', describe: 'Expected SHA-256 of the file given with --from' }),
  handler: async ({ variant, from, sha256 }) => {
    const { end, ...events } = showSteps();
    const installation = await installLibtorch({ variant, from, sha256, ...events }).finally(end);
    console.log(`LibTorch ${installation.record.version} is in ${installation.root}`);
  },
};

const list: CommandModule = {
  command: 'list',
  describe: 'List what is installed in the user cache',
  handler: () => {
    const installations = listInstallations();
    if (installations.length === 0) console.log(`Nothing is installed in ${cacheDirectory()}.`);
    for (const { name, root, record } of installations)
      console.log(`${name}  LibTorch ${record.version} from ${record.source.name}, ${root}`);
  },
};

const verify: CommandModule<object, { name?: string }> = {
  command: 'verify [name]',
  describe: 'Compare the installed files with the checksums recorded at installation',
  builder: named,
  handler: async ({ name }) => {
    const installations = selected(name);
    for (const installation of installations) {
      const { files, missing, changed } = await verifyInstallation(installation);
      if (missing.length + changed.length > 0) throw broken(installation, missing, changed);
      console.log(`${installation.name}: ${files} files, all as installed.`);
    }
  },
};

const remove: CommandModule<object, { name: string }> = {
  command: 'remove <name>',
  describe: 'Delete an installation from the user cache',
  builder: named as (yargs: Argv) => Argv<{ name: string }>,
  handler: ({ name }) => {
    removeInstallation(name);
    console.log(`Removed ${name}.`);
  },
};

const path: CommandModule = {
  command: 'path',
  describe: 'Print the folder of the LibTorch that would be used',
  handler: () => {
    const discovery = findLibtorch({ builtFor: builtFor() });
    if (!discovery.found) throw libtorchMissing(discovery);
    console.log(discovery.found.root);
  },
};

export const command: CommandModule = {
  command: 'libtorch <command>',
  describe: 'Install, list, verify or remove LibTorch, the tensor library that the addon runs on',
  builder: (yargs) => subcommands(yargs, 'libtorch', [install, list, verify, remove, path]),
  handler: (_: ArgumentsCamelCase) => {},
};

/** The version an existing addon needs; undefined before there is one. */
function builtFor(): string | undefined {
  try {
    return findAddon().loader.builtFor;
  } catch {
    return undefined;
  }
}

function named(yargs: Argv): Argv<{ name?: string }> {
  return yargs.positional('name', {
    type: 'string',
    describe: 'As `libtorch list` prints it, e.g. 2.13.0-cpu-linux-x64',
  });
}

function selected(name: string | undefined): Installation[] {
  const installations = listInstallations();
  const chosen =
    name === undefined ? installations : installations.filter((installation) => installation.name === name);
  if (chosen.length > 0) return chosen;
  throw new SparringError(
    'usage',
    name === undefined ? `Nothing is installed in ${cacheDirectory()}.` : `There is no installation named '${name}'.`,
    'See `npx sparring libtorch list`, or get one with `npx sparring libtorch install`.',
  );
}

function broken(installation: Installation, missing: string[], changed: string[]): SparringError {
  const some = [...missing.map((file) => `${file} is missing`), ...changed.map((file) => `${file} has changed`)];
  const more = some.length > 5 ? `, and ${some.length - 5} more` : '';
  return new SparringError(
    'environment',
    `${installation.name}: ${some.slice(0, 5).join(', ')}${more}.`,
    `Run \`npx sparring libtorch remove ${installation.name}\`, then \`npx sparring libtorch install\`.`,
  );
}
