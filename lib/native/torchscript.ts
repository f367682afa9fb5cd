import { closeSync, openSync, readSync } from 'node:fs';

/** Whether a file is a zip archive, as TorchScript is; false if it cannot be read, which whoever opens it next will say. */
export function isArchive(path: string): boolean {
  const start = Buffer.alloc(4);
  try {
    const file = openSync(path, 'r');
    try {
      readSync(file, start);
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
  return start.toString('latin1') === 'PK\x03\x04';
}
