/**
 * The native core, typed completely; nothing else in lib/ knows more about it. Handles are opaque: tensors stay
 * native. Images cross as uint8 RGB, [B, size, size, 3]; options arrive complete, with every default filled in.
 */

import type { NativeInspection } from './inspection.js';
import type {
  AutoencoderSpec, ClassifierSpec, DenoiserSpec, KeyNames, SamplerSpec, TextEncoderSpec,
} from './specs.js';

export type * from './inspection.js';
export type * from './specs.js';

declare const kind: unique symbol;
export type ClassifierHandle = { readonly [kind]: 'classifier' };
export type DenoiserHandle = { readonly [kind]: 'denoiser' };
export type TextEncoderHandle = { readonly [kind]: 'text-encoder' };
export type TrainerHandle<Model> = { readonly [kind]: 'trainer'; readonly model: Model };
export type CancelToken = { readonly [kind]: 'token' };
export type AutoencoderHandle = { readonly [kind]: 'autoencoder' };
export type ModelHandle = ClassifierHandle | DenoiserHandle | AutoencoderHandle;

/** bf16: 16-bit convolutions and matrix products, fp32 weights, statistics, losses and sampler state. */
export type Precision = 'fp32' | 'bf16';
export type StorageType = 'fp32' | 'fp16' | 'bf16';

export interface JobControl {
  token?: CancelToken;
  onProgress?: (done: number, total: number) => void;
}

export interface Placement {
  device: string;
  /** Of the random weights; null: they are left as they come, for a network whose weights are loaded at once. */
  seed: number | null;
}

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

/** Hendrycks & Dietterich 2019 (arXiv 1903.12261), by the names of ImageNet-C's folders. */
export type Corruption =
  | 'gaussian_noise' | 'shot_noise' | 'impulse_noise' | 'defocus_blur' | 'glass_blur' | 'motion_blur' | 'zoom_blur' | 'snow' | 'frost' | 'fog'
  | 'brightness' | 'contrast' | 'elastic_transform' | 'pixelate' | 'jpeg_compression' | 'speckle_noise' | 'gaussian_blur' | 'spatter' | 'saturate';
export type CorruptionSeverity = 1 | 2 | 3 | 4 | 5;

export interface TrainerOptions {
  optimizer: OptimizerOptions;
  clipNorm: number;
  emaDecay: number;
  precision: Precision;
  seed: number;
  augment: AugmentOptions;
}

export interface StepResult {
  loss: number;
  gradientNorm: number;
  /** Of a classifier: predictions that equal the given labels, before the update. */
  correct?: number;
  /** Of each image before it is weighted, [B], where they were asked for. */
  losses?: Float32Array;
}

export interface StepOptions {
  learningRate: number;
  step: number;
  /** Of each image, [B], 0 or more; default 1. The loss is sum of weight times loss, divided by B. Of classifiers. */
  weights?: Float32Array;
  /** Whether the result has the losses of the single images; default false. Of classifiers. */
  losses?: boolean;
}

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
}

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
  | { kind: 'chain'; objective: ObjectiveOptions; iterations: number; learningRate: number; memoryBytes: number }
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
export type SamplingStart = { kind: 'noise' } | { kind: 'image' | 'inversion'; strength: number };

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
  /** Of each image of the first batch the cosine of its gradient with the exact one, mean over the guided steps, NaN where they are all zero; null where nothing was compared. */
  gradientCosines: Float32Array | null;
}

export interface WeightsInfo {
  /** What was read: the file, or an index and its shards. */
  files: string[];
  metadata: Record<string, string>;
  tensors: { name: string; shape: number[]; dtype: string }[];
}

/** An operation of a forward pass with weights, or a product of matrices. */
export interface LayerProfile {
  /** Of the module whose weights it uses; of attention's products that of the layer before. */
  name: string;
  /** Of PyTorch: conv2d, linear, batch_norm, matmul, ... */
  operation: string;
  output: number[];
  parameters: number;
  /** A multiply-add counts as two; only convolutions, matrix products and attention are counted. */
  flops: number;
  /** Of the output. */
  bytes: number;
}

/** A forward pass of one image in fp32, as it ran. */
export interface Profile {
  /** Shape of what goes in, without the batch. */
  input: number[];
  layers: LayerProfile[];
  flops: number;
  /** Largest memory beside the weights without gradients. */
  peakBytes: number;
  /** What the pass keeps for the backward pass, its output included. */
  savedBytes: number;
}

export interface NativeInfo {
  libtorch: string;
  cuda: boolean;
  cudaDevices: number;
  /** The processor multiplies bf16 in hardware (AMX-BF16 or AVX512-BF16). */
  cpuBf16: boolean;
  threads: number;
}

export type Fields<Names extends string> = Promise<Record<Names, Float32Array>>;

export interface NativeCore extends NativeInspection {
  info(): NativeInfo;
  setThreads(threads: number): Promise<void>;
  createToken(): CancelToken;
  cancel(token: CancelToken): void;
  dispose(handle: ModelHandle | TextEncoderHandle | TrainerHandle<ModelHandle>): void;

