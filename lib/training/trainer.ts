import type { ClassifierTrainingConfig, TrainingConfig } from '../config/schema.js';
import { SparringError } from '../errors.js';
import type { AutoencoderHandle, ClassifierHandle, DenoiserHandle, DistillationOptions, ModelHandle, StepOptions, StepResult, TrainerHandle, TrainerOptions } from '../native/contract.js';
import type { Cancellable, Engine } from '../native/engine.js';
import type { Lpips } from '../native/lpips.js';
import { Autoencoder, Classifier, Generator } from '../native/models.js';

/** A batch of uint8 images, [B, size, size, 3], with a class each. */
export interface Batch {
  images: Uint8Array;
  labels: Int32Array;
  /** Where they matter for training: the group of each, counted among those that have images, [B]. */
  groups?: Int32Array;
  /** Other versions of the first images, [C, size, size, 3]; see `StepOptions`. */
  counterparts?: Uint8Array;
}

/** Weighs the images of a batch by what the losses of the steps before told. */
export interface Weighing {
  /** Saved with each checkpoint. */
  state: number[];
  /** [B], as `StepOptions.weights`. */
  weights(batch: Batch): Float32Array;
  /** Takes the losses of the images of a batch, [B], before they were weighted. */
  observe(batch: Batch, losses: Float32Array): void;
}

/** Optimizer, moving average and weights of a model in training. */
export class Trainer<Model extends ModelHandle> implements Disposable {
  private constructor(
    readonly engine: Engine,
    private readonly handle: TrainerHandle<Model>,
  ) {}

  /** Cross-entropy to the labels or, with a teacher, what `distillation` says; default EDRM, soft cross-entropy to its output on the same view. With `headOnly` all below the head stays. */
  static async classifier(
    student: Classifier,
    teacher: Classifier | null,
    training: ClassifierTrainingConfig,
    { seed, headOnly = false, ...distillation }: { seed: number; headOnly?: boolean } & Partial<DistillationOptions>,
  ): Promise<Trainer<ClassifierHandle>> {
    const { engine } = student;
    const options = { ...trainerOptions(training, engine, seed), mixing: training.mixing, policy: training.augment.policy, temperature: 1, labelWeight: 0, ...distillation, headOnly };
    return new Trainer(engine, await engine.run((core) => core.createClassifierTrainer(student.handle, teacher?.handle ?? null, options)));
  }

  static async generator(generator: Generator, training: TrainingConfig, { seed, labelDropout }: { seed: number; labelDropout: number }): Promise<Trainer<DenoiserHandle>> {
    const { engine } = generator;
    const options = { ...trainerOptions(training, engine, seed), labelDropout };
    return new Trainer(engine, await engine.run((core) => core.createDenoiserTrainer(generator.handle, options)));
  }

  /** Textual inversion: of a generator with conditions of its own these alone. */
  static async conditions(generator: Generator, training: TrainingConfig, { seed }: { seed: number }): Promise<Trainer<DenoiserHandle>> {
    const { engine } = generator;
    return new Trainer(engine, await engine.run((core) => core.createConditionTrainer(generator.handle, trainerOptions(training, engine, seed))));
  }

  /** A VQGAN, whose perceptual loss compares `features`; null where its weight is 0. */
  static async discretiser(
    autoencoder: Autoencoder,
    features: Classifier | Lpips | null,
    training: TrainingConfig,
    { seed, ...losses }: { seed: number; size: number; perceptualWeight: number; adversarialWeight: number; adversarialFrom: number },
  ): Promise<Trainer<AutoencoderHandle>> {
    const { engine } = autoencoder;
    const options = { ...trainerOptions(training, engine, seed), ...losses };
    return new Trainer(engine, await engine.run((core) => core.createAutoencoderTrainer(autoencoder.handle, features?.handle ?? null, options)));
  }

  step({ images, labels, counterparts }: Batch, learningRate: number, step: number, { signal, ...perImage }: Cancellable & Pick<StepOptions, 'weights' | 'losses'> = {}): Promise<StepResult> {
    if (!(Number.isFinite(learningRate) && learningRate >= 0)) throw new SparringError('usage', `Trainer.step: learningRate: expected a number of at least 0, found ${learningRate}.`);
    if (!(Number.isInteger(step) && step >= 0)) throw new SparringError('usage', `Trainer.step: step: expected a whole number of at least 0, found ${step}.`);
    const options = { learningRate, step, ...perImage, ...(counterparts && { counterparts }) };
    return this.engine.run((core, control) => core.trainStep(this.handle, images, labels, options, control), { ...(signal && { signal }) });
  }

  /** The averaged weights, or the trained ones when there is no average; they change with further steps. */
  result(): Model {
    return this.engine.core.trainedModel(this.handle);
  }

  save(path: string): Promise<void> {
    return this.engine.run((core) => core.saveTrainer(this.handle, path));
  }

  load(path: string): Promise<void> {
    return this.engine.run((core) => core.loadTrainer(this.handle, path));
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}

function trainerOptions(training: TrainingConfig, engine: Engine, seed: number): TrainerOptions {
  const { optimizer, beta1, beta2, momentum, weightDecay, clipNorm, emaDecay, augment } = training;
  return { optimizer: { kind: optimizer, beta1, beta2, momentum, weightDecay }, clipNorm, emaDecay, precision: engine.precision, seed, augment };
}
