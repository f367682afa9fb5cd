import type { CommandModule } from 'yargs';

import type { Config } from '../config/schema.js';
import { makeDiscretiser } from '../methods/make-discretiser.js';
import { makeFoundation } from '../methods/make-foundation.js';
import { planOf, planOfDiscretiser } from '../methods/plan.js';
import type { RunOptions } from '../methods/run.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type TrainingFlags } from './options.js';
import { Progress } from './progress.js';
import { commandLine, printPlan, showProgress } from './run.js';

const kinds = ['teacher+generator', 'vqgan'] as const;

interface Flags extends TrainingFlags {
  data: string | undefined;
  kind: (typeof kinds)[number];
}

export const command: CommandModule<object, Flags> = {
  command: 'foundation [data]',
  describe: 'Train a teacher and a generator, or a discretiser, and write them as safetensors',
  builder: (yargs) =>
    yargs
      .options(flagsOf.training)
      .option('kind', { choices: kinds, default: kinds[0], describe: 'vqgan: the discretiser of DAD (docs/dad.md), with the teacher given or trained before it' })
      .positional('data', { choices: ['birds'], describe: 'the embedded dataset; for others give --config' })
      .example('$0 foundation birds --output birds', 'the birds; how the shipped weights were made is in assets/birds/foundation.json') as never,
  handler: async (flags) => {
    const config = configFromFlags(flags, { name: 'foundation', ...(flags.data && { data: { kind: flags.data } }) });
    const { plan, make } = jobs[flags.kind];
    if (flags['dry-run']) return printPlan('foundation', config, flags, plan);
    const progress = new Progress({ quiet: flags.quiet });
    const { result, text } = await interruptible((signal) => make(config, { signal, resume: flags.resume, onProgress: showProgress(progress), command: commandLine() })).finally(() => progress.done());
    console.log(flags.json ? JSON.stringify({ command: 'foundation', ...result }) : text);
  },
};

interface Job {
  plan(config: Config): Promise<string[]>;
  /** The result, and what of it is said to people. */
  make(config: Config, options: RunOptions): Promise<{ result: object; text: string }>;
}

const jobs: Record<(typeof kinds)[number], Job> = {
  'teacher+generator': {
    plan: planOf,
    make: async (config, options) => {
      const result = await makeFoundation(config, options);
      return { result, text: `Teacher and generator are in ${result.folder}; teacher WGA ${result.teacher.worstGroupAccuracy.toFixed(3)}, ${Math.round(result.seconds.teacher + result.seconds.generator)} s.` };
    },
  },
  vqgan: {
    plan: planOfDiscretiser,
    make: async (config, options) => {
      const result = await makeDiscretiser(config, options);
      const { folder, parameters, psnr, psnrOfMeanColour, codesUsed, numCodes, teacher, seconds } = result;
      const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
      const lines = [
        `Discretiser Q is in ${folder}: ${parameters.toLocaleString('en')} parameters, trained in ${Math.round(seconds.discretiser)} s.`,
        `PSNR of Q(x) ${psnr.toFixed(1)} dB (mean colour ${psnrOfMeanColour.toFixed(1)} dB), ${codesUsed} of ${numCodes} codes used, on the test images.`,
        `Teacher on x: WGA ${percent(teacher.images.worstGroupAccuracy)}, mean ${percent(teacher.images.meanGroupAccuracy)}; on Q(x): ${percent(teacher.discretised.worstGroupAccuracy)}, ${percent(teacher.discretised.meanGroupAccuracy)}; same class ${percent(teacher.agreement)}.`,
      ];
      return { result, text: lines.join('\n') };
    },
  },
};
