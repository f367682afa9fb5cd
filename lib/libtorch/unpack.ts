/**
 * Copies what is needed of a LibTorch (libraries, headers, version, licences) out of a zip archive, a wheel or a
 * folder, in one layout: `<target>/torch/{lib,include,...}` and `<target>/nvidia/...`. Hashes as it writes.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';

import { SparringError } from '../errors.js';
import { makeFolder } from '../training/files.js';

/** Path relative to the target -> SHA-256. */
export type FileHashes = Record<string, string>;

export interface UnpackOptions {
  /** Called with bytes written so far and in all. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

interface SourceFile {
  /** As named in the source; only for messages. */
  name: string;
  /** Path below the target. */
  path: string;
  size: number;
  read: () => Promise<Readable>;
}

// Libraries of the Python binding, of PyTorch's own tests and of its multi-process data loader.
const UNUSED_LIBRARY =
  /^lib(torch_python|torchbind_test|jitbackend_test|backend_with_compiler|aoti_custom_ops|shm|torch_global_deps)\./;

/** Where an entry goes below the target; undefined for what is not needed. `libtorch/` (archive) becomes `torch/`. */
export function destinationOf(name: string): string | undefined {
  const path = name.replace(/^libtorch\//, 'torch/');
  const library = /^torch\/lib\/([^/]+\.so(\.[\d.]+)?)$/.exec(path)?.[1];
  if (library !== undefined) return UNUSED_LIBRARY.test(library) ? undefined : path;
  if (/^torch\/(include\/.+|version\.py|build-version)$/.test(path)) return path;
  if (/^nvidia\/.+\.so(\.[\d.]+)*$/.test(path)) return path;
  const licence = /(?:^|\/)([^/]+)\.dist-info\/(?:licenses\/)?((?:.*\/)?(?:LICEN[CS]E|NOTICE)[^/]*)$/i.exec(path);
  if (licence) return `licences/${licence[1]}/${licence[2]}`;
  return undefined;
}

/** Unpacks the needed files of a wheel or an archive into `target`. Throws SparringError ('environment'). */
export async function unpackZip(file: string, target: string, options: UnpackOptions = {}): Promise<FileHashes> {
  let zip: yauzl.ZipFile;
  const files: SourceFile[] = [];
  try {
    zip = await yauzl.openPromise(file, { lazyEntries: true, autoClose: false, strictFileNames: true });
  } catch (error) {
    throw damaged(file, error);
  }
  try {
    // yauzl refuses absolute names, backslashes and `..`; copyFiles checks the destination once more.
    for await (const entry of zip.eachEntry()) {
      const path = destinationOf(entry.fileName);
      if (path === undefined || entry.fileName.endsWith('/')) continue;
      files.push({
        name: entry.fileName,
        path,
        size: entry.uncompressedSize,
        read: () => zip.openReadStreamPromise(entry),
      });
    }
    return await copyFiles(files, target, options);
  } catch (error) {
    if (error instanceof SparringError || isSystemError(error) || options.signal?.aborted) throw error;
    throw damaged(file, error);
  } finally {
    zip.close();
  }
}

/** Copies the needed files of a LibTorch folder (the one that holds lib/ and include/) into `target`. */
export async function copyTree(root: string, target: string, options: UnpackOptions = {}): Promise<FileHashes> {
  const files: SourceFile[] = [];
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const source = join(entry.parentPath ?? entry.path, entry.name);
    const path = destinationOf(`torch/${relative(root, source).split(sep).join('/')}`);
    if (path === undefined || entry.isDirectory()) continue;
    const real = realpathSync(source); // a linked library is copied as a file
    files.push({ name: source, path, size: statSync(real).size, read: async () => createReadStream(real) });
  }
  return copyFiles(files, target, options);
}

async function copyFiles(files: SourceFile[], target: string, options: UnpackOptions): Promise<FileHashes> {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const hashes: FileHashes = {};
  let done = 0;
  for (const { name, path, read } of files) {
    options.signal?.throwIfAborted();
    const destination = resolve(target, path);
    if (!destination.startsWith(resolve(target) + sep)) throw escaping(name);
    makeFolder(dirname(destination));
    const hash = createHash('sha256');
    const observe = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        hash.update(chunk);
        done += chunk.length;
        options.onProgress?.(done, total);
        next(null, chunk);
      },
    });
    // 'wx': two entries of one name would let the second replace what was hashed.
    await pipeline(
      await read(),
      observe,
      createWriteStream(destination, { flags: 'wx', mode: path.includes('.so') ? 0o755 : 0o644 }),
    );
    hashes[path] = hash.digest('hex');
  }
  return hashes;
}

function escaping(name: string): SparringError {
  return new SparringError(
    'environment',
    `The archive entry '${name}' leads out of the target folder.`,
    'Do not use this archive.',
  );
}

function damaged(file: string, cause: unknown): SparringError {
  return new SparringError(
    'environment',
    `${file} is not a usable zip archive or wheel: ${(cause as Error).message}.`,
    'Fetch it again, and give its checksum with --sha256.',
    { cause },
  );
}

/** Disk full, no permission: told as they are, by the caller. */
function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
