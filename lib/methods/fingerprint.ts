/** What tells weights from other weights, for the provenance of generated images. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { isModelFolder } from '../classifiers/folder.js';
import { sha256OfFile } from '../libtorch/download.js';
import type { Engine } from '../native/engine.js';
import { isArchive } from '../native/torchscript.js';

/** SHA-256 of a file; of the shards of an index or of a model folder that of the hashes of all files that count. */
export async function fingerprint(engine: Engine, path: string): Promise<string> {
  const hashes = [];
  for (const file of await filesOf(engine, path)) hashes.push(await sha256OfFile(file));
  return hashes.length === 1 ? hashes[0] : createHash('sha256').update(hashes.join()).digest('hex');
}

async function filesOf(engine: Engine, path: string): Promise<string[]> {
  if (isModelFolder(path)) {
    const described = ['config.json', 'preprocessor_config.json'].map((name) => join(path, name)).filter((file) => existsSync(file));
    return [...described, ...(await engine.run((core) => core.inspectWeights(path))).files];
  }
  return isArchive(path) ? [path] : (await engine.run((core) => core.inspectWeights(path))).files;
}
