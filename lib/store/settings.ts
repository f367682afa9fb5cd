import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SparringError } from '../errors.js';
import { fileError, makeFolder, writeFileAtomic } from '../training/files.js';
import { parseStored } from './record.js';
import type { StoreOptions } from './store.js';

const formatVersion = 1;
const storeSettingsSchema = z.object({ format: z.literal(formatVersion), imageSize: z.int().min(1), classes: z.array(z.string()).min(1) });
type StoreSettings = z.infer<typeof storeSettingsSchema>;

/** Reads settings.json, or makes it when `writer`, `imageSize` and `classes` are given; see `StoreOptions`. */
export async function openSettings(folder: string, { writer, imageSize, classes }: StoreOptions): Promise<StoreSettings> {
  const path = join(folder, 'settings.json');
  let text = await readFile(path, 'utf8').catch((error) => {
    if (error.code !== 'ENOENT') throw fileError(error, 'read', path);
    return undefined;
  });
  if (text === undefined) {
    if (writer === undefined || imageSize === undefined || !classes) {
      throw new SparringError('data', `${folder}: expected a sample store, found no settings.json`, 'Check the path. To make a store, pass writer, imageSize and classes to openStore.');
    }
    text = `${JSON.stringify({ format: formatVersion, imageSize, classes }, null, 2)}\n`;
    try {
      makeFolder(folder);
    } catch (error) {
      throw fileError(error, 'create', folder);
    }
    await writeFileAtomic(path, text);
  }
  const settings = parseStored(storeSettingsSchema, text, path, 'The store was made by another version, or the file is damaged.');
  const expected = { imageSize: imageSize ?? settings.imageSize, classes: classes ?? settings.classes };
  for (const name of ['imageSize', 'classes'] as const) {
    const [wanted, found] = [JSON.stringify(expected[name]), JSON.stringify(settings[name])];
    if (wanted !== found) throw new SparringError('data', `${path}: ${name}: expected ${wanted}, found ${found}`, 'Use another folder for this store.');
  }
  return settings;
}

/** Equal settings have equal ids, whatever the order of their keys. */
export function generatorSettingsId(settings: Record<string, unknown>): string {
  return createHash('sha256').update(settingsText(settings)).digest('hex').slice(0, 12);
}

/** Writes `generators/<id>.json` unless it is there; the id is a hash of the settings, so writers cannot disagree. */
export async function writeGeneratorSettings(folder: string, settings: Record<string, unknown>): Promise<string> {
  const text = settingsText(settings);
  const id = generatorSettingsId(settings);
  const path = join(folder, 'generators', `${id}.json`);
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known !== text) await writeFileAtomic(path, text);
  return id;
}

export async function readGeneratorSettings(folder: string, id: string): Promise<Record<string, unknown>> {
  const path = join(folder, 'generators', `${id}.json`);
  const text = await readFile(path, 'utf8').catch((error) => {
    throw fileError(error, 'read', path);
  });
  return parseStored(z.record(z.string(), z.unknown()), text, path, 'Restore this file from a copy.');
}

/** All that are in a store, whether or not an image was made with them. */
export async function allGeneratorSettings(folder: string): Promise<Record<string, unknown>[]> {
  const names = await readdir(join(folder, 'generators')).catch((error) => {
    throw fileError(error, 'read', join(folder, 'generators'));
  });
  const ids = names.flatMap((name) => /^([0-9a-f]{12})\.json$/.exec(name)?.[1] ?? []).sort();
  return Promise.all(ids.map((id) => readGeneratorSettings(folder, id)));
}

function settingsText(settings: Record<string, unknown>): string {
  return `${JSON.stringify(settings, sortKeys, 2)}\n`;
}

/** JSON replacer that makes equal settings equal text, whatever the order in which they were set. */
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
