/** What a network is, as the native core takes it and weights files describe it. */

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
  /** `heads` and `windows` of the stages after the first. */
  | { family: 'tiny-vit'; depths: readonly number[]; dims: readonly number[]; heads: readonly number[]; windows: readonly number[] }
  | { family: 'convnext'; depths: readonly number[]; dims: readonly number[] }
  | { family: 'mobilenet-v3'; size: 'small' | 'large'; width: number }
  | { family: 'efficientnet'; width: number; depth: number }
  /** What a file opened by `openTorchScript` has in it; `createClassifier` makes none. */
  | { family: 'torchscript' };

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
