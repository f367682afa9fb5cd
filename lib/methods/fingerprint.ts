/** What tells weights from other weights: for the provenance of generated images, and for a run or a study that goes on. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

import { isModelFolder } from '../classifiers/folder.js';
import { sha256OfFile } from '../libtorch/download.js';
import type { Engine } from '../native/engine.js';
import { isArchive } from '../native/torchscript.js';
import { fileError } from '../training/files.js';

/**
 * SHA-256 of a file; of a folder, or of an index and its shards, that of the names and hashes of all files that can be read here (pickles, which
 * often lie beside them, are not), or of the given ones. Throws
 * SparringError 'io'.
 */
export async function fingerprint(path: string, given?: readonly string[]): Promise<string> {
  try {
    const files = given ?? filesOf(path);
    if (files.length === 1 && files[0] === path) return await sha256OfFile(path);
    const root = statSync(path).isDirectory() ? path : dirname(path); // a copy under another name is the same
    const hash = createHash('sha256');
    for (const file of files) hash.update(`${relative(root, file)} ${await sha256OfFile(file)}\n`);
    return hash.digest('hex');
  } catch (error) {
    throw fileError(error, 'read', path);
  }
}

/** That of what a model at a path is read from. */
export async function fingerprintRead(engine: Engine, path: string): Promise<string> {
  return fingerprint(path, await filesRead(engine, path));
}

/** Those that a model at a path is read from: a folder may hold the same weights in other forms. */
export async function filesRead(engine: Engine, path: string): Promise<string[]> {
  if (isArchive(path)) return [path];
  const described = isModelFolder(path) ? ['config.json', 'preprocessor_config.json'].map((name) => join(path, name)).filter((file) => existsSync(file)) : [];
  return [...described, ...(await engine.run((core) => core.inspectWeights(path))).files];
}

function filesOf(path: string): string[] {
  if (statSync(path).isDirectory()) {
    const entries = readdirSync(path, { recursive: true }).map((name) => join(path, String(name)));
    const isHidden = (entry: string): boolean => relative(path, entry).split(sep).some((part) => part.startsWith('.')); // what tools of downloading leave there
    return entries.filter((entry) => !isHidden(entry) && /\.(safetensors|json|txt)$/.test(entry) && statSync(entry).isFile()).sort();
  }
  if (!path.endsWith('.index.json')) return [path];
  const { weight_map: shards = {} } = JSON.parse(readFileSync(path, 'utf8')) as { weight_map?: Record<string, string> };
  return [path, ...[...new Set(Object.values(shards))].sort().map((name) => join(dirname(path), name))];
}
