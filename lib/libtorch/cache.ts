/** The user's cache of LibTorch installations: `<cache>/sparring/libtorch/<version>-<variant>-<platform>/torch`. */
import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { SparringError } from '../errors.js';

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

/** A name for unfinished work, in the cache so that the final rename stays on one file system. */
export function temporaryPath(cache: string): string {
  return join(cache, `.tmp-${process.pid}-${randomUUID()}`);
}

/** Removes unfinished work of processes that no longer run. */
export function removeLeftovers(cache: string): void {
  for (const name of namesIn(cache)) {
    const owner = /^\.tmp-(\d+)-/.exec(name);
    if (owner && !isRunning(Number(owner[1]))) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/**
 * Runs `work` while no other process installs under the same name. The lock only saves double downloads: what makes
 * an installation safe is the atomic rename at its end, so a lock left by a dead process is simply taken over.
 */
export async function withLock<T>(path: string, onWait: (owner: string) => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const ticket = temporaryPath(dirname(path));
  writeFileSync(ticket, `${process.pid} ${hostname()}`);
  try {
    for (let told = false; !tryLink(ticket, path);) {
      const owner = readText(path); // undefined when it was released just now
      if (owner === undefined) continue;
      const [pid, host] = owner.split(' ');
      if (host === hostname() && !isRunning(Number(pid))) {
        rmSync(path, { force: true });
        continue;
      }
      if (!told) onWait(`process ${pid} on ${host}`);
      told = true;
      await sleep(500);
    }
  } finally {
    rmSync(ticket, { force: true });
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** A hard link appears at once and with its content, so that nobody ever reads a half-written lock. */
function tryLink(ticket: string, path: string): boolean {
  try {
    linkSync(ticket, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function readRecord(directory: string): InstallRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as InstallRecord;
    return record.formatVersion === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
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
