/** How long a training step and an image take here: a few of each, on untrained networks of the right form. */
import type { Config, ClassifierTrainingConfig } from '../config/schema.js';
import { discretiserSpec, isTrainedDiscretiser } from '../config/discretiser.js';
import { commonCorruptions, corrupted, severities } from '../data/corruptions.js';
import { openData } from '../data/open.js';
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import { readBatch } from '../methods/context.js';
import { discretiserTrainer, openDiscretiser } from '../methods/discretiser.js';
import { isTrained, isTrainedGenerator, openGenerator, openTeacher } from '../methods/foundation.js';
import { discretisingRun, guides, recipes, takesDiscretiser, takesGenerator, type ContinuedMethod } from '../methods/recipes.js';
import { undefinedReason } from '../methods/undefined-rows.js';
import type { Corruption, Guidance, ModelHandle, SamplingStart } from '../native/contract.js';
import { Engine, throwIfAborted } from '../native/engine.js';
import { Autoencoder, Classifier, type Discretiser } from '../native/models.js';
import type { Method } from '../report/rows.js';
import { Trainer } from '../training/trainer.js';

/** Seconds of one step or image. */
export interface Rates {
  /** 0 where it is not trained. */
  teacherStep: number;
  generatorStep: number;
  /** With the discriminator, where it takes part at some time. */
  discretiserStep: number;
  /** Of plain distillation. */
  studentStep: number;
  /** In the rounds. */
  roundStep: number;
  /** 0 where no row draws any. */
  unguidedImage: number;
  guidedImage: number;
  /** What inversion with null-text optimisation adds to an image; 0 where the config has none. */
  nullTextImage: number;
  /** A discrete adversary of the teacher through the discretiser, and through the generator; 0 where no row needs any. */
  adversary: number;
  generatorAdversary: number;
  trainImages: number;
  classes: number;
  /** Of the test of a classifier under all corruptions, as a whole; 0 where that is not asked for. */
  corruptions: number;
  /** Rows that these data leave undefined. */
  undefinedRows: Method[];
}

const timedSteps = 5;
/** Steps of a probed image: a large generator on a CPU takes minutes for one step. */
const drawnSteps = 2;
/** Images of a probed batch at most, an image of a larger one takes no longer; and seconds that are worth more than one image. */
const drawnImages = 16;
const drawnSeconds = 5;
/** Of null-text optimisation at each step. */
const drawnIterations = 2;
/** Test images under each corruption, which threads share. */
const drawnCorrupted = 64;

/** What of a probe depends on which rows there are. */
export function probedParts(methods: readonly ContinuedMethod[]) {
  return { generator: takesGenerator(methods), guidance: guides(methods), discretiser: takesDiscretiser(methods), generatorAsDiscretiser: methods.some((method) => recipes[method].counterparts === 'generator') };
}

