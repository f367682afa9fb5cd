/** What all parts of the native core's contract share. */

declare const kind: unique symbol;
export type ClassifierHandle = { readonly [kind]: 'classifier' };
export type DenoiserHandle = { readonly [kind]: 'denoiser' };
export type TextEncoderHandle = { readonly [kind]: 'text-encoder' };
export type TrainerHandle<Model> = { readonly [kind]: 'trainer'; readonly model: Model };
export type CancelToken = { readonly [kind]: 'token' };
export type AutoencoderHandle = { readonly [kind]: 'autoencoder' };
export type LpipsHandle = { readonly [kind]: 'lpips' };
export type ModelHandle = ClassifierHandle | DenoiserHandle | AutoencoderHandle;

/** bf16: 16-bit convolutions and matrix products, fp32 weights, statistics, losses and sampler state. */
export type Precision = 'fp32' | 'bf16';
export type StorageType = 'fp32' | 'fp16' | 'bf16';

export interface JobControl {
  token?: CancelToken;
  onProgress?: (done: number, total: number) => void;
}

export type Fields<Names extends string> = Promise<Record<Names, Float32Array>>;
