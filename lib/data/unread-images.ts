import { extname } from 'node:path';

import type { Finding } from './records.js';

/** Images in formats that are not read, which would otherwise be missing without a word. */
const unreadExtensions = new Set(['.avif', '.bmp', '.gif', '.heic', '.pbm', '.pgm', '.pnm', '.ppm', '.tif', '.tiff']);

/** A note for each extension that occurs, in bytewise order; other files, such as a licence, are nobody's images. */
export function unreadFindings(names: Iterable<string>): Finding[] {
  const counts = new Map<string, number>();
  for (const name of names) {
    const extension = extname(name).toLowerCase();
    if (unreadExtensions.has(extension)) counts.set(extension, (counts.get(extension) ?? 0) + 1);
  }
  return [...counts].sort().map(([extension, count]) => ({
    severity: 'note',
    text: `found ${count} ${extension} file${count === 1 ? '' : 's'}, which ${count === 1 ? 'is' : 'are'} not read; convert ${count === 1 ? 'it' : 'them'} to PNG or JPEG`,
  }));
}