export async function probe(config: Config, signal?: AbortSignal): Promise<Rates> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  const { classes, imageSize } = data.train;
  const { seed, sampling } = config;
  const teacher = await openTeacher(engine, config, data.train, { ...(signal && { signal }) });
  const parts = probedParts(config.methods);
  const generator = parts.generator ? await openGenerator(engine, config, data.train) : null;
  const { architecture, mean, std } = config.student;
  const student = await Classifier.create(engine, { architecture, numClasses: classes.length, imageSize, mean, std }, classes, seed);

  const classifierStep = async (model: Classifier, against: Classifier | null, training: ClassifierTrainingConfig): Promise<number> => {
    using trainer = await Trainer.classifier(await model.clone(), against, training, { seed });
    return await secondsOfStep(trainer, data.train, training.batchSize, signal);
  };
  const generatorStep = async (): Promise<number> => {
    const { training, labelDropout } = config.generator;
    using trainer = await Trainer.generator(generator!, training, { seed, labelDropout });
    return await secondsOfStep(trainer, data.train, training.batchSize, signal);
  };
  const image = async (guidance: Guidance, start: SamplingStart = { kind: 'noise' }): Promise<number> => {
    if (!generator) return 0;
    throwIfAborted(signal);
    const { sampler, eta, guidanceScale } = sampling;
    const steps = Math.min(drawnSteps, sampling.steps);
    const seconds = await secondsOfImage(async (count) => {
      const places = Array.from({ length: count }, (_, i) => i);
      await generator.generate({ teacher, student }, {
        steps, sampler, eta, guidanceScale, guidance, start, images: start.kind === 'noise' ? null : await data.train.read(places.map((i) => i % data.train.length)), compareGradients: false,
        batchSize: count, classes: places.map((i) => i % classes.length), seeds: places,
      }, { ...(signal && { signal }) });
    }, Math.min(sampling.batchSize, drawnImages));
    return (seconds * sampling.steps) / steps;
  };
  const unguidedImage = await image({ kind: 'none' });
  const nullTextImage = async (): Promise<number> => {
    const { start } = sampling;
    if (start.kind !== 'inversion' || start.nullText.iterations === 0) return 0;
    const iterations = Math.min(start.nullText.iterations, drawnIterations);
    const probed = await image({ kind: 'none' }, { ...start, strength: 1, nullText: { ...start.nullText, iterations } });
    return (Math.max(0, probed - unguidedImage) * start.strength * start.nullText.iterations) / iterations;
  };
  const trainsDiscretiser = parts.discretiser && isTrainedDiscretiser(config.discretiser);
  const openedDiscretiser = async (): Promise<Autoencoder> => trainsDiscretiser ? Autoencoder.create(engine, discretiserSpec(config.discretiser), seed) : openDiscretiser(engine, config.discretiser, data.train);
  using discretiser = parts.discretiser ? await openedDiscretiser() : null;
  const discretiserStep = async (): Promise<number> => {
    using trainer = await discretiserTrainer(discretiser!, teacher, { seed, discretiser: { ...config.discretiser, adversarialFrom: 0 } }, imageSize);
    return await secondsOfStep(trainer, data.train, config.discretiser.training.batchSize, signal);
  };
  const adversary = async (q: Discretiser): Promise<number> => secondsOfImage(async (count) => {
    const { images, labels } = await readBatch(data.train, batchIndices(data.train.length, count, 0, 0));
    await teacher.discreteAdversaries(q, images, labels, { ...config.dad.attack, variant: 'adversarial', seeds: Array.from(labels.keys()) }, { ...(signal && { signal }) });
  }, config.sampling.batchSize);
  const corruptions = async (): Promise<number> => {
    const images = Math.min(drawnCorrupted, data.test.length), places = Int32Array.from({ length: images }, (_, i) => i);
    const classify = async (kind: Corruption): Promise<unknown> => student.logits(await corrupted(engine, data.test, { kind, severity: 3, seed }).read(places));
    await classify(commonCorruptions[0]); // which allocates
    const begin = performance.now();
    for (const kind of commonCorruptions) {
      throwIfAborted(signal);
      await classify(kind);
    }
    return ((performance.now() - begin) / 1000 / images) * severities.length * data.test.length;
  };
  return {
    adversary: discretiser ? await adversary(discretiser) : 0,
    generatorAdversary: parts.generatorAsDiscretiser ? await adversary(generator!.asDiscretiser(discretisingRun(config))) : 0,
    nullTextImage: await nullTextImage(),
    trainImages: data.train.length,
    classes: classes.length,
    corruptions: config.evaluation.corruptions ? await corruptions() : 0,
    studentStep: await classifierStep(student, teacher, config.student.training),
    roundStep: await classifierStep(student, teacher, config.rounds.training),
    unguidedImage,
    guidedImage: guidedSeconds(sampling.guidance, unguidedImage, parts.guidance ? await image(probedGuidance(sampling.guidance)) : unguidedImage),
    teacherStep: isTrained(config.teacher) ? await classifierStep(teacher, null, config.teacher.training) : 0,
    // Last: they change what they train.
    discretiserStep: trainsDiscretiser ? await discretiserStep() : 0,
    generatorStep: generator && isTrainedGenerator(config.generator) ? await generatorStep() : 0,
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

/** Of one of a batch of at most so many; of one alone where that takes long. */
async function secondsOfImage(make: (count: number) => Promise<unknown>, most: number): Promise<number> {
  const seconds = async (count: number): Promise<number> => {
    const begin = performance.now();
    await make(count);
    return (performance.now() - begin) / 1000;
  };
  const first = await seconds(1); // which allocates
  const count = Math.max(1, Math.min(most, Math.floor(drawnSeconds / first)));
  return first > drawnSeconds ? first : (await seconds(count)) / count;
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
