/**
 * The foundation of a run: a robust teacher and a class-conditional generator. They stand for what is bought in from
 * the wide world (CLIP, Stable Diffusion), so they may see groups that the student's training data lack. Loaded from
 * files, or trained here on the broad or balanced split.
 */
import { join } from 'node:path';

import type { Config, TrainingConfig } from '../config/schema.js';
import { describeClassifierFolder, isModelFolder } from '../classifiers/folder.js';
import { zeroShotClassifier } from '../clip/zero-shot.js';
import { comparesTeacherFeatures } from '../config/discretiser.js';
import { pixelGenerator } from '../config/generators.js';
import { trainingSplit } from '../data/open.js';
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';
import { pretrainedGenerator, pretrainedOptions } from '../diffusion/pretrained.js';
import { SparringError } from '../errors.js';
import type { ModelHandle } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Classifier, Generator, type Autoencoder } from '../native/models.js';
import { isArchive } from '../native/torchscript.js';
import { trainLoop } from '../training/loop.js';
import type { Stage } from '../training/stage.js';
import { Trainer } from '../training/trainer.js';
import { checkConditions } from './conditions.js';
import { openStage, readBatch, type RunContext } from './context.js';
import type { GivenByKind } from './given-adversaries.js';
import { discretisingRun, recipes, samplingOf, takesDiscretiser, takesPrototypes } from './recipes.js';

/** Files that a trained foundation consists of, in its folder. */
export const foundationFiles = { teacher: 'teacher.safetensors', generator: 'generator.safetensors', discretiser: 'discretiser.safetensors' } as const;
export type FoundationRole = keyof typeof foundationFiles;

/** What teacher, generator and dataset must agree on. */
type Inputs = Pick<Dataset, 'classes' | 'imageSize'>;
/** What a weights file of another project does not say. */
type Described = Pick<Config['teacher'], 'architecture' | 'mean' | 'std'>;

/** Throws SparringError 'config' when teacher or generator, if one is needed, would be trained on a split that the data do not have. */
export function checkSplits(config: RunContext['config'], data: RunContext['data'], { generates = true } = {}): void {
  for (const role of generates ? (['teacher', 'generator'] as const) : (['teacher'] as const)) {
    if (role === 'teacher' ? isTrained(config.teacher) : isTrainedGenerator(config.generator)) trainingSplit(data, config[role].trainOn, `${role}.trainOn`);
  }
}

/** Whether the teacher is trained here. */
export function isTrained({ weights, zeroShot }: Config['teacher']): boolean {
  return !weights && zeroShot?.tune !== 'none';
}

/** Whether the generator is trained here. */
export function isTrainedGenerator({ weights, pretrained }: Config['generator']): boolean {
  return !weights && !pretrained;
}

export interface Foundation {
  teacher: Classifier;
  /** Null where no row generates images. */
  generator: Generator | null;
  /** Null where no row discretises images. */
  discretiser: Autoencoder | null;
  /** Discrete adversaries that are given, by kind; those of other kinds are made. */
  adversaries: GivenByKind;
  /** Training time of each, over all sessions; 0 for one whose weights were given. */
  seconds: { teacher: number; generator: number };
}

/** Loads or trains the teacher alone. */
export async function obtainTeacher(context: RunContext): Promise<Trained<Classifier>> {
  const initial = isReady(context, 'teacher') ? null : await openTeacher(context.engine, context.config, context.data.train, context);
  return context.config.teacher.weights ? { model: initial!, seconds: 0 } : completeTeacher(context, initial);
}

/** Loads or trains both. */
export async function obtainFoundation(context: RunContext): Promise<Pick<Foundation, 'teacher' | 'seconds'> & { generator: Generator }> {
  const { config, engine, data } = context;
  // Both are opened before either is trained: a wrong file costs no training.
  const initialTeacher = isReady(context, 'teacher') ? null : await openTeacher(engine, config, data.train, context);
  const initialGenerator = isReady(context, 'generator') ? null : await openGenerator(engine, config, data.train);
  const teacher = config.teacher.weights ? { model: initialTeacher!, seconds: 0 } : await completeTeacher(context, initialTeacher);
  const generator = isTrainedGenerator(config.generator) ? await completeGenerator(context, initialGenerator) : { model: initialGenerator!, seconds: 0 };
  return { teacher: teacher.model, generator: generator.model, seconds: { teacher: teacher.seconds, generator: generator.seconds } };
}

/** Whether an earlier session has completed it, so that what it began with is not needed any more. */
function isReady(context: RunContext, role: 'teacher' | 'generator'): boolean {
  if (role === 'generator' && !isTrainedGenerator(context.config.generator)) return false;
  return !context.config[role].weights && openStage(context, `foundation/${role}`).finished() !== undefined;
}

