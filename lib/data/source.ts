import { open, readFile } from 'node:fs/promises';

import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';

/** Where an encoded image lies: a file, or a stretch of one. */
export interface ImageSource {
  path: string;
  /** The member of a tar that it is; absent for a file of its own. */
  member?: { name: string; offset: number; bytes: number };
}

/** What errors and lists call it. */
export function sourceName({ path, member }: ImageSource): string {
  return member ? `${path}: ${member.name}` : path;
}

/** The encoded bytes; cut short where the file is. */
export async function readSource({ path, member }: ImageSource): Promise<Uint8Array> {
  try {
    if (!member) return await readFile(path);
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(member.bytes), 0, member.bytes, member.offset);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw fileError(error, 'read', path);
  }
}

/** Whether a file that should be something else is a web page, which is what a refused download leaves. */
export function isWebPage(content: Uint8Array): boolean {
  return /^\s*<(!doctype html|html|head|\?xml|!--)/i.test(new TextDecoder().decode(content.subarray(0, 256)));
}

/** A text file of a dataset. Throws 'data' when it is missing, is empty or is a web page. */
export async function readText(path: string): Promise<string> {
  const content = await readFile(path).catch((error) => {
    throw fileError(error, 'read', path);
  });
  if (isWebPage(content)) throw webPageError(path, 'a text file');
  if (content.length === 0) throw new SparringError('data', `${path}: expected lines of text, found an empty file`, 'Get the file again.');
  return new TextDecoder().decode(content); // without the byte order mark, if there is one
}

export function webPageError(path: string, expected: string): SparringError {
  return new SparringError(
    'data',
    `${path}: expected ${expected}, found a web page (HTML)`,
    'The download was refused or ran into a quota, and its notice was saved under the name of the file. Open it in a browser to read why, then download again.',
  );
}
