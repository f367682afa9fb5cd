/** Gets a LibTorch into the user's cache: fetched or from a local file, checked, unpacked, and put in place at once. */
import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

import { SparringError } from '../errors.js';
import { temporaryPath, withLock } from '../lock.js';
import { makeFolder } from '../training/files.js';
import type { Installation, InstallRecord } from './cache.js';
import { cacheDirectory, listInstallations, removeLeftovers } from './cache.js';
import { download, sha256OfFile, wrongChecksum } from './download.js';
import type { Source, Variant } from './manifest.js';
import { currentPlatform, formatBytes, INSTALL_VERSION, sourcesFor, VARIANTS } from './manifest.js';
import { pipDownload, pythonCommands } from './python.js';
import type { FileHashes } from './unpack.js';
import { copyTree, unpackZip } from './unpack.js';
import { minorOf, readVersion, SUPPORTED_MINORS } from './version.js';

/** What an installation reports while it runs. */
export interface InstallEvents {
  /** One plain sentence per step. */
  onStep?: (text: string) => void;
  /** Bytes so far and in all within a step. */
  onProgress?: (done: number, total: number) => void;
}

export interface InstallOptions extends InstallEvents {
  /** Default `cpu`. */
  variant?: Variant;
  /** A wheel, a zip archive or a LibTorch folder to use instead of the network. */
  from?: string;
  /** Expected SHA-256 of `from`. */
  sha256?: string;
  /** Default: the sources of manifest.ts for this version, variant and platform. */
  sources?: readonly Source[];
  signal?: AbortSignal;
  /** Default `process.env`. */
  env?: NodeJS.ProcessEnv;
}

/** Files on their way into an installation, and where they came from. */
interface Fetched {
  files: FileHashes;
  source: InstallRecord['source'];
}

/**
 * Installs LibTorch into the cache and returns the installation; one that is there already is returned as it is.
 * Throws SparringError ('environment', 'usage', 'io'); on any failure the cache is as it was before.
 */
