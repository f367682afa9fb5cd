/** Fetches one file over HTTPS: resumable, checked, never left half-written under its final name. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { SparringError } from '../errors.js';

export interface DownloadOptions {
  /** Expected SHA-256, hex. */
  sha256: string;
  /** Called with bytes so far and in all (0 when the server does not say). */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
}

/** Downloads `url` to `path`; continues `<path>.part` if an earlier attempt left one. Throws SparringError. */
export async function download(url: string, path: string, options: DownloadOptions): Promise<void> {
  const part = `${path}.part`;
  const start = existsSync(part) ? statSync(part).size : 0;
  let response: Response;
  try {
    const headers: Record<string, string> = start > 0 ? { range: `bytes=${start}-` } : {};
    response = await fetch(url, { headers, signal: options.signal ?? null });
  } catch (error) {
    const cause =
      (error as Error).cause instanceof Error ? ((error as Error).cause as Error).message : (error as Error).message;
    throw failed(url, cause, error);
  }
  // 416: the part is already the whole file.
  if (response.status !== 416) {
    if (!response.ok || !response.body) throw failed(url, `the server answered ${response.status}`);
    const append = response.status === 206;
    const total = (append ? start : 0) + Number(response.headers.get('content-length') ?? 0);
    let done = append ? start : 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, next) {
        done += chunk.length;
        options.onProgress?.(done, total);
        next(null, chunk);
      },
    });
    try {
      const body = Readable.fromWeb(response.body as import('node:stream/web').ReadableStream);
      await pipeline(body, count, createWriteStream(part, { flags: append ? 'a' : 'w' }));
    } catch (error) {
      throw failed(url, (error as Error).message, error);
    }
  }
  const found = await sha256OfFile(part);
  if (found !== options.sha256) {
    rmSync(part, { force: true });
    throw wrongChecksum(url, options.sha256, found);
  }
  renameSync(part, path);
}

export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

export function wrongChecksum(what: string, expected: string, found: string): SparringError {
  return new SparringError(
    'environment',
    `Wrong checksum for ${what}: expected SHA-256 ${expected}, found ${found}.`,
    'The file is damaged or not the one that was meant; nothing of it was kept. Fetch it again.',
  );
}

function failed(url: string, reason: string, cause?: unknown): SparringError {
  return new SparringError(
    'environment',
    `Cannot download ${url}: ${reason}.`,
    'Check the connection (behind a proxy, fetch the file by other means and use --from <file>). What was received is kept and continued next time.',
    { cause },
  );
}
