/**
 * The native core, typed completely; nothing else in lib/ knows more about it. Handles are opaque: tensors stay
 * native. Images cross as uint8 RGB, [B, size, size, 3]; options arrive complete, with every default filled in.
 */

import type {
  AutoencoderSpec, ClassifierSpec, DenoiserSpec, KeyNames, NoiseScheduleSpec, PredictionType, SamplerSpec, TextEncoderSpec, UNetSpec,
} from './specs.js';

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

export type Guidance =
  | { kind: 'none' }
  | (GradientPath & {
      kind: 'step';
      objective: ObjectiveOptions;
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

type Fields<Names extends string> = Promise<Record<Names, Float32Array>>;

export interface NativeCore {
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

  // Gradients and intermediate values, for tests and benchmarks. Tensors are flat, in NCHW order.
  objectiveGradient(options: {
    teacherLogits: Float32Array;
    studentLogits: Float32Array;
    classes: ArrayLike<number>;
    objective: ObjectiveOptions;
  }): Fields<'score' | 'teacherGradient' | 'studentGradient'>;
  classifierGradient(model: ClassifierHandle, options: { x: Float32Array; direction: Float32Array; precision: Precision }): Fields<'logits' | 'gradient'>;
  /** `states` without the last `skip` blocks; `gradient` of the embeddings with respect to the table of token embeddings. */
  textEncoderGradient(
    encoder: TextEncoderHandle,
    options: { tokens: Int32Array; skip: number; direction: Float32Array },
  ): Fields<'embeddings' | 'states' | 'gradient'>;
  denoiserGradient(
    model: DenoiserHandle,
    options: { x: Float32Array; timesteps: ArrayLike<number>; classes: ArrayLike<number>; direction: Float32Array },
  ): Fields<'output' | 'gradient'>;
  /** Images in -1..1; `noise` of the posterior, null for its mode. */
  encodeGradient(
    model: AutoencoderHandle,
    options: { x: Float32Array; noise: Float32Array | null; direction: Float32Array; size: number; precision: Precision },
  ): Fields<'latents' | 'gradient'>;
  decodeGradient(model: AutoencoderHandle, options: { x: Float32Array; direction: Float32Array; size: number; precision: Precision }): Fields<'images' | 'gradient'>;
  quantiseGradient(model: AutoencoderHandle, options: { x: Float32Array; direction: Float32Array; size: number }): Fields<'latents' | 'gradient'>;
  guidanceGradient(
    model: DenoiserHandle,
    opponents: Opponents,
    options: GradientPath & { x: Float32Array; classes: ArrayLike<number>; timestep: number; guidanceScale: number; precision: Precision; objective: ObjectiveOptions; repeat: number },
  ): Fields<'gradient' | 'score' | 'x0'>;
  chainGradient(
    model: DenoiserHandle,
    opponents: Opponents,
    options: SamplingOptions & { x: Float32Array; classes: ArrayLike<number>; images: Uint8Array | null; objective: ObjectiveOptions; segmentSteps: number },
  ): Promise<{ gradient: Float32Array; score: Float32Array; images: Float32Array; conditionGradient: Float32Array | null }>;
  /** At the step of the run that is guided, with s and b as given, [B, C]; `x`: where it goes. */
  prototypeGradient(
    model: DenoiserHandle,
    opponents: Pick<Opponents, 'teacher'>,
    options: SamplingOptions & { x: Float32Array; scale: Float32Array; bias: Float32Array; classes: ArrayLike<number>; guidance: PrototypeGuidance; prototypes: Prototypes },
  ): Fields<'energy' | 'scaleGradient' | 'biasGradient' | 'x'>;
  /** The random s and b, [B, channels]. */
  perturbation(options: { seeds: ArrayLike<number>; channels: number }): Fields<'scale' | 'bias'>;
  noiseSchedule(schedule: NoiseScheduleSpec): Fields<'alphasCumprod'>;
  /** x before each step and at the end, [steps + 1, B * ...], for given outputs of a network, [steps, B * ...]. */
  samplerTrajectory(options: {
    schedule: NoiseScheduleSpec;
    sampler: SamplerSpec;
    prediction: PredictionType;
    clip: number;
    /** [B * ...]; where the run starts, mixed with the image if there is one. */
    noise: Float32Array;
    image: Float32Array | null;
    outputs: Float32Array;
    /** [steps, B * ...]; null: from the seeds. */
    stepNoise: Float32Array | null;
    /** [B] */
    seeds: ArrayLike<number>;
  }): Fields<'timesteps' | 'alphaBars' | 'trajectory'>;
  /** Of a frozen network with the weights of a file; `classes` and `text` are null where the network has none. */
  unetGradient(options: {
    unet: UNetSpec;
    weights: string;
    size: number;
    x: Float32Array;
    timesteps: ArrayLike<number>;
    classes: Int32Array | null;
    /** [B, tokens, textChannels] */
    text: Float32Array | null;
    direction: Float32Array;
    precision: Precision;
  }): Promise<{ output: Float32Array; gradient: Float32Array; textGradient: Float32Array | null }>;
  optimiserTrajectory(
    options: OptimizerOptions & { start: Float32Array; target: Float32Array; scale: Float32Array; learningRates: Float32Array },
  ): Fields<'values'>;
  augment(images: Uint8Array, options: AugmentOptions & { size: number; seed: number; step: number }): Fields<'pixels'>;
  mix(images: Uint8Array, options: MixingOptions & { size: number; seed: number; step: number }): Fields<'pixels' | 'partner' | 'share'>;
  /** One operation on 8-bit images; [B, size, size, 3] in 0..255. `fill` comes in from outside of the image. */
  pictureOp(images: Uint8Array, options: PictureStep & { fill: number; size: number }): Fields<'pixels'>;
  /** [views, B, 3, size, size] in 0..1. */
  policyViews(images: Uint8Array, options: { policy: ViewPolicy; size: number; seed: number; step: number }): Fields<'pixels'>;
  /** What is drawn for a view: its number is the position in the batch, with AugMix twice that and 0 or 1 for the version. */
  policyPlan(options: { policy: 'randaugment'; size: number; view: number; seed: number; step: number }): PictureStep[];
  policyPlan(options: { policy: 'augmix'; size: number; view: number; seed: number; step: number }): AugMixPlan;
  /** `spare`: how far a view can be shifted within a fractal. */
  policyPlan(options: { policy: 'pixmix'; size: number; view: number; seed: number; step: number; spare: number }): PixMixPlan;
  /** What PixMix mixes in; [count, side, side, 3] in 0..255. */
  fractals(options: { first: number; count: number; side: number }): Fields<'pixels'>;
  /** Of logits [views, B, K]. */
  consistencyGradient(options: { logits: Float32Array; views: number; classes: number }): Fields<'loss' | 'gradient'>;
  initialNoise(options: { seeds: ArrayLike<number>; size: number }): Fields<'noise'>;
}

export interface PictureStep {
  op: string;
  value: number;
}

export interface AugMixPlan {
  share: number;
  weights: number[];
  chains: PictureStep[][];
}

export interface PixMixPlan {
  start: PictureStep | null;
  /** Mixed with the changed view, or with the fractal. */
  rounds: { change: PictureStep | null; product: boolean; own: number; other: number }[];
  picture: number;
  top: number;
  left: number;
  mirrored: boolean;
}
