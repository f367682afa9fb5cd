/** `sparring evaluate --suite`: the sets of a suite one after the other, with progress and kept results. */
import type { Config } from '../config/schema.js';
import { explainStop } from '../errors.js';
import { Engine } from '../native/engine.js';
import { evaluateOod } from '../methods/evaluate-ood.js';
import { fingerprint } from '../methods/fingerprint.js';
import { loadImageNetClassifier } from '../methods/imagenet-classifier.js';
import { forget, rememberIn } from '../methods/remembered.js';
import { oodText } from '../report/ood-table.js';
import type { Flags } from './evaluate.js';
import { interruptible } from './interrupt.js';
import { Progress } from './progress.js';
import { showProgress } from './run.js';

export const suites = ['ood'] as const;
export type SuiteName = (typeof suites)[number];

export async function evaluateSuite(config: Config, { suite, weights, results, json, quiet }: Flags): Promise<void> {
  const engine = await Engine.open(config);
  const classifier = await loadImageNetClassifier(engine, config, weights!);
  const { mean, std } = classifier.spec;
  const remember = results === undefined ? forget : rememberIn(results, { suite, weights: await fingerprint(engine, weights!), mean, std, imageSize: classifier.spec.imageSize, precision: engine.precision, ood: config.ood });
  const progress = new Progress({ quiet });
  const metrics = await interruptible((signal) => evaluateOod(classifier, config.ood, { signal, onProgress: showProgress(progress), remember }))
    .finally(() => progress.done())
    .catch((error) => {
      throw results === undefined ? error : explainStop(error, `Stopped; the sets that were done are in ${results}.`, 'The same command goes on from there.');
    });
  console.log(json ? JSON.stringify({ command: 'evaluate', suite, ...metrics }) : oodText(metrics));
}
