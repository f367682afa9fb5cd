/** Finds the addon and a LibTorch, and opens them. The only place where a native library enters the process. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { SparringError } from '../errors.js';
import type { LibTorch } from '../libtorch/index.js';
import { findLibtorch, libtorchMissing } from '../libtorch/index.js';
import type { NativeCore } from './contract.js';
import type { Resampling } from './resample.js';

/** The thin addon, as native/loader/loader.cpp exports it. */
export interface Loader {
  /** The LibTorch version it was compiled for, e.g. `2.13.0`. */
  builtFor: string;
  load(options: { libDir: string; core: string; cuda: boolean; kernels?: string }): object;
  /** Of the LibTorch that is mapped, even if `load` failed afterwards; '' if none is. */
  libDir(): string;
  /** Whether the kernels for CUDA are open; `problem`: why they are not, if they were tried. */
  kernels(): { loaded: boolean; problem: string };
  resample(pixels: Uint8Array, resampling: Resampling): Promise<Uint8Array>;
}

/** The two halves of the addon on disk, and the thin one opened. */
export interface Addon {
  /** Path of `sparring.node`. */
  path: string;
  /** Path of the core library beside it. */
  core: string;
  /** Path of the kernels for CUDA beside it, if they were built. */
  kernels?: string;
  loader: Loader;
}

// Two levels up from lib/native and from dist/native alike.
const packageRoot = fileURLToPath(new URL('../../', import.meta.url));
const require = createRequire(import.meta.url);

/** What the last call tried to open. */
let tried: LibTorch | undefined;
let loaded: { core: NativeCore; cuda: boolean; libtorch: LibTorch } | undefined;

/**
 * The native core. The first call opens LibTorch (0.3 to 1.5 s); later calls return the same object. CUDA libraries are
 * opened only when `cuda` is true, and then it must be so on the first call of the process.
 *
 * Throws SparringError 'environment' when the addon or a LibTorch of its version is missing; the message lists every
 * place that was looked at, the hint has the command that helps.
 */
export function loadNative({ cuda = false }: { cuda?: boolean } = {}): NativeCore {
  return openNative({ cuda }).core;
}

/**
 * OpenMP threads without work spin for about a millisecond, then sleep: long enough to be there for the next operation
 * (waking a thread takes longer than a small one), short enough to leave the cores to image decoding and to others.
 * Measured in benchmarks/results/2026-11-24-notes.md. libgomp reads the environment once, when it is opened.
 */
function waitBriefly(): void {
  if (process.env.OMP_WAIT_POLICY === undefined) process.env.GOMP_SPINCOUNT ??= '30000';
}

/** As loadNative, and says which LibTorch it is. */
export function openNative({ cuda = false }: { cuda?: boolean } = {}): { core: NativeCore; libtorch: LibTorch } {
  if (loaded && (loaded.cuda || !cuda)) return loaded;
  waitBriefly();

  const addon = findAddon();
  const discovery = findLibtorch({ builtFor: addon.loader.builtFor, cuda });
  // Where CUDA failed to open, its LibTorch is mapped already, and a process can use only one.
  const libtorch = tried && tried.libDir === addon.loader.libDir() ? tried : discovery.found;
  if (!libtorch) throw libtorchMissing(discovery, { cuda });
  tried = libtorch;
  try {
    const core = addon.loader.load({ libDir: libtorch.libDir, core: addon.core, cuda, ...(addon.kernels && { kernels: addon.kernels }) }) as NativeCore;
    loaded = { core, cuda, libtorch };
    return loaded;
  } catch (error) {
    const { sparringCode, message, hint } = error as Error & { sparringCode?: string; hint?: string };
    if (sparringCode !== 'environment') throw error;
    throw new SparringError('environment', `${message}\n(LibTorch from: ${libtorch.source})`, hint, { cause: error });
  }
}

/** Finds and opens the thin addon, which needs no LibTorch. Throws SparringError 'environment'. */
export function findAddon(): Addon {
  const nodeGypBuild = require('node-gyp-build') as { resolve(root: string): string };
  const hint = existsSync(join(packageRoot, 'native'))
    ? 'Build it with `npm run build`.'
    : 'Reinstall the package; it brings prebuilt addons for linux-x64 with glibc.';
  let path: string;
  let loader: Loader;
  try {
    path = nodeGypBuild.resolve(packageRoot);
    loader = require(path) as Loader;
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0];
    throw new SparringError('environment', `The native addon cannot be loaded: ${reason}`, hint, { cause: error });
  }
  const core = join(dirname(path), 'libsparring_core.so');
  if (!existsSync(core)) throw new SparringError('environment', `The core library ${core} is missing.`, hint);
  const kernels = join(dirname(path), 'libsparring_cuda.so');
  return { path, core, loader, ...(existsSync(kernels) && { kernels }) };
}
