/** Training in the native core. */
import type { DiscreteAttack, DiscretiserHandle } from './attacks.js';
import type { AutoencoderHandle, ClassifierHandle, DenoiserHandle, JobControl, LpipsHandle, ModelHandle, Precision, TrainerHandle } from './handles.js';

export interface OptimizerOptions {
  kind: 'adamw' | 'sgd';
  beta1: number;
  beta2: number;
  momentum: number;
  weightDecay: number;
}

export interface AugmentOptions {
  flip: boolean;
  /** Reflect-padded shift of up to this many pixels. */
  cropPadding: number;
  /** Enlarges by a factor from 1 / (1 + zoom) to 1 + zoom. */
  zoom: number;
  /** Ranges of the jitter factors, 0 = off. */
  brightness: number;
  contrast: number;
  saturation: number;
  /** Largest turn of the hue either way, in full turns. */
  hue: number;
}

/** Shares of the images of a batch that another one is mixed into; together at most 1. */
export interface MixingOptions {
  /** A rectangle of the other image (arXiv 1905.04899). */
  cutMix: number;
  /** A blend with the other image (arXiv 1710.09412). */
  mixUp: number;
}

/** Published augmentation of the views that a classifier is trained on. */
export type ViewPolicy = 'none' | 'randaugment' | 'augmix' | 'pixmix';

export interface TrainerOptions {
  optimizer: OptimizerOptions;
  clipNorm: number;
  emaDecay: number;
  precision: Precision;
  seed: number;
  augment: AugmentOptions;
}

/** What a classifier learns from its teacher beside the labels, whose weight is `labelWeight`; without a teacher the labels alone count. */
export interface DistillationOptions {
  /** Of the soft labels. */
  temperature: number;
  labelWeight: number;
  /** Of distillation on the images themselves; default 1. */
  imageWeight?: number;
  /** `soft-labels` (default), or their `correlations` over the classes and over the batch (DIST, arXiv 2205.10536). */
  relation?: 'soft-labels' | 'correlations';
  /** Of distillation on counterparts, default 1; `target`: what the teacher says of the counterpart (`own`, default) or of the `image`. */
  counterparts?: { weight: number; target: 'own' | 'image' };
  /** Adversaries that are made in each step. */
  online?: OnlineAdversary;
}

/** `discretiser`: DAT (arXiv 2209.07735), lengths of l2 as for 224 px images; null: a plain attack, lengths as they are. */
export interface OnlineAdversary {
  /**
   * `beside`: of the student, which learns their labels too. `instead`: of the student, in place of the images, without a teacher and
   * counterparts. `counterparts`: of the teacher, in place of given counterparts; those that it takes for another class are left out.
   */
  use: 'beside' | 'instead' | 'counterparts';
  /** Of the labels of those beside the images. */
  weight: number;
  attack: DiscreteAttack;
  discretiser: DiscretiserHandle | null;
}

export interface StepResult {
  loss: number;
  gradientNorm: number;
  /** Of a classifier: predictions that equal the given labels, before the update. */
  correct?: number;
  /** Of an autoencoder: what its loss consists of, and that of the discriminator once it takes part. */
  terms?: Record<string, number>;
  /** Of each image before it is weighted, [B], where they were asked for. */
  losses?: Float32Array;
}

export interface StepOptions {
  learningRate: number;
  step: number;
  /** Of each image, [B], 0 or more; default 1. The loss is sum of weight times loss, divided by B. Of classifiers. */
  weights?: Float32Array;
  /** Other versions of the first images of the batch, [C, size, size, 3], which are augmented as these are. Of classifiers. */
  counterparts?: Uint8Array;
  /** Whether the result has the losses of the single images; default false. Of classifiers. */
  losses?: boolean;
}

export interface NativeTraining {
  createClassifierTrainer(
    student: ClassifierHandle,
    teacher: ClassifierHandle | null,
    /** `headOnly`: a linear probe; default false. `policy`: default none. */
    options: TrainerOptions & DistillationOptions & { mixing: MixingOptions; headOnly?: boolean; policy?: ViewPolicy },
  ): Promise<TrainerHandle<ClassifierHandle>>;
  createDenoiserTrainer(denoiser: DenoiserHandle, options: TrainerOptions & { labelDropout: number }): Promise<TrainerHandle<DenoiserHandle>>;
  /** Textual inversion of a generator with conditions of its own, which begins at those of the null class; `emaDecay` is 0. */
  createConditionTrainer(denoiser: DenoiserHandle, options: TrainerOptions): Promise<TrainerHandle<DenoiserHandle>>;
  /**
   * Of a `vqgan`, on images of side `size`; labels are of no account. `features` are those that the perceptual loss compares, null
   * where its weight is 0. The discriminator is trained and takes part from step `adversarialFrom` on.
   */
  createAutoencoderTrainer(
    autoencoder: AutoencoderHandle,
    features: ClassifierHandle | LpipsHandle | null,
    options: TrainerOptions & { size: number; perceptualWeight: number; adversarialWeight: number; adversarialFrom: number },
  ): Promise<TrainerHandle<AutoencoderHandle>>;
  trainStep(
    trainer: TrainerHandle<ModelHandle>,
    images: Uint8Array,
    labels: Int32Array,
    options: StepOptions,
    control?: JobControl,
  ): Promise<StepResult>;
  /** The averaged model, or the trained one when there is no average. */
  trainedModel<Model extends ModelHandle>(trainer: TrainerHandle<Model>): Model;
  saveTrainer(trainer: TrainerHandle<ModelHandle>, path: string): Promise<void>;
  loadTrainer(trainer: TrainerHandle<ModelHandle>, path: string): Promise<void>;
}
