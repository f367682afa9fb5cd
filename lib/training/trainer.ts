import type { ClassifierTrainingConfig, TrainingConfig } from '../config/schema.js';
import type { ClassifierHandle, DenoiserHandle, ModelHandle, StepResult, TrainerHandle, TrainerOptions } from '../native/contract.js';
import type { Cancellable, Engine } from '../native/engine.js';
import { Classifier, Generator } from '../native/models.js';

/** A batch of uint8 images, [B, size, size, 3], with a class each. */
export interface Batch {
  images: Uint8Array;
  labels: Int32Array;
}

/** Optimizer, moving average and weights of a model in training. */
export class Trainer<Model extends ModelHandle> implements Disposable {
  private constructor(
    readonly engine: Engine,
    private readonly handle: TrainerHandle<Model>,
  ) {}

  /** Cross-entropy to the labels, or, with a teacher, soft cross-entropy to its output on the same view (EDRM). With `headOnly` all below the head stays. */
  static async classifier(
    student: Classifier,
    teacher: Classifier | null,
    training: ClassifierTrainingConfig,
    { seed, temperature = 1, labelWeight = 0, headOnly = false }: { seed: number; temperature?: number; labelWeight?: number; headOnly?: boolean },
  ): Promise<Trainer<ClassifierHandle>> {
    const { engine } = student;
    const options = { ...trainerOptions(training, engine, seed), mixing: training.mixing, policy: training.augment.policy, temperature, labelWeight, headOnly };
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

  step(batch: Batch, learningRate: number, step: number, options: Cancellable = {}): Promise<StepResult> {
    return this.engine.run((core, control) => core.trainStep(this.handle, batch.images, batch.labels, { learningRate, step }, control), options);
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
