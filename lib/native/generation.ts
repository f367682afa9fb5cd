/** Sampling and guidance in the native core. */
import type { AutoencoderHandle, ClassifierHandle, DenoiserHandle, JobControl, Precision } from './handles.js';
import type { SamplerSpec } from './specs.js';

export interface ObjectiveOptions {
  form: 'difference' | 'power_max' | 'power_min' | 'log';
  gamma: number;
  /** With one of them the other network has no say. */
  terms: 'both' | 'teacher' | 'student';
}

/** How the gradient gets from the classifiers to the noisy image. */
export interface GradientPath {
  /** `unet`: through the network; `x0`: at the predicted image, without the network's Jacobian (MPGD). */
  gradient: 'unet' | 'x0';
  /** Predicted latents are averaged over squares of this side before they are decoded for the classifiers; 1 = full size. */
  latentPool: number;
  /** The file of the generator's decoder for guidance (`setGuidanceDecoder`), where that is to be used; default its own. */
  decoder?: string | undefined;
}

/** What of a run through the whole chain is judged. */
export interface ChainLoss {
  cutouts: Cutouts;
  /** So many: the image that comes out, and x0 predicted in the steps before the last. */
  lastPredictions: number;
  /** Their weights in the order of the run: 1, 2, 3, ..., or 1 each; brought to a sum of 1. */
  predictionWeights: 'linear' | 'equal';
  /** As of GradientPath. */
  decoder?: string | undefined;
}

export type ChainGuidance = ChainLoss & {
  kind: 'chain';
  objective: ObjectiveOptions;
  iterations: number;
  /** Of Adam on the initial noise. */
  learningRate: number;
  /** What is moved beside it: what is added to the condition of each image at each step, or to the null condition. */
  conditions: { moved: 'none' | 'class' | 'null' | 'both'; learningRate: number };
  /** Of activations; above it the chain is computed again in segments. */
  memoryBytes: number;
};

/** Random square parts of the predicted image, which the classifiers judge in place of the whole; the objective is their mean. */
export interface Cutouts {
  /** Per image and step; 0: the whole image, without noise. */
  count: number;
  /** Sides are drawn from this share of the image's to the whole. */
  leastSide: number;
  /** Standard deviation of what is added to them, images being in -1..1. */
  noise: number;
}

export type Guidance =
  | { kind: 'none' }
  | (GradientPath & {
      kind: 'step';
      objective: ObjectiveOptions;
      cutouts: Cutouts;
      scale: number;
      /** Guided while until <= t <= from, t = fraction of the noise schedule (1 = pure noise). */
      from: number;
      until: number;
      schedule: 'constant' | 'linear';
    })
  | ChainGuidance
  | PrototypeGuidance;

/**
 * At one step x becomes (1 + s) x + b, s and b per channel: from random ones, one step of length `rate` towards the prototypes in
 * the features of the teacher (arXiv 2403.06741).
 */
export interface PrototypeGuidance {
  kind: 'prototypes';
  rate: number;
  /** How far x may move. */
  radius: number;
  /** Share of the steps of a whole run that is left at that step, above 0. */
  remaining: number;
  /** Steps whose predicted images count. */
  span: number;
}

/** Unit vectors in the features of a classifier. */
export interface Prototypes {
  /** Of each class, [K, D]. */
  global: Float32Array;
  /** Of its parts, as many for each class, [K, L, D]. */
  local: Float32Array;
}

/**
 * Where a run starts: noise, an image with noise added (SDEdit), or the noise that DDIM inversion finds for an image. From
 * images a share of the steps is taken, 0 < strength <= 1.
 */
export type SamplingStart = { kind: 'noise' } | { kind: 'image'; strength: number } | InversionStart;

export interface InversionStart {
  kind: 'inversion';
  strength: number;
  /** Adam steps on the null condition at each step of the run (arXiv 2211.09794); 0 = none. */
  nullText: { iterations: number; learningRate: number };
}

export interface SamplingOptions {
  steps: number;
  sampler: Exclude<SamplerSpec['kind'], 'ddim-inversion'>;
  /** Of ddim: 0 is deterministic, 1 has the variance of ddpm. */
  eta: number;
  /** Classifier-free guidance; 1 = off. */
  guidanceScale: number;
  precision: Precision;
  start: SamplingStart;
}

export interface GenerateOptions extends SamplingOptions {
  classes: ArrayLike<number>;
  /** What a generator with texts is told of each image in place of its class, [N, tokens, channels]; see encodeTexts. */
  conditions?: Float32Array;
  /** Seed of the initial noise of each image; with it an image is the same in any batch. */
  seeds: ArrayLike<number>;
  /** What each sample starts from, [N, size, size, 3]; null where `start` is noise. */
  images: Uint8Array | null;
  batchSize: number;
  guidance: Guidance;
  /** Of guidance by prototypes. */
  prototypes?: Prototypes;
  /** Whether the gradients of the first batch are compared with the exact ones, where they are others. */
  compareGradients: boolean;
}

/** The chain starts from noise, with a sampler that does not remember. */
export interface OpposeOptions extends SamplingOptions {
  /** Of the noise, as many for each class in turn; each iteration draws from each anew. */
  seeds: ArrayLike<number>;
  iterations: number;
  learningRate: number;
  /** Images at once, but all of a class; does not change what is found. */
  batchSize: number;
  /** Of activations; above it the chain is computed again in segments. */
  memoryBytes: number;
}

export interface Opponents {
  teacher?: ClassifierHandle;
  student?: ClassifierHandle;
}

export interface Generated {
  /** [N, size, size, 3] */
  images: Uint8Array;
  /** [N, K] of the 8-bit image; null without a teacher. */
  teacherProbabilities: Float32Array | null;
  studentProbabilities: Float32Array | null;
  /** Of each image of the first batch the cosine of its gradient with the exact one, mean over the guided steps or that of the first iteration of a chain, NaN where they are all zero; null where nothing was compared. */
  gradientCosines: Float32Array | null;
}

export interface NativeGeneration {
  /**
   * Moves the conditions of each class so that the classifier fails on its images, by Adam on its cross-entropy through the
   * chain.
   */
  opposeClassifier(model: DenoiserHandle, classifier: ClassifierHandle, options: OpposeOptions, control?: JobControl): Promise<void>;
  /** A small autoencoder for the same latents, through which guidance may take its gradient. */
  setGuidanceDecoder(model: DenoiserHandle, decoder: AutoencoderHandle): Promise<void>;
  /** Fails as `generate` would for these options. */
  checkSampling(denoiser: DenoiserHandle, options: SamplingOptions & { guidance: Guidance }): Promise<void>;
  generate(denoiser: DenoiserHandle, opponents: Opponents, options: GenerateOptions, control?: JobControl): Promise<Generated>;
}
