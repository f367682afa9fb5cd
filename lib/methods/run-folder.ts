/** The folder of a run: new, or one whose config is that of the run to be continued. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';

import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { fileError, writeFileAtomic } from '../training/files.js';
import { isEmptyFolder } from '../training/stage.js';

/** Makes or checks a run folder; true when it is new. Throws SparringError 'usage', 'config' or 'io'. */
export function prepareRunFolder(folder: string, config: Config, resume: boolean): boolean {
  try {
    const saved = join(folder, 'config.yaml');
    if (existsSync(saved)) {
      if (!resume) throw new SparringError('usage', `${folder}: expected an empty folder, found a run.`, 'Continue it with --resume, or choose another with --output <folder>.');
      if (readFileSync(saved, 'utf8') !== stringify(config)) {
        throw new SparringError('config', `${folder}: the config differs from the one that this run was started with (${saved}).`, 'Resume with the same config, or choose another folder.');
      }
      return false;
    }
    if (!isEmptyFolder(folder)) throw new SparringError('usage', `${folder}: expected an empty folder or a run, found other files.`, 'Choose another with --output <folder>.');
    mkdirSync(folder, { recursive: true });
    return true;
  } catch (error) {
    throw error instanceof SparringError ? error : fileError(error, 'use', folder);
  }
}

/** From then on the folder holds a run. */
export async function saveRunConfig(folder: string, config: Config): Promise<void> {
  await writeFileAtomic(join(folder, 'config.yaml'), stringify(config));
}
