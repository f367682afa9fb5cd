/** `sparring evaluate --suite`: the sets of a suite one after the other, with progress and kept results. */
import type { InferredOptionTypes } from 'yargs';

import type { Config } from '../config/schema.js';
import { explainStop } from '../errors.js';
import { Engine } from '../native/engine.js';
import { evaluateOod } from '../methods/evaluate-ood.js';
import { fingerprint } from '../methods/fingerprint.js';
import { loadImageNetClassifier } from '../methods/imagenet-classifier.js';
import { forget, rememberIn } from '../methods/remembered.js';
import { oodText } from '../report/ood-table.js';
import { interruptible } from './interrupt.js';
import { Progress } from './progress.js';
import { showProgress } from './run.js';

export const suiteOptions = {
  suite: { choices: ['ood'] as const, describe: 'ood: ImageNet-A, -C and others, the section ood of the config; see docs/ood.md' },
  results: { type: 'string', requiresArg: true, describe: 'with --suite: JSON file of the sets that are done; an interrupted evaluation goes on from it' },
} as const;

export type SuiteFlags = InferredOptionTypes<typeof suiteOptions>;

export async function evaluateSuite(config: Config, weights: string, { suite, results, json, quiet }: SuiteFlags & { json: boolean; quiet: boolean }): Promise<void> {
  const engine = await Engine.open(config);
  const classifier = await loadImageNetClassifier(engine, config, weights);
  const { mean, std, imageSize } = classifier.spec;
  const remember = results === undefined ? forget : rememberIn(results, { suite, weights: await fingerprint(engine, weights), mean, std, imageSize, precision: engine.precision, transform: config.ood.transform });
  const progress = new Progress({ quiet });
  const metrics = await interruptible((signal) => evaluateOod(classifier, config.ood, { signal, onProgress: showProgress(progress), remember }))
    .catch((error) => {
      throw results === undefined ? error : explainStop(error, `Stopped; the sets that were done are in ${results}.`, 'The same command goes on from there.');
    })
    .finally(() => progress.done());
  console.log(json ? JSON.stringify({ command: 'evaluate', suite, ...metrics }) : oodText(metrics));
}