  createClassifier(spec: ClassifierSpec & Placement): Promise<ClassifierHandle>;
  /** The network of a TorchScript file, which can be neither trained nor saved. */
  openTorchScript(path: string, spec: Omit<ClassifierSpec, 'architecture'> & { device: string }): Promise<ClassifierHandle>;
  /** With an autoencoder the network works on its latents. `weights`: their precision, for one that is frozen in it; default fp32. */
  createDenoiser(spec: DenoiserSpec & Placement & { weights?: Precision }, autoencoder: AutoencoderHandle | null): Promise<DenoiserHandle>;
  /**
   * What a U-Net with text is told: `tokens` of one text for each class and, last, of one for classifier-free guidance,
   * [(K + 1) * contextLength], through the encoder without its last `skip` blocks.
   */
  setTexts(model: DenoiserHandle, encoder: TextEncoderHandle, tokens: Int32Array, options: { skip: number }): Promise<void>;
  /** Keeps the weights in this precision alone, for a generator that will be neither trained nor saved. */
  freezeDenoiser(model: DenoiserHandle, options: { precision: Precision }): Promise<void>;
  /**
   * A generator that shares the weights of `source`, which must not be trained further, and has conditions of its own: what it
   * is told of each class and, last, of the null class, class embeddings or texts. It is neither trained nor saved as a whole.
   */
  ownConditions(source: DenoiserHandle): Promise<DenoiserHandle>;
  saveConditions(model: DenoiserHandle, path: string): Promise<void>;
  loadConditions(model: DenoiserHandle, path: string): Promise<void>;
  /**
   * Moves the conditions of each class so that the classifier fails on its images, by Adam on its cross-entropy through the
   * chain.
   */
  opposeClassifier(model: DenoiserHandle, classifier: ClassifierHandle, options: OpposeOptions, control?: JobControl): Promise<void>;
  createTextEncoder(spec: TextEncoderSpec & Placement): Promise<TextEncoderHandle>;
  cloneClassifier(source: ClassifierHandle): Promise<ClassifierHandle>;
  /** `path` may be a safetensors file, the `*.safetensors.index.json` of shards, or a folder with one of them. */
  inspectWeights(path: string): Promise<WeightsInfo>;
  /**
   * With `newHead`, a classifier's head that the file lacks, or has for another number of classes, stays random.
   * `keyNames` say what the file calls the weights, when that is not what we call them.
   */
  loadWeights(model: ModelHandle | TextEncoderHandle, path: string, options: { newHead: boolean; keyNames?: KeyNames }): Promise<void>;
  saveWeights(model: ModelHandle, path: string, metadata: Record<string, string>, dtype: StorageType): Promise<void>;
  parameterCount(model: ModelHandle): Promise<number>;
  /** `size` in pixels of the images of an autoencoder; the other networks know theirs. */
  profile(model: ModelHandle, options: { size: number }): Promise<Profile>;
  /** Tensors with NaN or infinite elements, and how many; reads the whole file. */
  nonFiniteWeights(path: string, control?: JobControl): Promise<{ name: string; count: number }[]>;
  /** Logits, [B, K]. */
  predict(model: ClassifierHandle, images: Uint8Array, options: { precision: Precision }, control?: JobControl): Promise<Float32Array>;

  /** What the head takes, [B, D]; the mean over them of a network with two heads. */
  features(model: ClassifierHandle, images: Uint8Array, options: { precision: Precision }, control?: JobControl): Promise<Float32Array>;

  /** Makes texts the head: `tokens` of as many prompts for each class in turn, [K * T * contextLength]. */
  zeroShotHead(model: ClassifierHandle, encoder: TextEncoderHandle, tokens: Int32Array, control?: JobControl): Promise<void>;

  /** Corrupted copies of images of at least 32 px; `seeds`, one per image. */
  corrupt(images: Uint8Array, options: { kind: Corruption; severity: CorruptionSeverity; size: number; seeds: ArrayLike<number> }, control?: JobControl): Promise<Uint8Array>;

  createAutoencoder(spec: AutoencoderSpec & Placement): Promise<AutoencoderHandle>;
  /** Latents, [B, C, size / f, size / f]; `seeds`, one per image, draw from the posterior of a `kl`, null takes its mode. */
  encodeImages(
    model: AutoencoderHandle,
    images: Uint8Array,
    options: { size: number; seeds: ArrayLike<number> | null; precision: Precision },
    control?: JobControl,
  ): Promise<Float32Array>;
  /** Images of side `size`. */
  decodeLatents(model: AutoencoderHandle, latents: Float32Array, options: { size: number; precision: Precision }, control?: JobControl): Promise<Uint8Array>;
  /** Each position of the latents to its nearest code, of a `vqgan`; indices are [B, size / f, size / f]. */
  quantise(model: AutoencoderHandle, latents: Float32Array, options: { size: number }, control?: JobControl): Fields<'latents' | 'indices'>;

  createClassifierTrainer(
    student: ClassifierHandle,
    teacher: ClassifierHandle | null,
    /** `headOnly`: a linear probe; default false. `policy`: default none. */
    options: TrainerOptions & { mixing: MixingOptions; temperature: number; labelWeight: number; headOnly?: boolean; policy?: ViewPolicy },
  ): Promise<TrainerHandle<ClassifierHandle>>;
  createDenoiserTrainer(denoiser: DenoiserHandle, options: TrainerOptions & { labelDropout: number }): Promise<TrainerHandle<DenoiserHandle>>;
  /** Textual inversion of a generator with conditions of its own, which begins at those of the null class; `emaDecay` is 0. */
  createConditionTrainer(denoiser: DenoiserHandle, options: TrainerOptions): Promise<TrainerHandle<DenoiserHandle>>;
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

  /** Fails as `generate` would for these options. */
  checkSampling(denoiser: DenoiserHandle, options: SamplingOptions & { guidance: Guidance }): Promise<void>;
  generate(denoiser: DenoiserHandle, opponents: Opponents, options: GenerateOptions, control?: JobControl): Promise<Generated>;
}
