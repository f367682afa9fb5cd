/** Rows that tell the generator something else of the classes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { stream } from '../data/random.js';
import type { Classifier, Generator } from '../native/models.js';
import { keepNewest } from '../training/files.js';
import type { Stage } from '../training/stage.js';
import type { RunContext } from './context.js';
import { learnConditions } from './learned-conditions.js';
import type { Recipe } from './recipes.js';

/** Activations kept of the chain to the student; above it parts of it are computed again. */
const memoryBytes = 4 * 2 ** 30;

/** Conditions that were found in a round, in the folder of the row; those of the newest are kept. */
const foundName = /^conditions-(\d+)\.safetensors$/;

interface RoundOf {
  seed: number;
  round: number;
  /** Of the row. */
  stage: Stage;
}

/** The generator of a row in one round, to be disposed of; null where that is the foundation's. */
export async function ownGenerator(context: RunContext, conditions: NonNullable<Recipe['images']>['conditions'], generator: Generator, student: Classifier, of: RoundOf): Promise<Generator | null> {
  if (!conditions) return null;
  const own = await generator.withOwnConditions();
  try {
    if (conditions === 'learned') await own.loadConditions((await learnConditions(context, generator)).file);
    else await found(context, own, student, of);
    return own;
  } catch (error) {
    own[Symbol.dispose]();
    throw error;
  }
}

/** What the store says of them. */
export function provenanceOf({ config }: RunContext, conditions: NonNullable<Recipe['images']>['conditions']): Record<string, unknown> {
  return conditions ? { conditions: { kind: conditions, ...(conditions === 'learned' ? config.daFusion : config.gap) } } : {};
}

/** Searches, or takes what was found before the images of the round were interrupted: the student is the same as then. */
async function found(context: RunContext, own: Generator, student: Classifier, of: RoundOf): Promise<void> {
  const { folder } = of.stage;
  const file = join(folder, `conditions-${of.round}.safetensors`);
  if (existsSync(file)) return own.loadConditions(file);
  await oppose(context, own, student, of);
  await own.saveConditions(file);
  await keepNewest(folder, foundName, 1);
}

/** Adversarial Prompts (Yeo et al., arXiv 2403.15309): from the generator's own, by the loss of the student as it is. */
async function oppose({ config, reporter, signal }: RunContext, generator: Generator, student: Classifier, { seed, round, stage }: RoundOf): Promise<void> {
  const { gap, sampling } = config;
  const random = stream(seed, 'adversarial noise', round);
  const seeds = Array.from({ length: generator.classes.length * gap.imagesPerClass }, () => Math.floor(random.uniform() * 2 ** 53));
  const { steps, iterations, learningRate } = gap;
  const { guidanceScale, batchSize } = sampling;
  await generator.oppose(student, { steps, sampler: 'ddim', eta: 0, guidanceScale, start: { kind: 'noise' }, seeds, iterations, learningRate, batchSize, memoryBytes }, {
    ...(signal && { signal }),
    onProgress: (done, total) => reporter.progress(`${stage.name} embeddings`, done, total, { round }),
  });
}
