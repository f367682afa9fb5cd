import { join } from 'node:path';
import type { CommandModule, InferredOptionTypes } from 'yargs';

import { readStudy } from '../config/study.js';
import { overviewOf, runStudy, type StudyOverview } from '../study/run.js';
import { studyTables } from '../study/table.js';
import { interruptible } from './interrupt.js';
import { checkScalars } from './options.js';
import { Progress } from './progress.js';
import { commandLine } from './run.js';

const options = {
  set: { type: 'string', array: true, nargs: 1, default: [] as string[], describe: "override one value of the file: --set 'seeds=[0, 1]'" },
  output: { type: 'string', requiresArg: true, describe: 'folder of the study (default runs/<name>)' },
  processes: { type: 'number', requiresArg: true, describe: 'runs at the same time' },
  threads: { type: 'number', requiresArg: true, describe: 'CPU threads of each process; 0 = the cores shared out' },
  quick: { type: 'boolean', default: false, describe: "with the file's `quick` laid over all, in <output>-quick" },
  'dry-run': { type: 'boolean', default: false, describe: 'check everything, print what is missing and how long it will take, run nothing' },
  json: { type: 'boolean', default: false, describe: 'print one JSON object on the last line of stdout' },
  quiet: { type: 'boolean', default: false, describe: 'no progress' },
} as const;
type Flags = InferredOptionTypes<typeof options> & { file: string };

export const command: CommandModule<object, Flags> = {
  command: 'study <file>',
  describe: 'Compare datasets, variants, methods and seeds: runs what is missing, writes tables with intervals',
  builder: (yargs) =>
    yargs
      .positional('file', { type: 'string', demandOption: true, describe: 'YAML or JSON file; see docs/study.md' })
      .options(options)
      .example('$0 study examples/studies/birds.yaml --processes 2', 'three seeds of the embedded birds, two at a time') as never,
  handler: study,
};

async function study(flags: Flags): Promise<void> {
  checkScalars(flags);
  const { set, quick, output, processes, threads, json, quiet } = flags;
  const study = readStudy(flags.file, { set, quick, ...(output !== undefined && { output }), ...(processes !== undefined && { processes }), ...(threads !== undefined && { threads }) });
  if (flags['dry-run']) {
    const plan = await interruptible((signal) => overviewOf(study, { signal }));
    console.log(json ? JSON.stringify({ command: 'study', plan }) : planText(plan));
    return;
  }
  const progress = new Progress({ quiet });
  const say = (text: string): void => {
    progress.done();
    if (!quiet) console.error(text);
  };
  let current = '';
  const result = await interruptible((signal) =>
    runStudy(study, {
      signal,
      command: commandLine(),
      onPlan: (plan) => say(planText(plan)),
      onWarning: (warning) => say(`warning: ${warning}`),
      onEnd: (run, seconds, error) => say(`${run} ${error === undefined ? 'done' : 'stopped'} after ${seconds.toFixed(0)} s`),
      // Bars of several runs at once would take turns in one line.
      ...(study.processes === 1 && {
        onProgress: (run: string, stage: string, done: number, total: number, fields?: Record<string, number>) => {
          const label = `${run} ${stage}`;
          if (label !== current) progress.start(label, total, Math.max(0, done - 1));
          current = label;
          progress.update(done, fields);
        },
      }),
    }),
  ).finally(() => progress.done());
  if (!json || !quiet) (json ? console.error : console.log)(`\n${studyTables(result, (place) => place).join('\n\n')}\n\nReport: ${join(result.folder, 'report.html')}`);
  if (json) console.log(JSON.stringify({ command: 'study', ...result }));
}

function planText({ runs, done, begun, foundations, training, rows, processes, estimate }: StudyOverview): string {
  const counts = [`${done} done`, begun > 0 && `${begun} begun`, `${runs - done - begun} to begin`].filter(Boolean).join(', ');
  const all = `${runs} ${runs === 1 ? 'run' : 'runs'}`;
  if (done === runs) return `${all}: all done`;
  const shared = foundations > 0 ? `, after ${foundations} ${foundations === 1 ? 'foundation' : 'foundations'} (${training.join(', ')})` : '';
  const minutes = estimate.seconds < 60 ? 'less than a minute' : `about ${Math.round(estimate.seconds / 60)} minutes`;
  return `${all}: ${counts}; ${rows} ${rows === 1 ? 'row' : 'rows'} to make${shared}\nestimate: ${minutes} with ${processes} ${processes === 1 ? 'process' : 'processes'}, by ${estimate.basis}`;
}
