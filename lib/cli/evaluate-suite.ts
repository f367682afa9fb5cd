/** `sparring evaluate --suite`: many sets of images one after the other, with progress and kept results. */
import type { InferredOptionTypes } from 'yargs';

import type { Config } from '../config/schema.js';
import { corrupted, smallestSide } from '../data/corruptions.js';
import { openData } from '../data/open.js';
import { explainStop, SparringError } from '../errors.js';
import { evaluateCorruptions } from '../methods/evaluate-corruptions.js';
import { evaluateOod, type OodOptions } from '../methods/evaluate-ood.js';
import { evaluateSpurious } from '../methods/evaluate-spurious.js';
import { fingerprintRead } from '../methods/fingerprint.js';
import { loadClassifier } from '../methods/foundation.js';
import { loadImageNetClassifier } from '../methods/imagenet-classifier.js';
import { forget, rememberIn } from '../methods/remembered.js';
import { Engine } from '../native/engine.js';
import { corruptionText, oodText } from '../report/ood-table.js';
import { spuriousText } from '../report/spurious-table.js';
import { interruptible } from './interrupt.js';
import { Progress } from './progress.js';
import { showProgress } from './run.js';

export const suiteOptions = {
  suite: {
    choices: ['ood', 'corruptions', 'spurious'] as const,
    describe: 'ood: ImageNet-A, -C and others, the section ood of the config; corruptions: fifteen of them, in five severities, of the test split; spurious: Spurious ImageNet, the section spurious; see docs/ood.md',
  },
  reference: { type: 'string', requiresArg: true, describe: 'with --suite corruptions: weights of the classifier to which mCE is relative, such as a student of labels alone' },
  results: { type: 'string', requiresArg: true, describe: 'with --suite: JSON file of the sets that are done; an interrupted evaluation goes on from it' },
} as const;

export type SuiteFlags = InferredOptionTypes<typeof suiteOptions>;

/** A suite whose classifiers are loaded. */
interface Suite {
  /** All that results of its sets depend on, beside the weights and the precision. */
  key: Record<string, unknown>;
  run: (options: OodOptions) => Promise<{ metrics: object; text: string }>;
}

/** Throws SparringError 'usage' for flags that need another one. */
export function checkSuiteFlags({ suite, reference, results }: SuiteFlags): void {
  if (reference !== undefined && suite !== 'corruptions') throw new SparringError('usage', `--reference: expected --suite corruptions beside it, found ${suite ? `--suite ${suite}` : 'none'}.`, suite === 'spurious' ? 'The teacher of the config is measured beside the weights.' : 'mCE of ImageNet-C is relative to AlexNet.');
  if (results !== undefined && !suite) throw new SparringError('usage', '--results: expected --suite beside it, found none.', 'Without a suite there is one set of images, and --json prints its metrics.');
}

export async function evaluateSuite(config: Config, weights: string, { suite, reference, results, json, quiet }: SuiteFlags & { json: boolean; quiet: boolean }): Promise<void> {
  const engine = await Engine.open(config);
  const { key, run } = await suites[suite!](engine, config, weights, reference);
  const remember = results === undefined ? forget : rememberIn(results, { suite, weights: await fingerprintRead(engine, weights), precision: engine.precision, ...key });
  const progress = new Progress({ quiet });
  const { metrics, text } = await interruptible((signal) => run({ signal, onProgress: showProgress(progress), remember }))
    .catch((error) => {
      throw results === undefined ? error : explainStop(error, `Stopped; the sets that were done are in ${results}.`, 'The same command goes on from there.');
    })
    .finally(() => progress.done());
  console.log(json ? JSON.stringify({ command: 'evaluate', suite, ...metrics }) : text);
}

const suites = { ood: oodSuite, corruptions: corruptionSuite, spurious: spuriousSuite };

async function oodSuite(engine: Engine, config: Config, weights: string): Promise<Suite> {
  const classifier = await loadImageNetClassifier(engine, config.student, weights, config.ood.imageSize);
  const run: Suite['run'] = async (options) => {
    const metrics = await evaluateOod(classifier, config.ood, options);
    return { metrics, text: oodText(metrics) };
  };
  return { key: { spec: classifier.spec, transform: config.ood.transform }, run };
}

async function spuriousSuite(engine: Engine, { student, teacher, spurious }: Config, weights: string): Promise<Suite> {
  const classifier = await loadImageNetClassifier(engine, student, weights, spurious.imageSize);
  const other = teacher.weights === undefined ? undefined : await loadImageNetClassifier(engine, teacher, teacher.weights, spurious.imageSize);
  const run: Suite['run'] = async (options) => {
    const metrics = await evaluateSpurious(classifier, spurious, { ...options, ...(other && { teacher: other }) });
    return { metrics, text: spuriousText(metrics) };
  };
  return { key: { spec: classifier.spec, teacherSpec: other?.spec ?? null, imageNet: spurious.imageNet ?? null, teacher: other ? await fingerprintRead(engine, teacher.weights!) : null }, run };
}

async function corruptionSuite(engine: Engine, config: Config, weights: string, reference: string | undefined): Promise<Suite> {
  const { data, seed, student } = config;
  const { test } = await openData(data);
  if (test.imageSize < smallestSide) throw new SparringError('config', `--suite corruptions: expected images of at least ${smallestSide} px, found ${test.imageSize} px.`, 'Raise data.imageSize, if weights and data allow it.');
  const classifier = await loadClassifier(engine, student, weights, test);
  const other = reference === undefined ? undefined : await loadClassifier(engine, student, reference, test);
  const run: Suite['run'] = async (options) => {
    const metrics = await evaluateCorruptions(classifier, test, (kind, severity) => corrupted(engine, test, { kind, severity, seed }), { ...options, ...(other && { reference: other }) });
    return { metrics, text: corruptionText(metrics) };
  };
  return { key: { spec: classifier.spec, referenceSpec: other?.spec ?? null, data, seed, reference: reference === undefined ? null : await fingerprintRead(engine, reference) }, run };
}
