/**
 * Finds a LibTorch on this machine. Every place looked at is kept in a trace, which `sparring doctor` and the error
 * message print, so that "not found" never leaves a user guessing.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { SparringError } from '../errors.js';
import { cacheDirectory, listInstallations } from './cache.js';
import { downloadSize } from './manifest.js';
import { installedTorch, pythonCommands } from './python.js';
import { minorOf, readVersion, SUPPORTED_MINORS } from './version.js';

/** One place that was looked at. `path` is absent where there was none to look at. */
export interface Attempt {
  source: string;
  path?: string;
  /** `accepted`, or why not. */
  verdict: string;
}

export interface LibTorch {
  /** The folder that holds lib/ (and include/, where there are headers). */
  root: string;
  libDir: string;
  /** E.g. `2.13.0+cpu`. */
  version: string;
  /** Which rule found it, as in the trace. */
  source: string;
  /** Whether it can use NVIDIA GPUs. */
  cuda: boolean;
}

export interface Discovery {
  found?: LibTorch;
  trace: Attempt[];
}

export interface DiscoveryOptions {
  /** The version an existing addon was built for; only the same minor version is accepted. Default: any supported. */
  builtFor?: string;
  /** Headers are needed as well. Default false. */
  forBuild?: boolean;
  /** It must be able to use NVIDIA GPUs. Default false. */
  cuda?: boolean;
  /** Default `process.env`. */
  env?: NodeJS.ProcessEnv;
}

/** Looks in order at: SPARRING_LIBTORCH, LIBTORCH, an installed PyTorch, the user's cache. The first hit wins. */
export function findLibtorch(options: DiscoveryOptions = {}): Discovery {
  const trace: Attempt[] = [];
  for (const place of places(options.env ?? process.env)) {
    const { source, path, missing } = place;
    if (path === undefined) {
      trace.push({ source, verdict: missing! });
      continue;
    }
    const root = rootOf(path);
    const verdict = judge(root, options);
    trace.push({ source, path: root, verdict });
    if (verdict === 'accepted') {
      const libDir = join(root, 'lib');
      return { found: { root, libDir, version: readVersion(root)!, source, cuda: hasCuda(root) }, trace };
    }
  }
  return { trace };
}

/** The places to look at, lazily: Python is started only when the variables did not decide. */
function* places(env: NodeJS.ProcessEnv): Generator<{ source: string; path?: string; missing?: string }> {
  for (const variable of ['SPARRING_LIBTORCH', 'LIBTORCH']) {
    const path = env[variable];
    yield { source: variable, path: path ? resolve(path) : undefined, missing: 'not set' };
  }
  for (const python of pythonCommands(env)) {
    const torch = installedTorch(python, env);
    const source = `PyTorch of ${python}`;
    yield 'root' in torch ? { source, path: torch.root } : { source, missing: torch.reason };
  }
  const installations = listInstallations(env);
  for (const { root } of installations) yield { source: 'user cache', path: root };
  if (installations.length === 0)
    yield { source: 'user cache', missing: `nothing installed in ${cacheDirectory(env)}` };
}

/** People point at the archive's folder, at a site-packages folder or at lib itself; all of them are meant well. */
function rootOf(path: string): string {
  const candidates = [path, join(path, 'libtorch'), join(path, 'torch'), dirname(path)];
  return candidates.find((root) => existsSync(join(root, 'lib', 'libtorch_cpu.so'))) ?? path;
}

function judge(root: string, options: DiscoveryOptions): string {
  const env = options.env ?? process.env;
  if (!existsSync(root)) return 'no such folder';
  for (const library of ['libtorch_cpu.so', 'libc10.so'])
    if (!existsSync(join(root, 'lib', library))) return `no lib/${library} in it`;
  const version = readVersion(root);
  if (version === undefined) return 'its version cannot be read (no version.py, build-version or version.h)';
  if (options.builtFor !== undefined) {
    if (env.SPARRING_SKIP_VERSION_CHECK !== '1' && minorOf(version) !== minorOf(options.builtFor))
      return `version ${version}, but the addon was built for ${options.builtFor}`;
  } else if (!SUPPORTED_MINORS.includes(minorOf(version))) {
    return `version ${version}, but ${SUPPORTED_MINORS[0]} to ${SUPPORTED_MINORS.at(-1)} are supported`;
  }
  if (options.forBuild && !existsSync(join(root, 'include', 'torch'))) return 'no include/torch in it, needed to build';
  if (options.cuda && !hasCuda(root)) return 'CPU only, but CUDA was asked for';
  return 'accepted';
}

function hasCuda(root: string): boolean {
  return existsSync(join(root, 'lib', 'libtorch_cuda.so'));
}

/** The trace as indented lines, one per place. */
export function formatTrace(trace: readonly Attempt[]): string {
  const width = Math.max(...trace.map(({ source }) => source.length));
  return trace
    .map(({ source, path, verdict }) => `  ${source.padEnd(width)}  ${path === undefined ? '' : `${path}: `}${verdict}`)
    .join('\n');
}

/** The error for "no LibTorch": everything that was tried, and the command that fixes it. */
export function libtorchMissing(discovery: Discovery, { cuda = false } = {}): SparringError {
  const variant = cuda ? 'cu130' : 'cpu';
  return new SparringError(
    'environment',
    `No usable LibTorch${cuda ? ' with CUDA' : ''} was found. Looked at:\n${formatTrace(discovery.trace)}`,
    `Run \`npx sparring libtorch install${cuda ? ` --variant ${variant}` : ''}\` (downloads ${downloadSize(variant)}), ` +
      'or set SPARRING_LIBTORCH to the folder that holds its lib/.',
  );
}
