/**
 * Textual inversion (Gal et al., arXiv 2208.01618) as DA-Fusion uses it: class embeddings that are learned from the student's
 * training images, once for all seeds of a run, while the generator stays as it is.
 */
import { join } from 'node:path';

import type { Config, TrainingConfig } from '../config/schema.js';
import type { Generator } from '../native/models.js';
import { Trainer } from '../training/trainer.js';
import { openStage, type RunContext } from './context.js';
import { trainOnSplit } from './foundation.js';

export interface LearnedConditions {
  /** For `Generator.loadConditions`. */
  file: string;
  /** Training time over all sessions. */
  seconds: number;
}

/** Trains them, or finds them trained. */
export async function learnConditions(context: RunContext, generator: Generator): Promise<LearnedConditions> {
  const { config, data } = context;
  const stage = openStage(context, 'da-fusion');
  const file = join(stage.folder, 'conditions.safetensors');
  if (!stage.finished()) {
    const training = trainingOf(config.daFusion);
    using own = await generator.withOwnConditions();
    using trainer = await Trainer.conditions(own, training, { seed: config.seed });
    await trainOnSplit(context, trainer, stage, data.train, training);
    await own.saveConditions(file);
    await stage.finish({ seconds: stage.seconds, steps: training.steps });
  }
  return { file, ...stage.finished<{ seconds: number }>()! };
}

/** The common recipe of textual inversion: a constant learning rate, mirrored images and nothing else. */
function trainingOf({ steps, batchSize, learningRate }: Config['daFusion']): TrainingConfig {
  return {
    steps, batchSize, learningRate,
    warmupSteps: 0, schedule: 'constant', optimizer: 'adamw', beta1: 0.9, beta2: 0.999, momentum: 0, weightDecay: 0.01, clipNorm: 0, emaDecay: 0,
    augment: { flip: true, cropPadding: 0, zoom: 0, brightness: 0, contrast: 0, saturation: 0, hue: 0 },
  };
}