/** The teacher of a run, or what its training begins with: given weights, those of a CLIP model, or random ones. */
export async function openTeacher(engine: Engine, { teacher, seed, methods, discretiser }: Config, inputs: Inputs, { signal, reporter }: Partial<Pick<RunContext, 'signal' | 'reporter'>> = {}): Promise<Classifier> {
  const { weights, start, zeroShot, architecture, mean, std } = teacher;
  if (weights) return checkFeatures(await loadClassifier(engine, teacher, weights, inputs), { methods, discretiser }, weights);
  if (start) return loadClassifier(engine, teacher, start, inputs, { newHead: true, seed });
  if (zeroShot) {
    return zeroShotClassifier(engine, zeroShot, inputs, {
      ...(signal && { signal }),
      ...(reporter && { onProgress: (done: number, total: number) => reporter.progress('prompts', done, total) }),
    });
  }
  const { classes, imageSize } = inputs;
  return Classifier.create(engine, { architecture, numClasses: classes.length, imageSize, mean, std }, classes, seed);
}

/** Throws SparringError 'weights' where a row needs the features of a teacher that has none. */
function checkFeatures(teacher: Classifier, { methods, discretiser }: Pick<Config, 'methods' | 'discretiser'>, path: string): Classifier {
  const learnsFeatures = takesDiscretiser(methods) && comparesTeacherFeatures(discretiser);
  const row = methods.find(takesPrototypes) ?? (learnsFeatures ? 'the training of discretiser' : undefined);
  if (row === undefined || teacher.spec.architecture.family !== 'torchscript') return teacher;
  throw new SparringError('weights', `${path}: expected a teacher whose features are known for ${row}, found TorchScript.`, learnsFeatures ? 'Take safetensors weights with their architecture, give discretiser.lpips, or set discretiser.perceptualWeight to 0.' : `Take safetensors weights with their architecture, or leave ${row} out of methods.`);
}

/** Likewise the generator, for which `sampling` must be possible. */
export async function openGenerator(engine: Engine, config: Config, inputs: Inputs): Promise<Generator> {
  const { generator: given, methods, sampling, seed } = config;
  const { weights, start, pretrained } = given;
  const file = weights ?? start;
  const { classes, imageSize } = inputs;
  const generator = file ? await loadGenerator(engine, file, inputs)
    : pretrained ? await pretrainedGenerator(engine, pretrainedOptions(pretrained, sampling), inputs)
    : await Generator.create(engine, pixelGenerator(given, classes.length, imageSize), classes, seed);
  await engine.run((core) => core.checkSampling(generator.handle, { ...sampling, precision: engine.precision }));
  await checkRowGuidance(engine, generator, methods, sampling);
  if (methods.some((method) => recipes[method].counterparts === 'generator')) await engine.run((core) => core.checkDiscretiser(generator.asDiscretiser(discretisingRun(config)).handle, imageSize));
  checkConditions(methods, generator);
  return generator;
}

/** Rows with guidance of their own must have a step where it acts. */
async function checkRowGuidance(engine: Engine, generator: Generator, methods: Config['methods'], sampling: Config['sampling']): Promise<void> {
  for (const method of methods) {
    const { guidance, start } = samplingOf(recipes[method], sampling);
    if (typeof recipes[method].images?.guidance !== 'object' || guidance.kind !== 'step' || 'strengths' in start) continue;
    await engine.run((core) => core.checkSampling(generator.handle, { ...sampling, guidance, start, precision: engine.precision })).catch((error) => {
      if (error instanceof SparringError) error.message = `${method}: ${error.message}`;
      throw error;
    });
  }
}

export interface Trained<Model> {
  model: Model;
  seconds: number;
}

/** Trains what is to be trained; a teacher that needs no training is only saved. `initial` is null where that is done. */
async function completeTeacher(context: RunContext, initial: Classifier | null): Promise<Trained<Classifier>> {
  const { config, engine, data } = context;
  const { zeroShot, trainOn, training } = config.teacher;
  const stage = openStage(context, 'foundation/teacher');
  const file = join(stage.folder, foundationFiles.teacher);
  if (initial) {
    using begin = initial;
    if (isTrained(config.teacher)) {
      using trainer = await Trainer.classifier(begin, null, training, { seed: config.seed, headOnly: zeroShot?.tune === 'head' });
      await trainOnSplit(context, trainer, stage, trainingSplit(data, trainOn, 'teacher.trainOn'), training);
      await new Classifier(engine, trainer.result(), begin.spec, begin.classes).save(file);
    } else {
      await begin.save(file);
    }
    await stage.finish({ seconds: stage.seconds, steps: isTrained(config.teacher) ? training.steps : 0 });
  }
  return { model: await Classifier.load(engine, file), ...stage.finished<{ seconds: number }>()! };
}

