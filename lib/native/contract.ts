/**
 * The native core, typed completely; nothing else in lib/ knows more about it. Handles are opaque: tensors stay
 * native. Images cross as uint8 RGB, [B, size, size, 3]; options arrive complete, with every default filled in.
 */

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

export type Architecture =
  | { family: 'cnn'; width: number; stages: number }
  | { family: 'resnet'; layers: readonly number[]; width: number; bottleneck: boolean; stem: 'imagenet' | 'cifar' }
  | {
      family: 'vit';
      patch: number;
      dim: number;
      depth: number;
      heads: number;
      mlpDim: number;
      /** Register tokens. */
      registers: number;
      /** DeiT's distillation token and second head. */
      distilled: boolean;
      layerScale: boolean;
      /** Whether class and register tokens have position embeddings too. */
      prefixPositions: boolean;
      /** CLIP: a norm before the blocks, no bias in the patch embedding. */
      preNorm: boolean;
      /** CLIP: channels of a linear map to unit vectors before the head; 0 = none. */
      projection: number;
      pool: 'token' | 'average';
      activation: 'gelu' | 'quick-gelu';
      normEps: number;
    }
  | { family: 'convnext'; depths: readonly number[]; dims: readonly number[] }
  | { family: 'mobilenet-v3'; size: 'small' | 'large'; width: number }
  | { family: 'efficientnet'; width: number; depth: number };

export interface ClassifierSpec {
  architecture: Architecture;
  numClasses: number;
  /** Side of the images in pixels. */
  imageSize: number;
  /** Side of what the network takes, to which images are resized (bicubic); by default imageSize. */
  inputSize?: number;
  /** Per channel, of pixels in 0..1. */
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** The text tower of CLIP, or a text encoder of Stable Diffusion. */
export interface TextEncoderSpec {
  vocabSize: number;
  /** Tokens of a text, start and end included. */
  contextLength: number;
  endToken: number;
  dim: number;
  depth: number;
  heads: number;
  mlpDim: number;
  /** Channels of the embedding; 0 = the state of the end token. */
  projection: number;
  /** Whether the weights have the factor of the similarities. */
  logitScale: boolean;
  activation: 'gelu' | 'quick-gelu';
  normEps: number;
}

/** See native/io/key_names.h. */
export interface KeyRule {
  ours: string;
  theirs: readonly string[];
  layout: 'same' | 'transposed' | 'squeezed' | 'convolution';
}
export interface KeyNames {
  rules: readonly KeyRule[];
  ignored: readonly string[];
  section?: string;
}

/** A U-Net of diffusers: UNet2DModel, or with a text UNet2DConditionModel. */
export interface UNetSpec {
  /** Of images or latents. */
  channels: number;
  blockChannels: readonly number[];
  /** Attention per level, 0 or 1. */
  attention: readonly (0 | 1)[];
  /** Attention heads per level. */
  heads: readonly number[];
  layersPerBlock: number;
  normGroups: number;
  normEps: number;
  /** 0: none. */
  classEmbeddings: number;
  /** Channels of a token of the text; 0: no text. */
  textChannels: number;
  transformerLayers: number;
  /** Stable Diffusion 2.x; 1.x projects with 1x1 convolutions. */
  linearProjection: boolean;
  /** Padding of what is halved, on all sides or right and below (DDPM). */
  downsampleBothSides: boolean;
  /** Of the time embedding: cosines before sines. */
  cosineFirst: boolean;
  frequencyShift: number;
}

export type PredictionType = 'epsilon' | 'v' | 'x0';
export type Spacing = 'linspace' | 'leading' | 'trailing';

export interface NoiseScheduleSpec {
  trainTimesteps: number;
  betas: 'linear' | 'scaled-linear' | 'cosine';
  /** Of linear and scaled-linear betas. */
  betaStart: number;
  betaEnd: number;
  /** DDIM ends without noise, or at the level of timestep 0. */
  setAlphaToOne: boolean;
  /** Added to the timesteps of leading spacing. */
  stepsOffset: number;
}

/** A diffusion model, of images or of the latents of an autoencoder. */
export interface DenoiserSpec {
  /** With as many class embeddings as classes, one more for the null class, a text, or none of them. */
  unet: UNetSpec;
  schedule: NoiseScheduleSpec;
  prediction: PredictionType;
  /** Of the timesteps of a sampler. */
  spacing: Spacing;
  /** Of the sampler ddpm. */
  variance: SamplerSpec['variance'];
  /** Predicted images are clamped to -clip..clip; 0: not at all. */
  clip: number;
  numClasses: number;
  /** Side of the images in pixels. */
  imageSize: number;
  /** Side in pixels of what is drawn and then resized to imageSize (bicubic). */
  drawSize: number;
}

export interface SamplerSpec {
  kind: 'ddim' | 'ddim-inversion' | 'ddpm' | 'dpm-solver++-2m' | 'euler';
  steps: number;
  spacing: Spacing;
  /** Of ddim: 0 is deterministic, 1 has the variance of ddpm. */
  eta: number;
  /** Of ddpm. */
  variance: 'fixed-small' | 'fixed-large';
  /** Image to image: the share of the steps that is taken, those nearest to the image. */
  strength: number;
}

/** Encoder and decoder of latent diffusion's autoencoders and of VQGAN. */
export interface AutoencoderShape {
  /** Channels per level; each but the first halves the resolution. */
  blockChannels: readonly number[];
  /** Self-attention per level, 0 or 1; the middle always has it. */
  attention: readonly (0 | 1)[];
  layersPerBlock: number;
  normGroups: number;
  latentChannels: number;
}

export type AutoencoderSpec =
  /** AutoencoderKL of diffusers; `scalingFactor` brings its latents to the variance that diffusion expects. */
  | ({ kind: 'kl'; scalingFactor: number } & AutoencoderShape)
  /** VQModel of diffusers; its latents are codes of `codeChannels` numbers. */
  | ({ kind: 'vqgan'; numCodes: number; codeChannels: number } & AutoencoderShape)
  /** AutoencoderTiny of diffusers; residual blocks per level, the encoder's from the image down, the decoder's from the latents up. */
  | { kind: 'taesd'; width: number; encoderBlocks: readonly number[]; decoderBlocks: readonly number[]; latentChannels: number };

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
}

