/**
 * The native core, typed completely; nothing else in lib/ knows more about it. Handles are opaque: tensors stay
 * native. Images cross as uint8 RGB, [B, size, size, 3]; options arrive complete, with every default filled in.
 */

import type { NativeAttackInspection, NativeAttacks } from './attacks.js';
import type { NativeCorruptions } from './corruptions.js';
import type { NativeGeneration } from './generation.js';
import type { CancelToken, LpipsHandle, ModelHandle, TextEncoderHandle, TrainerHandle } from './handles.js';
import type { NativeInspection } from './inspection.js';
import type { NativeNetworks } from './networks.js';
import type { NativeTraining } from './training.js';

export type * from './attacks.js';
export type * from './corruptions.js';
export type * from './generation.js';
export type * from './handles.js';
export type * from './inspection.js';
export type * from './networks.js';
export type * from './specs.js';
export type * from './training.js';

export interface NativeInfo {
  libtorch: string;
  cuda: boolean;
  cudaDevices: number;
  /** The processor multiplies bf16 in hardware (AMX-BF16 or AVX512-BF16). */
  cpuBf16: boolean;
  threads: number;
}

export interface NativeCore extends NativeNetworks, NativeTraining, NativeGeneration, NativeAttacks, NativeCorruptions, NativeInspection, NativeAttackInspection {
  info(): NativeInfo;
  setThreads(threads: number): Promise<void>;
  createToken(): CancelToken;
  cancel(token: CancelToken): void;
  dispose(handle: ModelHandle | TextEncoderHandle | LpipsHandle | TrainerHandle<ModelHandle>): void;
}
