import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { SparringError } from '../errors.js';

/**
 * Writes a whole file or nothing: into a temporary file of the same folder, to disk, then renamed over `path`. After a
 * failure or a kill the old file is as it was.
 * @throws SparringError 'io' naming the path
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(data);
      // Without this a power cut after the rename could leave an empty file under the final name.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    // A second failure here must not hide the first.
    await rm(temporary, { force: true }).catch(() => {});
    throw fileError(error, 'write', path);
  }
}

/**
 * Makes a folder and those above it. Node's own `recursive` tries for ever where a file system answers ENOENT to mkdir, as
 * /proc does (seen in Node 20).
 */
export function makeFolder(path: string): void {
  const missing: string[] = [];
  let at = resolve(path);
  for (; !existsSync(at); at = dirname(at)) missing.push(at);
  if (!statSync(at).isDirectory()) mkdirSync(at); // says that something else is there
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder);
    } catch (error) {
      if (!existsSync(folder)) throw error; // another process was faster
    }
  }
}

/** A JSON file of ours, undefined where there is none. Throws SparringError 'io', or 'data' with `hint` for one that is damaged. */
export function readSavedJson<Content>(path: string, hint: string): Content | undefined {
  return readSaved(path, (text) => JSON.parse(text) as Content, { problem: 'expected JSON, found something else.', hint });
}

/** Likewise one of any form: `problem` says what is wrong with a file that `parse` throws at. */
export function readSaved<Content>(path: string, parse: (text: string) => Content, { problem, hint }: { problem: string; hint: string }): Content | undefined {
  if (!existsSync(path)) return undefined;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fileError(error, 'read', path);
  }
  try {
    return parse(text);
  } catch (error) {
    throw new SparringError('data', `${path}: ${problem}`, hint, { cause: error });
  }
}

/**
 * Removes all but the `count` newest entries (files or folders) of `folder` whose name matches `pattern`. Its first
 * group must be a number, such as the step in `/^step-(\d+)\.safetensors$/`; the newest is the one with the largest.
 * @returns the names that remain, oldest first
 */
export async function keepNewest(folder: string, pattern: RegExp, count: number): Promise<string[]> {
  if (!Number.isInteger(count) || count < 1) {
    throw new SparringError('config', `number of files to keep in ${folder}: expected an integer of at least 1, found ${count}`);
  }
  try {
    const matching = (await readdir(folder))
      .map((name) => ({ name, number: Number(pattern.exec(name)?.[1] ?? NaN) }))
      .filter(({ number }) => !Number.isNaN(number))
      .sort((a, b) => a.number - b.number)
      .map(({ name }) => name);
    const surplus = matching.splice(0, Math.max(0, matching.length - count));
    await Promise.all(surplus.map((name) => rm(join(folder, name), { recursive: true, force: true })));
    return matching;
  } catch (error) {
    throw fileError(error, 'tidy', folder);
  }
}

const reasons: Record<string, [reason: string, hint: string]> = {
  ENOSPC: ['the disk is full', 'Free space on that disk, then continue with --resume.'],
  EDQUOT: ['the disk quota is used up', 'Free space in your quota, then continue with --resume.'],
  EFBIG: ['the file would exceed the allowed size', 'Raise the file size limit (ulimit -f) or write to another disk.'],
  EACCES: ['permission denied', 'Check the owner and mode of the file and of its folder.'],
  EPERM: ['permission denied', 'Check the owner and mode of the file and of its folder.'],
  EROFS: ['the disk is mounted read-only', 'Choose a folder on a writable disk.'],
  ENOENT: ['no such file or folder', 'Check the path.'],
  ENOTDIR: ['a part of the path is not a folder', 'Check the path.'],
  EISDIR: ['it is a folder, a file was expected', 'Check the path.'],
  EMFILE: ['too many files are open', 'Raise the limit of open files (ulimit -n).'],
};

/** A failed file operation as a SparringError 'io'; one that is already a SparringError stays as it is. */
export function fileError(error: unknown, action: string, path: string): SparringError {
  if (error instanceof SparringError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  const [reason, hint] = reasons[code] ?? [message, undefined];
  return new SparringError('io', `cannot ${action} ${path}: ${reason}${code && ` (${code})`}`, hint, { cause: error });
}