async function completeGenerator(context: RunContext, initial: Generator | null): Promise<Trained<Generator>> {
  const { config, engine, data } = context;
  const { labelDropout, trainOn, training } = config.generator;
  const stage = openStage(context, 'foundation/generator');
  const file = join(stage.folder, foundationFiles.generator);
  if (initial) {
    using begin = initial;
    using trainer = await Trainer.generator(begin, training, { seed: config.seed, labelDropout });
    await trainOnSplit(context, trainer, stage, trainingSplit(data, trainOn, 'generator.trainOn'), training);
    await new Generator(engine, trainer.result(), begin.spec, begin.classes).save(file);
    await stage.finish({ seconds: stage.seconds, steps: training.steps });
  }
  return { model: await Generator.load(engine, file), ...stage.finished<{ seconds: number }>()! };
}

/** Trains to the end of its schedule, from the last checkpoint if there is one. */
export async function trainOnSplit(context: RunContext, trainer: Trainer<ModelHandle>, stage: Stage, dataset: Dataset, training: TrainingConfig): Promise<void> {
  const { config, reporter, signal } = context;
  await trainLoop({
    trainer,
    stage,
    training,
    from: await stage.resume(trainer),
    to: training.steps,
    total: training.steps,
    batch: (step) => readBatch(dataset, batchIndices(dataset.length, training.batchSize, step, config.seed)),
    reporter,
    ...(signal && { signal }),
  });
}

/**
 * Loads a file of sparring or a model folder, which say what they are, a file of torchvision or timm with the configured
 * architecture, or one of TorchScript.
 */
export async function loadClassifier(engine: Engine, { architecture, mean, std }: Described, path: string, inputs: Inputs, head: { newHead?: boolean; seed?: number } = {}): Promise<Classifier> {
  const { classes, imageSize } = inputs;
  const forData = { numClasses: classes.length, imageSize };
  if (isModelFolder(path)) {
    const { weights, spec, keyNames, labels } = await describeClassifierFolder(engine, path);
    checkOrder(path, labels, classes);
    return Classifier.load(engine, weights, { spec: { ...spec, ...forData }, classes: [...classes] }, { ...head, ...(keyNames && { keyNames }) });
  }
  if (isArchive(path)) {
    if (head.newHead) throw new SparringError('weights', `${path}: expected safetensors to train on from, found TorchScript, which can be used but not trained.`, 'Give it as weights instead of start, or the weights as safetensors with their architecture.');
    return Classifier.openTorchScript(engine, path, { ...forData, mean, std }, [...classes]);
  }
  const { metadata } = await engine.run((core) => core.inspectWeights(path));
  if (!metadata['sparring.kind']) return Classifier.load(engine, path, { spec: { architecture, ...forData, mean, std }, classes: [...classes] }, head);
  if (!head.newHead) return checkInputs(await Classifier.load(engine, path), inputs, path);
  const own = await Classifier.describe(engine, path);
  // To go on from it: its head stays for the same classes, images of another size are resized to what it takes.
  if (own.classes.length === classes.length) checkClasses(own.classes, classes, path);
  const spec = { ...own.spec, ...forData, inputSize: own.spec.inputSize ?? own.spec.imageSize };
  return Classifier.load(engine, path, { spec, classes: [...classes] }, head);
}

/** Classes with the names of the data must have their order too, or a head that fits would mean something else; other names say nothing. */
function checkOrder(path: string, labels: readonly string[] | undefined, classes: readonly string[]): void {
  if (labels?.length !== classes.length || !classes.every((name) => labels.includes(name)) || classes.every((name, i) => name === labels[i])) return;
  throw new SparringError('weights', `${path}: expected the classes ${classes.join(', ')}, found ${labels.join(', ')}.`, 'Order matters: the classes of the data are in the order of their names. Reorder the rows of the head, or name the classes otherwise.');
}

export async function loadGenerator(engine: Engine, path: string, inputs: Inputs): Promise<Generator> {
  return checkInputs(await Generator.load(engine, path), inputs, path);
}

/** Throws SparringError 'weights' unless a model has the given classes and image size. */
function checkInputs<Model extends Classifier | Generator>(model: Model, { classes, imageSize }: Inputs, path: string): Model {
  checkClasses(model.classes, classes, path);
  if (model.spec.imageSize !== imageSize) {
    throw new SparringError('weights', `${path}: expected ${imageSize} px images, found ${model.spec.imageSize} px.`, 'Set data.imageSize to the size that the weights were made for.');
  }
  return model;
}

function checkClasses(found: readonly string[], expected: readonly string[], path: string): void {
  if (found.join() === expected.join()) return;
  throw new SparringError('weights', `${path}: expected the classes ${expected.join(', ')}, found ${found.join(', ')}.`, 'Use weights for this dataset; order matters.');
}
