/** What `quickstart` and `distill` share: run the main job, show it, print its table. */
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { runDistil } from '../methods/run.js';
import { planOf } from '../methods/plan.js';
import type { Reporter } from '../report/reporter.js';
import { textTable } from '../report/table.js';
import { interruptible } from './interrupt.js';
import type { RunFlags } from './options.js';
import { Progress } from './progress.js';

/** What --dry-run prints. */
export async function printPlan(command: string, config: Config, { json }: Pick<RunFlags, 'json'>, planned = planOf): Promise<void> {
  const plan = await planned(config);
  console.log(json ? JSON.stringify({ command, plan }) : plan.join('\n'));
}

/** The command as it was given, for reports. */
export function commandLine(): string {
  return `sparring ${process.argv.slice(2).join(' ')}`;
}

export async function runAndPrint(command: string, config: Config, flags: Pick<RunFlags, 'resume' | 'dry-run' | 'json' | 'quiet'>): Promise<void> {
  if (flags['dry-run']) return printPlan(command, config, flags);
  const progress = new Progress({ quiet: flags.quiet });
  const result = await interruptible((signal) =>
    runDistil(config, { signal, resume: flags.resume, onProgress: showProgress(progress), onWarning: (warning) => console.error(`warning: ${warning}`), command: commandLine() }),
  ).finally(() => progress.done());
  if (!flags.json || !flags.quiet) (flags.json ? console.error : console.log)(`\n${textTable(result.rows)}\n\nReport: ${join(result.folder, 'report.html')}`);
  if (flags.json) console.log(JSON.stringify({ command, rows: result.rows, seeds: result.seeds }));
}

/** A bar per stage. */
export function showProgress(progress: Progress): Reporter['progress'] {
  let current = '';
  return (stage, done, total, fields) => {
    if (stage !== current) progress.start(stage, total, Math.max(0, done - 1));
    current = stage;
    progress.update(done, fields);
  };
}
