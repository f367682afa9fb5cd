/** Everything about this machine that decides whether and how fast the native core runs; what `doctor` prints. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';

import { SparringError } from '../errors.js';
import type { Attempt, LibTorch } from '../libtorch/index.js';
import { findLibtorch } from '../libtorch/index.js';
import { packageVersion } from '../version.js';
import type { NativeInfo } from './contract.js';
import { findAddon, openNative, type Addon } from './load.js';

export interface EnvironmentReport {
  /** Version of this package. */
  package: string;
  node: string;
  /** E.g. `linux-x64`. */
  platform: string;
  /** Version of the C library; null where it is not glibc, for which no LibTorch exists. */
  glibc: string | null;
  cpu: {
    model: string;
    /** Threads used unless --threads says otherwise. */
    threads: number;
    memoryBytes: number;
    /** Instruction sets that matter here; bf16 pays on the CPU only with amx_bf16 or avx512_bf16. */
    features: Record<CpuFeature, boolean>;
  };
  addon: { path: string; core: string; builtFor: string } | null;
  libtorch: LibTorch | null;
  /** Every place that was looked at for LibTorch. */
  trace: Attempt[];
  cuda: {
    /** Version of the NVIDIA driver; null without one. */
    driver: string | null;
    /** GPUs that LibTorch can use. */
    devices: number;
    /** Why a driver is there and yet no GPU can be used. */
    problem?: string;
    /** Whether the fused kernels for GPUs (libsparring_cuda.so) were opened, and if not, why; without them LibTorch's are used. */
    kernels: { loaded: boolean; problem?: string };
  };
  /** Whether the core opened, and if not, why and what to do. */
  core: { loaded: true; info: NativeInfo } | { loaded: false; message: string; hint?: string };
}

const CPU_FEATURES = ['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16'] as const;
export type CpuFeature = (typeof CPU_FEATURES)[number];

/** Looks at everything and opens the core; never throws for what it finds missing. */
export function environmentReport(): EnvironmentReport {
  const addon = attempt(findAddon);
  const builtFor = 'value' in addon ? addon.value.loader.builtFor : undefined;
  const { found, trace } = findLibtorch({ builtFor });
  const driver = nvidiaDriver();
  // A GPU that cannot be used is a finding, not a reason why the core does not run on the CPU.
  const onGpu = driver === null ? undefined : attempt(() => openNative({ cuda: true }));
  const core = onGpu && 'value' in onGpu ? onGpu : attempt(() => openNative());
  const info = 'value' in core ? core.value.core.info() : undefined;
  return {
    package: packageVersion,
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    glibc: glibcVersion(),
    cpu: {
      model: cpus()[0]?.model ?? 'unknown',
      threads: availableParallelism(),
      memoryBytes: totalmem(),
      features: cpuFeatures(),
    },
    addon:
      'value' in addon
        ? { path: addon.value.path, core: addon.value.core, builtFor: addon.value.loader.builtFor }
        : null,
    libtorch: 'value' in core ? core.value.libtorch : (found ?? null),
    trace,
    cuda: {
      driver,
      devices: info?.cudaDevices ?? 0,
      ...(onGpu && 'error' in onGpu ? { problem: onGpu.error.message } : {}),
      kernels: kernelState('value' in addon ? addon.value : undefined),
    },
    core:
      'error' in core
        ? { loaded: false, message: core.error.message, hint: core.error.hint }
        : { loaded: true, info: info! },
  };
}

function attempt<T>(work: () => T): { value: T } | { error: SparringError } {
  try {
    return { value: work() };
  } catch (error) {
    if (error instanceof SparringError) return { error };
    throw error;
  }
}

function kernelState(addon: Addon | undefined): { loaded: boolean; problem?: string } {
  const { loaded, problem } = addon?.loader.kernels() ?? { loaded: false, problem: '' };
  if (loaded) return { loaded };
  return { loaded, problem: problem || (addon?.kernels ? 'CUDA is not open' : 'libsparring_cuda.so was not built') };
}

function glibcVersion(): string | null {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime ?? null;
}

function cpuFeatures(): Record<CpuFeature, boolean> {
  let flags: Set<string>;
  try {
    flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].trim().split(/\s+/));
  } catch {
    flags = new Set(); // not Linux
  }
  return Object.fromEntries(CPU_FEATURES.map((name) => [name, flags.has(name)])) as Record<CpuFeature, boolean>;
}

function nvidiaDriver(): string | null {
  try {
    const args = ['--query-gpu=driver_version', '--format=csv,noheader'];
    const output = execFileSync('nvidia-smi', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
    });
    return output.trim().split('\n')[0] || null;
  } catch {
    return null;
  }
}