export interface ObjectiveOptions {
  form: 'difference' | 'power_max' | 'power_min' | 'log';
  gamma: number;
}

export type Guidance =
  | { kind: 'none' }
  | {
      kind: 'step';
      objective: ObjectiveOptions;
      scale: number;
      /** Guided while until <= t <= from, t = fraction of the noise schedule (1 = pure noise). */
      from: number;
      until: number;
      schedule: 'constant' | 'linear';
    }
  | { kind: 'chain'; objective: ObjectiveOptions; iterations: number; learningRate: number; memoryBytes: number };

export interface SamplingOptions {
  steps: number;
  sampler: Exclude<SamplerSpec['kind'], 'ddim-inversion'>;
  /** Of ddim: 0 is deterministic, 1 has the variance of ddpm. */
  eta: number;
  /** Classifier-free guidance; 1 = off. */
  guidanceScale: number;
  precision: Precision;
}

export interface GenerateOptions extends SamplingOptions {
  classes: ArrayLike<number>;
  /** Seed of the initial noise of each image; with it an image is the same in any batch. */
  seeds: ArrayLike<number>;
  batchSize: number;
  guidance: Guidance;
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
  /** With an autoencoder the network works on its latents. `weights`: their precision, for one that is frozen in it; default fp32. */
  createDenoiser(spec: DenoiserSpec & Placement & { weights?: Precision }, autoencoder: AutoencoderHandle | null): Promise<DenoiserHandle>;
  /**
   * What a U-Net with text is told: `tokens` of one text for each class and, last, of one for classifier-free guidance,
   * [(K + 1) * contextLength], through the encoder without its last `skip` blocks.
   */
  setTexts(model: DenoiserHandle, encoder: TextEncoderHandle, tokens: Int32Array, options: { skip: number }): Promise<void>;
  /** Keeps the weights in this precision alone, for a generator that will be neither trained nor saved. */
  freezeDenoiser(model: DenoiserHandle, options: { precision: Precision }): Promise<void>;
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
    /** `headOnly`: a linear probe; default false. */
    options: TrainerOptions & { mixing: MixingOptions; temperature: number; labelWeight: number; headOnly?: boolean },
  ): Promise<TrainerHandle<ClassifierHandle>>;
  createDenoiserTrainer(denoiser: DenoiserHandle, options: TrainerOptions & { labelDropout: number }): Promise<TrainerHandle<DenoiserHandle>>;
  trainStep(
    trainer: TrainerHandle<ModelHandle>,
    images: Uint8Array,
    labels: Int32Array,
    options: { learningRate: number; step: number },
    control?: JobControl,
  ): Promise<StepResult>;
  /** The averaged model, or the trained one when there is no average. */
  trainedModel<Model extends ModelHandle>(trainer: TrainerHandle<Model>): Model;
  saveTrainer(trainer: TrainerHandle<ModelHandle>, path: string): Promise<void>;
  loadTrainer(trainer: TrainerHandle<ModelHandle>, path: string): Promise<void>;

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
    options: { x: Float32Array; classes: ArrayLike<number>; timestep: number; guidanceScale: number; precision: Precision; objective: ObjectiveOptions; repeat: number },
  ): Fields<'gradient' | 'score' | 'x0'>;
  chainGradient(
    model: DenoiserHandle,
    opponents: Opponents,
    options: SamplingOptions & { x: Float32Array; classes: ArrayLike<number>; objective: ObjectiveOptions; segmentSteps: number },
  ): Fields<'gradient' | 'score' | 'images'>;
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
  initialNoise(options: { seeds: ArrayLike<number>; size: number }): Fields<'noise'>;
}
