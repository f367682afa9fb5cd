/** How long a training step and an image take here: a few of each, on untrained networks of the right form. */
import type { Config, ClassifierTrainingConfig } from '../config/schema.js';
import { openData } from '../data/open.js';
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import { labelsOf } from '../methods/context.js';
import { isTrained, isTrainedGenerator, openGenerator, openTeacher } from '../methods/foundation.js';
import type { Guidance, ModelHandle } from '../native/contract.js';
import { Engine, throwIfAborted } from '../native/engine.js';
import { Classifier } from '../native/models.js';
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
}

const timedSteps = 3;
/** Images of a probed batch at most: an image of a larger one takes no longer. */
const probedImages = 16;

export async function probe(config: Config, signal?: AbortSignal): Promise<Rates> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  const { classes, imageSize } = data.train;
  const { seed, sampling } = config;
  const teacher = await openTeacher(engine, config, data.train);
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
    const count = Math.min(sampling.batchSize, probedImages);
    const { steps, sampler, eta, guidanceScale } = sampling;
    const places = Array.from({ length: count }, (_, i) => i);
    const begin = performance.now();
    await generator.generate({ teacher, student }, {
      steps, sampler, eta, guidanceScale, guidance, start: { kind: 'noise' }, images: null, compareGradients: false,
      batchSize: count, classes: places.map((i) => i % classes.length), seeds: places,
    });
    return (performance.now() - begin) / 1000 / count;
  };
  return {
    studentStep: await classifierStep(student, teacher, config.student.training),
    roundStep: await classifierStep(student, teacher, config.rounds.training),
    unguidedImage: await image({ kind: 'none' }),
    guidedImage: await image(sampling.guidance),
    teacherStep: isTrained(config.teacher) ? await classifierStep(teacher, null, config.teacher.training) : 0,
    generatorStep: isTrainedGenerator(config.generator) ? await generatorStep() : 0, // last: it changes the generator
  };
}

async function secondsOfStep(trainer: Trainer<ModelHandle>, dataset: Dataset, batchSize: number, signal?: AbortSignal): Promise<number> {
  let begin = 0;
  for (let step = 0; step <= timedSteps; step++) {
    throwIfAborted(signal);
    if (step === 1) begin = performance.now(); // the first one allocates
    const indices = batchIndices(dataset.length, batchSize, step, 0);
    await trainer.step({ images: await dataset.read(indices), labels: labelsOf(dataset, indices) }, 1e-6, step);
  }
  return (performance.now() - begin) / 1000 / timedSteps;
}
