/** Compares an installation with what was recorded when it was unpacked. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Installation } from './cache.js';
import { sha256OfFile } from './download.js';

export interface Verification {
  files: number;
  /** Paths relative to the installation. */
  missing: string[];
  changed: string[];
}

/** Hashes every file again. */
export async function verifyInstallation(installation: Installation): Promise<Verification> {
  const entries = Object.entries(installation.record.files);
  const result: Verification = { files: entries.length, missing: [], changed: [] };
  for (const [path, expected] of entries) {
    const file = join(installation.directory, path);
    if (!existsSync(file)) result.missing.push(path);
    else if ((await sha256OfFile(file)) !== expected) result.changed.push(path);
  }
  return result;
}
