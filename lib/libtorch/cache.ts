/** The user's cache of LibTorch installations: `<cache>/sparring/libtorch/<version>-<variant>-<platform>/torch`. */
import { readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { isRunning, temporaryPath } from '../lock.js';

/** What `install` records beside the files; `verify` compares with it. */
export interface InstallRecord {
  formatVersion: 1;
  version: string;
  variant: string;
  platform: string;
  source: { kind: 'archive' | 'wheel' | 'directory'; name: string; sha256?: string };
  installedAt: string;
  /** Path relative to the installation -> SHA-256. */
  files: Record<string, string>;
}

export interface Installation {
  /** Name of the folder, e.g. `2.13.0-cpu-linux-x64`. */
  name: string;
  directory: string;
  /** The folder that holds include/ and lib/. */
  root: string;
  record: InstallRecord;
}

export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sparring', 'libtorch');
}

/** Complete installations, newest version first. A folder without a record is not one. */
export function listInstallations(env: NodeJS.ProcessEnv = process.env): Installation[] {
  const cache = cacheDirectory(env);
  return namesIn(cache)
    .flatMap((name) => {
      const directory = join(cache, name);
      const record = readRecord(directory);
      return record ? [{ name, directory, root: join(directory, 'torch'), record }] : [];
    })
    .sort((a, b) => b.record.version.localeCompare(a.record.version, 'en', { numeric: true }));
}

/** Deletes one installation; it disappears from the list at once, its files right after. */
export function removeInstallation(name: string, env: NodeJS.ProcessEnv = process.env): void {
  const installation = listInstallations(env).find((candidate) => candidate.name === name);
  if (!installation)
    throw new SparringError(
      'usage',
      `There is no LibTorch installation named '${name}' in ${cacheDirectory(env)}.`,
      'List them with `npx sparring libtorch list`.',
    );
  const doomed = temporaryPath(cacheDirectory(env));
  renameSync(installation.directory, doomed);
  rmSync(doomed, { recursive: true, force: true });
}

/** Removes unfinished work of processes that no longer run. */
export function removeLeftovers(cache: string): void {
  for (const name of namesIn(cache)) {
    const owner = /^\.tmp-(\d+)-/.exec(name);
    if (owner && !isRunning(Number(owner[1]))) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

function readRecord(directory: string): InstallRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as InstallRecord;
    const isWhole = record.formatVersion === 1 && typeof record.version === 'string' && typeof record.source?.name === 'string' && typeof record.files === 'object' && record.files !== null;
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
