import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';

import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';
import { isWebPage, webPageError } from './source.js';

/** Names of files and folders, in one order on every machine, and what to say when an expected one is not there. */

const imageExtensions = new Set(['.jpg', '.jpeg', '.png', '.webp']);
const surrogate = /[\ud800-\udfff]/;
const archiveName = /\.(zip|tar|tgz|tar\.gz)$/i;

export function isImageName(name: string): boolean {
  return imageExtensions.has(extname(name).toLowerCase());
}

/** Distinct names in bytewise order. */
export function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].sort(bytewise);
}

export function bytewise(a: string, b: string): number {
  // JavaScript compares UTF-16 units, whose order differs from that of UTF-8 bytes only beside surrogates.
  if (surrogate.test(a) || surrogate.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface FolderContent {
  folders: string[];
  images: string[];
  /** Files with other names. */
  others: string[];
}

/** What a folder holds, links followed, names with a leading dot passed over; undefined when there is no such folder. */
export async function listFolder(folder: string): Promise<FolderContent | undefined> {
  try {
    const [folders, images, others]: [string[], string[], string[]] = [[], [], []];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const kind = entry.isSymbolicLink() ? await stat(join(folder, entry.name)) : entry;
      if (kind.isDirectory()) folders.push(entry.name);
      else if (kind.isFile()) (isImageName(entry.name) ? images : others).push(entry.name);
    }
    return { folders: sorted(folders), images: sorted(images), others: sorted(others) };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code!)) {
      // A dangling link inside an existing folder is a fault to report, a folder that does not exist is not.
      if ((error as NodeJS.ErrnoException).syscall === 'scandir') return undefined;
    }
    throw fileError(error, 'read', (error as NodeJS.ErrnoException).path ?? folder);
  }
}

/**
 * Throws 'data' when a listed file does not exist, with their number and the first few of them.
 * @param source the file that lists them
 */
export async function checkPresent(paths: readonly string[], source: string): Promise<void> {
  const wanted = new Map<string, string[]>();
  const listed = new Set<string>();
  for (const path of paths) {
    const whole = resolve(path);
    if (listed.has(whole)) throw new SparringError('data', `${source}: expected each image once, found ${path} again`, 'An image in two splits would be tested after it was trained on.');
    listed.add(whole);
    const names = wanted.get(dirname(path));
    if (names) names.push(basename(path));
    else wanted.set(dirname(path), [basename(path)]);
  }
  const missing: string[] = [];
  for (const [folder, names] of wanted) {
    const present = new Set(await readdir(folder).catch(() => [])); // no folder: all of them are missing
    for (const name of names) if (!present.has(name)) missing.push(join(folder, name));
  }
  if (missing.length === 0) return;
  const more = missing.length > 3 ? ` and ${missing.length - 3} more` : '';
  throw new SparringError(
    'data',
    `${source}: expected the ${paths.length} images that it lists, found ${missing.length} of them missing: ${missing.slice(0, 3).join(', ')}${more}`,
    'Unpack the archive of images again, to the end; or check that the list belongs to these images.',
  );
}

/**
 * Explains that a layout's mark, a file or folder of `root`, is not there: `root` does not exist, is an archive or a
 * web page, lies one level too high or too low, or its archive was not unpacked.
 * @param marks names of the marks, or what tells whether a name is one
 * @param key what names `root` in the config
 */
export async function layoutError(root: string, marks: readonly string[] | ((name: string) => boolean), expected: string, key = 'data.root'): Promise<SparringError> {
  const error = (found: string, hint: string): SparringError => new SparringError('data', `${root}: expected ${expected}, found ${found}`, hint);
  const isMark = typeof marks === 'function' ? marks : (name: string): boolean => marks.includes(name);
  const content = await listFolder(root);
  if (!content) {
    if (!(await stat(root).catch(() => undefined))) return error('nothing at this path', `Check ${key}.`);
    return (await startsAsWebPage(root)) ? webPageError(root, 'a folder') : error('a file', `${key} is a folder; unpack the archive and give the folder that comes out.`);
  }
  for (const folder of content.folders) {
    const below = await listFolder(join(root, folder));
    if (below && [...below.folders, ...below.others].some(isMark)) {
      return error(`that one level below, in ${folder}`, `Set ${key} to ${join(root, folder)}.`);
    }
  }
  const above = dirname(resolve(root));
  if (isWithin(basename(resolve(root)), isMark, await listFolder(above).catch(() => undefined))) return error('that one level above', `Set ${key} to ${above}.`);
  for (const name of content.others.filter((other) => archiveName.test(other))) {
    if (await startsAsWebPage(join(root, name))) return webPageError(join(root, name), 'an archive');
    return error(`the archive ${name}, not unpacked`, `Unpack ${name} in ${root}.`);
  }
  const names = [...content.folders, ...content.others, ...content.images];
  return error(names.length === 0 ? 'an empty folder' : `${names.slice(0, 4).join(', ')}${names.length > 4 ? ', ...' : ''}`, key === 'data.root' ? 'Check data.root and data.kind; docs/data.md shows the layouts.' : `Check ${key}; docs/ood.md shows the layouts.`);
}

/** Whether a folder is part of a layout: a file that marks it lies beside it, or it is one of several marks itself. */
function isWithin(name: string, isMark: (name: string) => boolean, parent: FolderContent | undefined): boolean {
  if (!parent) return false;
  if (parent.others.some(isMark)) return true;
  return isMark(name) && parent.folders.filter(isMark).length > 1;
}

async function startsAsWebPage(path: string): Promise<boolean> {
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return false;
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
    return isWebPage(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}
