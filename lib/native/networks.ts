/** Networks of the native core: made, loaded, saved, looked at and asked. */
import type { AutoencoderHandle, ClassifierHandle, DenoiserHandle, Fields, JobControl, LpipsHandle, ModelHandle, Precision, StorageType, TextEncoderHandle } from './handles.js';
import type { AutoencoderSpec, ClassifierSpec, DenoiserSpec, KeyNames, TextEncoderSpec } from './specs.js';

export interface Placement {
  device: string;
  /** Of the random weights; null: they are left as they come, for a network whose weights are loaded at once. */
  seed: number | null;
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

export interface NativeNetworks {
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
  /** What setTexts would tell of texts, [B * contextLength]: [B, contextLength, dim], for `conditions` of GenerateOptions. */
  encodeTexts(encoder: TextEncoderHandle, tokens: Int32Array, options: { skip: number }): Promise<Float32Array>;
  /** Keeps the weights in this precision alone, for a generator that will be neither trained nor saved. */
  freezeDenoiser(model: DenoiserHandle, options: { precision: Precision }): Promise<void>;
  /**
   * A generator that shares the weights of `source`, which must not be trained further, and has conditions of its own: what it
   * is told of each class and, last, of the null class, class embeddings or texts. It is neither trained nor saved as a whole.
   */
  ownConditions(source: DenoiserHandle): Promise<DenoiserHandle>;
  /** A small autoencoder for the same latents, through which guidance may take its gradient. */
  setGuidanceDecoder(model: DenoiserHandle, decoder: AutoencoderHandle): Promise<void>;
  saveConditions(model: DenoiserHandle, path: string): Promise<void>;
  loadConditions(model: DenoiserHandle, path: string): Promise<void>;
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
  /** LPIPS on VGG16, frozen in `precision`; `path` as above. */
  loadLpips(path: string, options: { device: string; precision: Precision }): Promise<LpipsHandle>;
}
