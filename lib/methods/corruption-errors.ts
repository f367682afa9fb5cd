/** Errors of the classifiers of a run under common corruptions of its test split, where the config asks for them. */
import { join } from 'node:path';

import { corrupted } from '../data/corruptions.js';
import type { MeasuredErrors } from '../metrics/corruption-error.js';
import type { Classifier } from '../native/models.js';
import type { RunContext } from './context.js';
import type { Stage } from '../training/stage.js';
import { evaluateCorruptions } from './evaluate-corruptions.js';
import { rememberIn } from './remembered.js';

/** What is done is kept in the folder of the stage at whose end it stands. */
export async function corruptionErrors({ config, data: { test }, reporter, signal }: RunContext, classifier: Classifier, { name, folder }: Stage): Promise<{ corruptions?: MeasuredErrors }> {
  if (!config.evaluation.corruptions) return {};
  const { cleanError, corruptions } = await evaluateCorruptions(classifier, test, (kind, severity) => corrupted(classifier.engine, test, { kind, severity, seed: config.seed }), {
    ...(signal && { signal }),
    remember: rememberIn(join(folder, 'corruptions.json'), { seed: config.seed, precision: classifier.engine.precision }),
    onProgress: (set, done, total) => reporter.progress(`${name}, ${set}`, done, total),
  });
  return { corruptions: { clean: cleanError, bySeverity: Object.fromEntries(corruptions.map((one) => [one.name, one.bySeverity])) } };
}
