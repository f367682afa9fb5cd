/** A lock that processes of one machine, or of several with a disk in common, take in turn. */
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { SparringError } from './errors.js';
import { fileError, makeFolder } from './training/files.js';

/**
 * Runs `work` while no other process holds the lock `path`, a file; one left by a dead process of this machine is taken over.
 * @param onWait told once who holds it, before waiting; what it throws is thrown instead of waiting
 */
export async function withLock<T>(path: string, onWait: (owner: string) => void, work: () => Promise<T>): Promise<T> {
  const ticket = temporaryPath(dirname(path));
  try {
    makeFolder(dirname(path));
    writeFileSync(ticket, `${process.pid} ${hostname()}`);
    for (let told = false; !tryLink(ticket, path);) {
      const owner = readText(path); // undefined when it was released just now
      if (owner === undefined) continue;
      const [pid, host] = owner.split(' ');
      if (host === hostname() && !isAtWork(Number(pid), path)) {
        takeAway(path, owner);
        continue;
      }
      if (!told) onWait(`process ${pid} on ${host}`);
      told = true;
      await sleep(500);
    }
  } catch (error) {
    throw fileError(error, 'lock', path);
  } finally {
    rmSync(ticket, { force: true });
  }
  held.add(resolve(path));
  try {
    return await work();
  } finally {
    held.delete(resolve(path));
    rmSync(path, { force: true });
  }
}

/** Runs `work` on a folder, which must exist; throws SparringError 'usage' where another command is at work on this `task`. */
export function aloneIn<T>(folder: string, task: string, work: () => Promise<T>): Promise<T> {
  const path = join(folder, '.lock');
  const refuse = (owner: string): never => {
    throw new SparringError('usage', `${folder}: expected no other command at work on this ${task}, found ${owner}.`, `Wait for it, or choose another folder with --output <folder>. If that process does something else, delete ${path}.`);
  };
  return withLock(path, refuse, work);
}

/** Locks that this process holds. */
const held = new Set<string>();

/** A lock with our own number that we do not hold is that of an earlier process: in containers numbers repeat. */
function isAtWork(pid: number, path: string): boolean {
  return pid === process.pid ? held.has(resolve(path)) : isRunning(pid);
}

/** A name for unfinished work, in the folder where it is to be, so that the final rename stays on one file system. */
export function temporaryPath(folder: string): string {
  return join(folder, `.tmp-${process.pid}-${randomUUID()}`);
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** A hard link appears at once and with its content, so that nobody ever reads a half-written lock. */
function tryLink(ticket: string, path: string): boolean {
  try {
    linkSync(ticket, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    if (code === undefined || !['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code)) throw error;
  }
  try {
    writeFileSync(path, readFileSync(ticket), { flag: 'wx' }); // a disk without hard links
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a dead owner, unless another process has done so and taken it since it was read. */
function takeAway(path: string, owner: string): void {
  const aside = temporaryPath(dirname(path));
  try {
    renameSync(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (readText(aside) !== owner) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
