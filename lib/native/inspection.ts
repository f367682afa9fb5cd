/** Gradients and intermediate values of the native core, for tests and benchmarks. Tensors are flat, in NCHW order. */
import type {
  AugmentOptions, ChainLoss, Cutouts, AutoencoderHandle, ClassifierHandle, DenoiserHandle, Fields, GradientPath, LpipsHandle, MixingOptions, ModelHandle, ObjectiveOptions, Opponents, OptimizerOptions, Precision, PrototypeGuidance, Prototypes, SamplingOptions, TextEncoderHandle, TrainerHandle, ViewPolicy,
} from './contract.js';
import type { NoiseScheduleSpec, PredictionType, SamplerSpec, UNetSpec } from './specs.js';

export interface NativeInspection {
  /** Memory of tensors on the CPU, in bytes: in use, kept though free, the most in use since some was given back, and asked of malloc so far. */
  tensorMemory(): { inUse: number; kept: number; most: number; asked: number };
  objectiveGradient(options: {
    teacherLogits: Float32Array;
    studentLogits: Float32Array;
    classes: ArrayLike<number>;
    objective: ObjectiveOptions;
  }): Fields<'score' | 'teacherGradient' | 'studentGradient'>;
  /** `exact`: 1 if operations without a deterministic kernel are refused after the forward pass, after the backward pass. */
  classifierGradient(model: ClassifierHandle, options: { x: Float32Array; direction: Float32Array; precision: Precision }): Fields<'logits' | 'gradient' | 'exact'>;
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
  /** Mean distance of images in -1..1, [B, 3, size, size], to their targets, [1], and its gradient with respect to them. */
  lpipsGradient(lpips: LpipsHandle, options: { images: Float32Array; targets: Float32Array; size: number }): Fields<'distance' | 'gradient'>;
  guidanceGradient(
    model: DenoiserHandle,
    opponents: Opponents,
    /** Draws of the cutouts from seed 0 for each image. */
    options: GradientPath & { cutouts: Cutouts; x: Float32Array; classes: ArrayLike<number>; timestep: number; guidanceScale: number; precision: Precision; objective: ObjectiveOptions; repeat: number },
  ): Fields<'gradient' | 'score' | 'x0'>;
  /** What a sampler goes on with at each timestep, from the same x, [steps, B, ...]; `graphs`: how many CUDA graphs there were, [1]. */
  guidedPredictions(
    model: DenoiserHandle,
    opponents: Opponents,
    /** Unguided with a scale of 0; `recorded`: as CUDA graphs where that can be; all of it `repeat` times. */
    options: GradientPath & {
      cutouts: Cutouts; x: Float32Array; classes: ArrayLike<number>; timesteps: ArrayLike<number>; guidanceScale: number; precision: Precision; objective: ObjectiveOptions;
      scale: number; recorded: boolean; repeat: number;
    },
  ): Fields<'x0' | 'epsilon' | 'graphs'>;
  /** Whether the steps of a trainer are launched as a CUDA graph by now. */
  trainerIsRecorded(trainer: TrainerHandle<ModelHandle>): boolean;
  chainGradient(
    model: DenoiserHandle,
    opponents: Opponents,
    options: SamplingOptions & {
      x: Float32Array;
      classes: ArrayLike<number>;
      images: Uint8Array | null;
      objective: ObjectiveOptions;
      /** Default: the image that comes out, whole. */
      loss?: ChainLoss;
      /** Added to the conditions of each image at each step, [steps, B, ...]; what is given gets a gradient. */
      shifts?: { ofClass: Float32Array | null; ofNull: Float32Array | null };
      segmentSteps: number;
    },
    /** `score`: of the image that comes out, `objective`: what is differentiated. */
  ): Promise<Record<'gradient' | 'score' | 'objective' | 'images', Float32Array> & Record<'conditionGradient' | 'classGradient' | 'nullGradient', Float32Array | null>>;
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
  /**
   * Of the fused group norm and of LibTorch's, against fp64: errors of output and gradients, [2 or 4]; whether a second run gave the same bits, and whether
   * the fused kernel ran, [1].
   */
  groupNormErrors(options: {
    device: string;
    /** [B, C, H, W] */
    shape: readonly number[];
    groups: number;
    silu: boolean;
    precision: Precision;
    /** Of weight and bias. */
    weights: Precision;
    /** Whether weight and bias are every second number of longer tensors. */
    strided: boolean;
    /** Of what is normalised. */
    mean: number;
    weightGradients: boolean;
    seed: number;
  }): Fields<'fused' | 'plain' | 'repeated' | 'kernel'>;
  /** Of a training step of the fused batch norm, likewise, and of its running statistics and count, [7]; the second run has `threads` threads. */
  batchNormErrors(options: { shape: readonly number[]; relu: boolean; precision: Precision; channelsLast: boolean; mean: number; threads: number; seed: number }): Fields<'fused' | 'plain' | 'repeated' | 'kernel'>;
  optimiserTrajectory(
    options: OptimizerOptions & { start: Float32Array; target: Float32Array; scale: Float32Array; learningRates: Float32Array },
  ): Fields<'values'>;
  /** Parts of images [B, C, H, W], without noise: [count * B, C, H, W]. */
  cutouts(options: { shape: readonly number[]; x: Float32Array; count: number; leastSide: number; seeds: readonly number[]; step: number }): Fields<'parts'>;
  /** A 3x3 convolution, after upsampling to twice the size where asked for, as a frozen network computes it, by ATen, and by ATen in fp64 on the same rounded numbers. */
  frozenConvolution(options: {
    shape: readonly number[];
    outputs: number;
    upsamples: boolean;
    x: Float32Array;
    weight: Float32Array;
    bias: Float32Array | null;
    direction: Float32Array;
    precision: Precision;
  }): Fields<'available' | 'taken' | 'output' | 'gradient' | 'unrecorded' | 'plainOutput' | 'plainGradient' | 'exactOutput' | 'exactGradient'>;
  /**
   * The kernels of 3x3 convolutions by themselves, in fp32: relative errors against fp64 of the convolution, of it after doubling and before halving the image (of even
   * sides only), and of the gradient of its weight.
   */
  winogradErrors(options: { shape: readonly number[]; outputs: number; tile: 4 | 8; seed: number }): Fields<'available' | 'errors'>;
  /**
   * A convolution on packed weights: whether it is used for these shapes, and relative errors of output and gradient of x against fp64, also ATen's (plain); and against its
   * own of the output without recording, of both on weights packed for other sizes, and of the first image alone.
   */
  packedConvolution(options: {
    shape: readonly number[]; outputs: number; kernel: number; stride: number; padding: number; transposed: boolean; bias: boolean; precision: Precision; seed: number;
  }): Fields<'taken' | 'own' | 'plain' | 'unrecorded' | 'resized' | 'alone'>;
  /**
   * The 3x3 one without upsampling as a training step computes it, its weights in fp32: relative errors of output and gradients of x, weight and bias against fp64,
   * of ATen's (plain), of a second run with `threads` threads against the first, and of its mean with ATen's in one forward pass (shared).
   */
  trainedConvolution(options: {
    shape: readonly number[];
    outputs: number;
    x: Float32Array;
    weight: Float32Array;
    bias: Float32Array | null;
    direction: Float32Array;
    autocast: boolean;
    threads: number;
  }): Fields<'available' | 'taken' | 'own' | 'plain' | 'repeated' | 'shared'>;
  /**
   * A convolution in bf16 with the images of the batch as rows. Relative errors against fp64: of the kernels (output, gradients of x and of the weight), of fp64 itself once it is rounded
   * (the first two), of the kernels with `threads` threads against them; as a training step under autocast computes it, by ATen, and of their mean in one forward pass (own, plain, shared:
   * with that of the bias), of the gradient of the weight where x has none; of output and gradient of x of a frozen network, and of its first image alone against them. trained, frozen:
   * whether the kernels are used there.
   */
  batchConvolution(options: {
    shape: readonly number[]; outputs: number; kernel: number; stride: number; padding: number; bias: boolean; seed: number; threads: number;
  }): Fields<'available' | 'kernels' | 'rounded' | 'repeated' | 'trained' | 'own' | 'plain' | 'shared' | 'weightAlone' | 'frozen' | 'ownFrozen' | 'alone'>;
  /** A depthwise convolution under autocast: relative errors of output and gradients of x and weight against fp64, and those of ATen's. */
  depthwiseConvolution(options: {
    shape: readonly number[];
    kernel: number;
    stride: number;
    x: Float32Array;
    weight: Float32Array;
    direction: Float32Array;
  }): Fields<'own' | 'plain'>;
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
