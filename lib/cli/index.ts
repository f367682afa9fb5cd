import yargs, { type CommandModule } from 'yargs';

import { exitCodeOf, SparringError } from '../errors.js';
import { packageVersion } from '../version.js';
import { command as data } from './data.js';
import { command as discretise } from './discretise.js';
import { command as distill } from './distill.js';
import { command as doctor } from './doctor.js';
import { command as evaluate } from './evaluate.js';
import { command as foundation } from './foundation.js';
import { command as generate } from './generate.js';
import { command as libtorch } from './libtorch.js';
import { command as models } from './models.js';
import { command as quickstart } from './quickstart.js';
import { command as study } from './study.js';

// yargs types a list of commands by their common flags, of which there are none.
const commands = [quickstart, distill, study, foundation, generate, discretise, evaluate, data, models, doctor, libtorch] as CommandModule[];

/** Runs the command line; sets process.exitCode as docs/errors.md says. */
export async function main(args: string[]): Promise<void> {
  const parser = yargs(args)
    .scriptName('sparring')
    .usage('$0 <command>\n\nDistil a robust teacher into a small student with the images on which they disagree.')
    .command(commands)
    .demandCommand(1, 'Give a command.')
    .strict()
    .recommendCommands()
    .version(packageVersion)
    .completion('completion', 'Print a script for shell completion')
    .wrap(Math.min(110, process.stdout.columns ?? 110))
    .epilogue('Exit codes: 0 done, 1 failed, 2 usage or config, 3 environment, 130 Ctrl-C, 143 terminated.')
    .exitProcess(false)
    .fail((message, error) => {
      // Of yargs' own failures, some come with an error (YError) and some with a message alone.
      if (error && error.name !== 'YError') throw error;
      if (/^Did you mean/.test(message)) throw new SparringError('usage', `Unknown command: ${args.join(' ')}`, message);
      throw new SparringError('usage', message, 'See `sparring --help`.');
    });
  try {
    await parser.parseAsync();
  } catch (error) {
    report(error);
  }
}

function report(error: unknown): void {
  const interrupted = error instanceof SparringError && error.code === 'aborted';
  // An interrupted run has its exit code from the signal (see interruptible).
  if (!interrupted || !process.exitCode) process.exitCode = exitCodeOf(error);
  if (error instanceof SparringError) {
    console.error(`${interrupted ? '' : `error (${error.code}): `}${error.message}${error.hint ? `\n${error.hint}` : ''}`);
    if (process.env.SPARRING_DEBUG) console.error(error.stack);
  } else {
    console.error(error);
  }
}
