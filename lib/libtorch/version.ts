/** LibTorch versions: what is supported, and how the version of a folder is read without loading anything. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Minor versions that the sources compile against, oldest first. The last one is what `libtorch install` gets. */
export const SUPPORTED_MINORS: readonly string[] = ['2.11', '2.12', '2.13'];

/** `2.13` of `2.13.0+cpu`. */
export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

/**
 * The version of a LibTorch folder, e.g. `2.13.0+cpu`; undefined where nothing states it.
 * A wheel has `version.py`, an archive `build-version`; a folder with headers only the macros in version.h.
 */
export function readVersion(root: string): string | undefined {
  const wheel = /^__version__ = '([^']+)'/m.exec(readText(join(root, 'version.py')));
  if (wheel) return wheel[1];
  const archive = readText(join(root, 'build-version')).trim();
  if (/^\d+\.\d+\.\d+/.test(archive)) return archive;
  for (const header of ['torch/headeronly/version.h', 'torch/csrc/api/include/torch/version.h']) {
    const text = readText(join(root, 'include', header));
    const parts = ['MAJOR', 'MINOR', 'PATCH'].map((part) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(text)?.[1]);
    if (parts.every((part) => part !== undefined)) return parts.join('.');
  }
  return undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
