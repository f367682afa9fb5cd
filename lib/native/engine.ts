import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';

import { SparringError, type ErrorCode } from '../errors.js';
import type { JobControl, NativeCore, Precision } from './contract.js';
import { loadNative } from './load.js';

export interface EngineOptions {
  /** `auto` (CUDA when there is a device, else CPU), `cpu`, `cuda` or `cuda:<n>`. Default `auto`. */
  device?: string;
  /** Threads of one operation on the CPU; 0 = all cores. Default 0. */
  threads?: number;
  /** `auto` = bf16 where the hardware multiplies it (CUDA, AMX, AVX512-BF16), else fp32. Default `auto`. */
  precision?: Precision | 'auto';
}

export interface Cancellable {
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** The native core with a device and a precision chosen. One engine thread serves the whole process. */
export class Engine {
  private constructor(
    readonly core: NativeCore,
    readonly device: string,
    readonly precision: Precision,
    readonly threads: number,
  ) {}

  /** Throws SparringError 'environment' when LibTorch, the addon or the device is missing. */
  static async open(options: EngineOptions = {}): Promise<Engine> {
    const { device = 'auto', threads = 0, precision = 'auto' } = options;
    checkOptions(device, threads, precision);
    const core = openCore(device);
    const info = core.info();
    const chosen = device === 'auto' ? (info.cuda ? 'cuda' : 'cpu') : device;
    if (chosen.startsWith('cuda') && !info.cuda) {
      throw new SparringError('environment', `Device '${chosen}' was asked for, but this LibTorch finds no CUDA device.`, 'Use --device cpu, or install a CUDA LibTorch and check `sparring doctor`.');
    }
    const bf16 = chosen.startsWith('cuda') || info.cpuBf16;
    const count = threads === 0 ? availableParallelism() : threads;
    await core.setThreads(count);
    return new Engine(core, chosen, precision === 'auto' ? (bf16 ? 'bf16' : 'fp32') : precision, count);
  }

  /** Runs one native verb: its errors become SparringErrors with the caller's stack, `signal` cancels it. */
  async run<T>(start: (core: NativeCore, control: JobControl) => Promise<T>, { signal, onProgress }: Cancellable = {}): Promise<T> {
    const caller = new Error();
    throwIfAborted(signal);
    const token = this.core.createToken();
    const cancel = (): void => this.core.cancel(token);
    if (signal) setMaxListeners(0, signal); // as many jobs as there are may wait for one signal
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await start(this.core, { token, ...(onProgress && { onProgress }) });
    } catch (error) {
      throw fromNative(error, caller);
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }
}

export function throwIfAborted(signal?: AbortSignal): void {
  if (signal?.aborted) throw new SparringError('aborted', 'The operation was cancelled.');
}

function checkOptions(device: string, threads: number, precision: string): void {
  const expect = (isRight: boolean, name: string, expected: string, found: unknown): void => {
    if (!isRight) throw new SparringError('config', `Engine.open: ${name}: expected ${expected}, found ${JSON.stringify(found)}.`);
  };
  expect(/^(auto|cpu|cuda(:\d+)?)$/.test(device), 'device', 'auto, cpu, cuda or cuda:<n>', device);
  expect(Number.isInteger(threads) && threads >= 0 && threads <= 1024, 'threads', 'a whole number from 0 (all cores) to 1024', threads);
  expect(['auto', 'fp32', 'bf16'].includes(precision), 'precision', 'auto, fp32 or bf16', precision);
}

/** Of NVIDIA's driver, in Linux and in its subsystem of Windows. */
const driverFiles = ['/dev/nvidiactl', '/dev/dxg'];

/** CUDA libraries cost a second and 300 MB, so they are opened only where they may be used. */
function openCore(device: string): NativeCore {
  if (device === 'cpu') return loadNative();
  if (device !== 'auto') return loadNative({ cuda: true });
  try {
    return loadNative({ cuda: true });
  } catch (error) {
    if (!(error instanceof SparringError && error.code === 'environment')) throw error;
    const core = loadNative();
    // Where there is a driver, people expect that their GPU is used.
    if (driverFiles.some(existsSync)) process.emitWarning(`There is a GPU driver, but CUDA cannot be used; going on with the CPU. ${error.message}`, { type: 'SparringWarning', ...(error.hint && { detail: error.hint }) });
    return core;
  }
}

function fromNative(error: unknown, caller: Error): unknown {
  const { sparringCode, message, hint } = error as { sparringCode?: ErrorCode; message: string; hint?: string };
  if (!sparringCode) return error;
  const converted = new SparringError(sparringCode, message, hint, { cause: error });
  converted.stack = `SparringError: ${message}\n${caller.stack!.split('\n').slice(2).join('\n')}`;
  return converted;
}
