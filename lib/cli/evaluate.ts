import type { CommandModule } from 'yargs';

import { openData } from '../data/open.js';
import { Engine } from '../native/engine.js';
import { evaluate } from '../methods/evaluate.js';
import { loadClassifier } from '../methods/foundation.js';
import { checkSuiteFlags, evaluateSuite, suiteOptions, type SuiteFlags } from './evaluate-suite.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type ConfigFlags } from './options.js';

interface Flags extends ConfigFlags, SuiteFlags {
  weights?: string;
  quiet: boolean;
}

export const command: CommandModule<object, Flags> = {
  command: 'evaluate',
  describe: 'Accuracy by group of a classifier on the test split, with Wilson intervals; with --suite on many sets',
  builder: (yargs) => yargs.options({ ...flagsOf.config, ...suiteOptions, quiet: flagsOf.work.quiet }).option('weights', { type: 'string', demandOption: true, describe: 'safetensors or TorchScript file of the classifier; one of torchvision or timm has the architecture of student in the config' }) as never,
  handler: async (flags) => {
    const config = configFromFlags(flags);
    checkSuiteFlags(flags);
    if (flags.suite) return evaluateSuite(config, flags.weights!, flags);
    const engine = await Engine.open(config);
    const data = await openData(config.data);
    const classifier = await loadClassifier(engine, config.student, flags.weights!, data.test);
    const metrics = await interruptible((signal) => evaluate(classifier, data.test, { train: data.train, signal }));
    if (flags.json) {
      console.log(JSON.stringify({ command: 'evaluate', ...metrics }));
      return;
    }
    const weighted = metrics.trainWeightedAccuracy;
    const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
    const line = (name: string, accuracy: number, [low, high]: [number, number], correct: number, count: number): string =>
      `${name.padEnd(28)} ${percent(accuracy).padStart(8)}  (${percent(low)} to ${percent(high)}, ${correct} of ${count})`;
    for (const { name, correct, count, accuracy, interval } of metrics.groups) console.log(line(name, accuracy, interval, correct, count));
    if (metrics.classes.length < metrics.groups.length) {
      console.log();
      for (const { name, correct, count, accuracy, interval } of metrics.classes) console.log(line(name, accuracy, interval, correct, count));
    }
    console.log(`\nworst group ${percent(metrics.worstGroupAccuracy)} (${metrics.worstGroup}), mean group ${percent(metrics.meanGroupAccuracy)}, all images ${percent(metrics.accuracy)}${weighted === null ? '' : `, weighted by train ${percent(weighted)}`}`);
    if (metrics.emptyGroups.length > 0) console.log(`without test images: ${metrics.emptyGroups.join(', ')}`);
  },
};
