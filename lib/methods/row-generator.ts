/** Rows that tell the generator something else of the classes. */
import { stream } from '../data/random.js';
import type { Classifier, Generator } from '../native/models.js';
import type { RunContext } from './context.js';
import { learnConditions } from './learned-conditions.js';
import type { Recipe } from './recipes.js';

/** Activations kept of the chain to the student; above it parts of it are computed again. */
const memoryBytes = 4 * 2 ** 30;

interface RoundOf {
  seed: number;
  round: number;
  stage: string;
}

/** The generator of a row in one round, to be disposed of; null where that is the foundation's. */
export async function ownGenerator(context: RunContext, conditions: NonNullable<Recipe['images']>['conditions'], generator: Generator, student: Classifier, of: RoundOf): Promise<Generator | null> {
  if (!conditions) return null;
  const own = await generator.withOwnConditions();
  try {
    if (conditions === 'learned') await own.loadConditions((await learnConditions(context, generator)).file);
    else await oppose(context, own, student, of);
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

/** Adversarial Prompts (Yeo et al., arXiv 2403.15309): from the generator's own, by the loss of the student as it is. */
async function oppose({ config, reporter, signal }: RunContext, generator: Generator, student: Classifier, { seed, round, stage }: RoundOf): Promise<void> {
  const { gap, sampling } = config;
  const random = stream(seed, 'adversarial noise', round);
  const seeds = Array.from({ length: generator.classes.length * gap.imagesPerClass }, () => Math.floor(random.uniform() * 2 ** 53));
  const { steps, iterations, learningRate } = gap;
  const { guidanceScale, batchSize } = sampling;
  await generator.oppose(student, { steps, sampler: 'ddim', eta: 0, guidanceScale, start: { kind: 'noise' }, seeds, iterations, learningRate, batchSize, memoryBytes }, {
    ...(signal && { signal }),
    onProgress: (done, total) => reporter.progress(`${stage} embeddings`, done, total, { round }),
  });
}