export async function installLibtorch(options: InstallOptions = {}): Promise<Installation> {
  const { variant = 'cpu', env = process.env } = options;
  if (options.sha256 !== undefined && options.from === undefined)
    throw new SparringError(
      'usage',
      '--sha256 states the checksum of the file given with --from.',
      'Add --from <file>, or leave --sha256 out.',
    );

  const cache = cacheDirectory(env);
  makeFolder(cache);
  const lock = join(cache, `.${variant}.lock`);
  const onWait = (owner: string) => options.onStep?.(`Waiting for ${owner}, which is installing LibTorch`);
  // It only saves double downloads: what makes an installation safe is the atomic rename at its end.
  return withLock(lock, onWait, async () => {
    removeLeftovers(cache);
    if (options.from === undefined) {
      const name = installationName(INSTALL_VERSION, variant);
      const existing = listInstallations(env).find((installation) => installation.name === name);
      if (existing) return existing;
    }
    const work = temporaryPath(cache);
    try {
      const target = join(work, 'tree');
      makeFolder(target);
      const fetched =
        options.from === undefined
          ? await fetchFrom(sourcesOf(variant, options), work, target, options)
          : await takeFrom(resolve(options.from), target, options);
      return place(target, fetched, variant, env);
    } catch (error) {
      throw asSparringError(error, cache);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

function installationName(version: string, variant: string): string {
  return `${version.split('+')[0]}-${variant}-${currentPlatform()}`;
}

function sourcesOf(variant: Variant, options: InstallOptions): readonly Source[] {
  const sources = options.sources ?? sourcesFor(INSTALL_VERSION, variant, currentPlatform());
  if (sources.length > 0) return sources;
  throw new SparringError(
    'environment',
    `There is no LibTorch ${INSTALL_VERSION} (${variant}) for ${currentPlatform()}; the addon runs on linux-x64 with glibc.`,
    'On that platform, use --from <folder> or set SPARRING_LIBTORCH to a LibTorch of your own.',
  );
}

/** Tries the sources in order; when none works, the error lists what each one said. */
async function fetchFrom(
  sources: readonly Source[],
  work: string,
  target: string,
  options: InstallOptions,
): Promise<Fetched> {
  const failures: string[] = [];
  for (const source of sources) {
    try {
      return source.kind === 'archive'
        ? await fetchArchive(source, target, options)
        : await fetchWheels(source, work, target, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      const message = error instanceof SparringError ? error.message : (asSparringError(error, work) as Error).message;
      // There is no room for what another source has, either. The last is what pip prints.
      if (/ENOSPC|No space left on device/.test(message)) throw new SparringError('io', message, noSpaceHint, { cause: error });
      failures.push(message);
      options.onStep?.(message);
      rmSync(target, { recursive: true, force: true });
    }
  }
  throw new SparringError(
    'environment',
    `LibTorch could not be fetched:\n${failures.map((failure) => `  ${failure}`).join('\n')}`,
    'Fetch the archive or the wheel by other means and run `npx sparring libtorch install --from <file>`.',
  );
}

async function fetchArchive(
  source: Source & { kind: 'archive' },
  target: string,
  options: InstallOptions,
): Promise<Fetched> {
  options.onStep?.(`Downloading ${source.url} (${formatBytes(source.size)})`);
  const name = decodeURIComponent(basename(new URL(source.url).pathname));
  const file = join(cacheDirectory(options.env), `.${name}`); // kept over attempts, which continue it
  await download(source.url, file, { sha256: source.sha256, onProgress: options.onProgress, signal: options.signal });
  try {
    options.onStep?.(`Unpacking ${name}`);
    const files = await unpackZip(file, target, options);
    return { files, source: { kind: 'archive', name, sha256: source.sha256 } };
  } finally {
    rmSync(file, { force: true });
  }
}

async function fetchWheels(
  source: Source & { kind: 'wheel' },
  work: string,
  target: string,
  options: InstallOptions,
): Promise<Fetched> {
  const wheels = join(work, 'wheels');
  await pipDownloadAnyhow(source, wheels, options);
  const names = readdirSync(wheels).filter((name) => name.endsWith('.whl'));
  const torch = names.find((name) => name.startsWith('torch-'));
  if (!torch)
    throw new SparringError(
      'environment',
      `pip left no wheel of ${source.requirement} behind.`,
      'Try again with another Python through SPARRING_PYTHON.',
    );
  const sha256 = await sha256OfFile(join(wheels, torch));
  if (source.sha256 !== undefined && sha256 !== source.sha256) throw wrongChecksum(torch, source.sha256, sha256);

  const files: FileHashes = {};
  for (const name of names) {
    options.onStep?.(`Unpacking ${name}`);
    Object.assign(files, await unpackZip(join(wheels, name), target, options));
  }
  return { files, source: { kind: 'wheel', name: torch, sha256 } };
}

/** With each Python there is: first from where pip is configured to look, then from PyTorch's own index. */
async function pipDownloadAnyhow(
  source: Source & { kind: 'wheel' },
  directory: string,
  options: InstallOptions,
): Promise<void> {
  const refusals: string[] = [];
  for (const python of pythonCommands(options.env)) {
    for (const index of [undefined, source.index]) {
      options.onStep?.(
        `Fetching ${source.requirement} with ${python} -m pip${index ? ` from ${index}` : ''} (${formatBytes(source.size)})`,
      );
      try {
        return await pipDownload(python, source.requirement, directory, {
          index,
          withDependencies: source.withDependencies,
          signal: options.signal,
        });
      } catch (error) {
        options.signal?.throwIfAborted();
        refusals.push(`${python}${index ? ` (${index})` : ''}: ${(error as Error).message}`);
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') break;
      }
    }
  }
  throw new SparringError(
    'environment',
    `pip could not fetch ${source.requirement}: ${refusals.join('; ')}`,
    'Install pip for python3, or set SPARRING_PYTHON.',
  );
}

async function takeFrom(from: string, target: string, options: InstallOptions): Promise<Fetched> {
  if (!existsSync(from))
    throw new SparringError(
      'usage',
      `--from ${from}: there is no such file or folder.`,
      'Give a wheel, a zip archive or a LibTorch folder.',
    );
  options.onStep?.(`Unpacking ${from}`);
  if (statSync(from).isDirectory()) {
    if (options.sha256 !== undefined)
      throw new SparringError('usage', `--from ${from} is a folder, which has no checksum.`, 'Leave --sha256 out.');
    return { files: await copyTree(from, target, options), source: { kind: 'directory', name: from } };
  }
  const sha256 = await sha256OfFile(from);
  if (options.sha256 !== undefined && options.sha256.toLowerCase() !== sha256)
    throw wrongChecksum(from, options.sha256, sha256);
  return {
    files: await unpackZip(from, target, options),
    source: { kind: from.endsWith('.whl') ? 'wheel' : 'archive', name: basename(from), sha256 },
  };
}

/** Checks that the unpacked tree is a LibTorch of a supported version, writes its record and renames it into place. */
function place(target: string, fetched: Fetched, variant: Variant, env: NodeJS.ProcessEnv): Installation {
  const { source, files } = fetched;
  for (const library of ['libtorch_cpu.so', 'libc10.so', ...(variant === 'cpu' ? [] : ['libtorch_cuda.so'])])
    if (!(`torch/lib/${library}` in files))
      throw new SparringError(
        'environment',
        `${source.name} is not a LibTorch (${variant}): there is no lib/${library} in it.`,
        'Use a PyTorch wheel for linux-x64 or a LibTorch archive.',
      );
  checkVariant(source.name, variant, files);
  const version = readVersion(join(target, 'torch'));
  if (version === undefined || !SUPPORTED_MINORS.includes(minorOf(version)))
    throw new SparringError(
      'environment',
      `${source.name} is LibTorch ${version ?? 'of unknown version'}; expected ${SUPPORTED_MINORS[0]} to ${SUPPORTED_MINORS.at(-1)}.`,
      'Use a supported version.',
    );

  const record: InstallRecord = {
    formatVersion: 1,
    version,
    variant,
    platform: currentPlatform(),
    source,
    installedAt: new Date().toISOString(),
    files,
  };
  writeFileSync(join(target, 'manifest.json'), JSON.stringify(record, null, 1));
  const name = installationName(version, variant);
  const directory = join(cacheDirectory(env), name);
  if (existsSync(directory)) {
    // With --from, the newcomer replaces what was there. The old one moves aside first: a rename never merges.
    const old = temporaryPath(cacheDirectory(env));
    renameSync(directory, old);
    renameSync(target, directory);
    rmSync(old, { recursive: true, force: true });
  } else {
    renameSync(target, directory);
  }
  return { name, directory, root: join(directory, 'torch'), record };
}

/** One with CUDA does not open without the libraries of CUDA; in archives they lie beside it, in wheels they are wheels of their own. */
function checkVariant(name: string, variant: Variant, files: FileHashes): void {
  const hasCuda = 'torch/lib/libtorch_cuda.so' in files;
  if (variant === 'cpu' && hasCuda)
    throw new SparringError('usage', `${name}: expected a LibTorch for the CPU, found one with CUDA.`, `Add --variant ${VARIANTS.find((one) => one !== 'cpu')}, or give a wheel whose version ends with +cpu.`);
  if (variant !== 'cpu' && !Object.keys(files).some((path) => /\/libcublas\.so/.test(path)))
    throw new SparringError('usage', `${name}: expected the libraries of CUDA with it, found no libcublas.so.`, 'Give the archive or the folder of a LibTorch that works; a wheel alone has none of them. Without --from, all that is needed is fetched.');
}

const noSpaceHint = 'Free space on that disk, or set XDG_CACHE_HOME to a folder on a larger one.';

function asSparringError(error: unknown, cache: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if ((error as Error).name === 'AbortError') return new SparringError('aborted', 'The installation was cancelled.');
  if (error instanceof SparringError || syscall === undefined) return error;
  const hint =
    code === 'ENOSPC'
      ? noSpaceHint
      : 'Check the permissions, or set XDG_CACHE_HOME to a folder of yours.';
  return new SparringError('io', `Cannot write to ${cache}: ${message}`, hint, { cause: error });
}
