import type { CommandModule } from 'yargs';

import { openData } from '../data/open.js';
import { SparringError } from '../errors.js';
import { Engine } from '../native/engine.js';
import { evaluate } from '../methods/evaluate.js';
import { evaluateAttacked } from '../methods/evaluate-attacked.js';
import { loadClassifier } from '../methods/foundation.js';
import type { GroupMetrics } from '../metrics/groups.js';
import { attackFromFlags, attackOptions, type AttackFlags } from './attack-flags.js';
import { checkSuiteFlags, evaluateSuite, suiteOptions, type SuiteFlags } from './evaluate-suite.js';
import { interruptible } from './interrupt.js';
import { configFromFlags, flagsOf, type ConfigFlags } from './options.js';
import { Progress } from './progress.js';
import { showProgress } from './run.js';

interface Flags extends ConfigFlags, AttackFlags, SuiteFlags {
  weights?: string;
  quiet: boolean;
}

export const command: CommandModule<object, Flags> = {
  command: 'evaluate',
  describe: 'Accuracy by group of a classifier on the test split, with Wilson intervals; with --attack also its adversarial accuracy, with --suite on many sets',
  builder: (yargs) => yargs.options({ ...flagsOf.config, ...attackOptions, ...suiteOptions, quiet: flagsOf.work.quiet }).option('weights', { type: 'string', demandOption: true, describe: 'safetensors or TorchScript file of the classifier; one of torchvision or timm has the architecture of student in the config' }) as never,
  handler: async (flags) => {
    const config = configFromFlags(flags);
    const attack = attackFromFlags(flags);
    checkSuiteFlags(flags);
    if (flags.suite && attack) throw new SparringError('usage', '--attack: expected no --suite beside it, found both.', 'Attacks are on the test split of the config.');
    if (flags.suite) return evaluateSuite(config, flags.weights!, flags);
    const engine = await Engine.open(config);
    const data = await openData(config.data);
    const classifier = await loadClassifier(engine, config.student, flags.weights!, data.test);
    const progress = new Progress({ quiet: flags.quiet });
    const { metrics, adversarial } = await interruptible(async (signal) => {
      const options = { train: data.train, signal };
      const metrics = await evaluate(classifier, data.test, options);
      if (!attack) return { metrics };
      const show = showProgress(progress);
      const onProgress = (done: number, total: number): void => show(attack.kind, done, total);
      return { metrics, adversarial: await evaluateAttacked(classifier, data.test, attack, config.seed, { ...options, onProgress }) };
    }).finally(() => progress.done());
    if (flags.json) {
      console.log(JSON.stringify({ command: 'evaluate', ...metrics, ...(adversarial && { adversarial: { attack, ...adversarial } }) }));
      return;
    }
    print(metrics);
    if (!adversarial) return;
    console.log(`\nunder ${attack!.kind} (${attack!.norm}, epsilon ${flags.epsilon ?? attack!.epsilon.toPrecision(3)}):\n`);
    print(adversarial);
  },
};

function print(metrics: GroupMetrics): void {
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
}
