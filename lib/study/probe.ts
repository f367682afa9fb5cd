/** How long a training step and an image take here: a few of each, on untrained networks of the right form. */
import type { Config, ClassifierTrainingConfig } from '../config/schema.js';
import { openData } from '../data/open.js';
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import { readBatch } from '../methods/context.js';
import { isTrained, isTrainedGenerator, openGenerator, openTeacher } from '../methods/foundation.js';
import { recipes, type ContinuedMethod } from '../methods/recipes.js';
import { undefinedReason } from '../methods/undefined-rows.js';
import type { Guidance, ModelHandle } from '../native/contract.js';
import { Engine, throwIfAborted } from '../native/engine.js';
import { Classifier } from '../native/models.js';
import type { Method } from '../report/rows.js';
import { Trainer } from '../training/trainer.js';

/** Seconds of one step or image. */
export interface Rates {
  /** 0 where it is not trained. */
  teacherStep: number;
  generatorStep: number;
  /** Of plain distillation. */
  studentStep: number;
  /** In the rounds. */
  roundStep: number;
  unguidedImage: number;
  guidedImage: number;
  /** Rows that these data leave undefined. */
  undefinedRows: Method[];
}

const timedSteps = 5;
/** Steps of a probed image: a large generator on a CPU takes minutes for one step. */
const drawnSteps = 2;
/** Images of a probed batch at most, an image of a larger one takes no longer; and seconds that are worth more than one image. */
const drawnImages = 16;
const drawnSeconds = 5;

export async function probe(config: Config, signal?: AbortSignal): Promise<Rates> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  const { classes, imageSize } = data.train;
  const { seed, sampling } = config;
  const teacher = await openTeacher(engine, config, data.train, { ...(signal && { signal }) });
  const generator = await openGenerator(engine, config, data.train);
  const { architecture, mean, std } = config.student;
  const student = await Classifier.create(engine, { architecture, numClasses: classes.length, imageSize, mean, std }, classes, seed);

  const classifierStep = async (model: Classifier, against: Classifier | null, training: ClassifierTrainingConfig): Promise<number> => {
    using trainer = await Trainer.classifier(await model.clone(), against, training, { seed });
    return await secondsOfStep(trainer, data.train, training.batchSize, signal);
  };
  const generatorStep = async (): Promise<number> => {
    const { training, labelDropout } = config.generator;
    using trainer = await Trainer.generator(generator, training, { seed, labelDropout });
    return await secondsOfStep(trainer, data.train, training.batchSize, signal);
  };
  const image = async (guidance: Guidance): Promise<number> => {
    throwIfAborted(signal);
    const { sampler, eta, guidanceScale } = sampling;
    const steps = Math.min(drawnSteps, sampling.steps);
    const draw = async (count: number): Promise<number> => {
      const places = Array.from({ length: count }, (_, i) => i);
      const begin = performance.now();
      await generator.generate({ teacher, student }, {
        steps, sampler, eta, guidanceScale, guidance, start: { kind: 'noise' }, images: null, compareGradients: false,
        batchSize: count, classes: places.map((i) => i % classes.length), seeds: places,
      }, { ...(signal && { signal }) });
      return (performance.now() - begin) / 1000;
    };
    const first = await draw(1); // which allocates
    const count = Math.max(1, Math.min(sampling.batchSize, drawnImages, Math.floor(drawnSeconds / first)));
    const seconds = first > drawnSeconds ? first : (await draw(count)) / count;
    return (seconds * sampling.steps) / steps;
  };
  const unguidedImage = await image({ kind: 'none' });
  return {
    studentStep: await classifierStep(student, teacher, config.student.training),
    roundStep: await classifierStep(student, teacher, config.rounds.training),
    unguidedImage,
    guidedImage: guidedSeconds(sampling.guidance, unguidedImage, await image(probedGuidance(sampling.guidance))),
    teacherStep: isTrained(config.teacher) ? await classifierStep(teacher, null, config.teacher.training) : 0,
    generatorStep: isTrainedGenerator(config.generator) ? await generatorStep() : 0, // last: it changes the generator
    undefinedRows: (Object.keys(recipes) as ContinuedMethod[]).filter((method) => undefinedReason(method, data) !== undefined),
  };
}

type ConfiguredGuidance = Config['sampling']['guidance'];

/** Guided in every step, since of few steps none may lie where the configured one guides; through the chain once. */
export function probedGuidance(guidance: ConfiguredGuidance): ConfiguredGuidance {
  return guidance.kind === 'step' ? { ...guidance, from: 1, until: 0 } : { ...guidance, iterations: 1, lastPredictions: Math.min(guidance.lastPredictions, drawnSteps) };
}

/** Of an image that is guided in its share of the steps, or so many times through the chain, from one without and one that was probed. */
export function guidedSeconds(guidance: ConfiguredGuidance, unguided: number, probed: number): number {
  const extent = guidance.kind === 'step' ? guidance.from - guidance.until : guidance.iterations;
  return unguided + extent * Math.max(0, probed - unguided);
}

/** The median: a step in which the machine was busy with something else counts no more than any. */
async function secondsOfStep(trainer: Trainer<ModelHandle>, dataset: Dataset, batchSize: number, signal?: AbortSignal): Promise<number> {
  const seconds: number[] = [];
  for (let step = 0; step <= timedSteps; step++) {
    throwIfAborted(signal);
    const indices = batchIndices(dataset.length, batchSize, step, 0);
    const begin = performance.now();
    await trainer.step(await readBatch(dataset, indices), 1e-6, step);
    if (step > 0) seconds.push((performance.now() - begin) / 1000); // the first one allocates
  }
  return seconds.sort((a, b) => a - b)[Math.floor(timedSteps / 2)];
}
