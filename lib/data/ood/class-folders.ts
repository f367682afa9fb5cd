import { join } from 'node:path';

import { SparringError } from '../../errors.js';
import { layoutError, listFolder } from '../files.js';
import type { ImageRecord } from '../records.js';
import { classOfWordNetId, wordNetIds } from './wordnet-ids.js';

/** Folders of ImageNet-1k classes. Their names say the class: the rank of a folder among those that are there means nothing. */

export interface ClassFolder {
  path: string;
  /** Class number, 0..999. */
  label: number;
  /** Names of its images where others lie in the same folder. Default: all images in it. */
  images?: readonly string[];
}

export interface ExpectedClasses {
  /** What names the folder in the config. */
  key: string;
  /** What errors call the dataset. */
  title: string;
  /** Class numbers that occur in it. Default: all 1000. */
  labels?: readonly number[];
  /** Whether a folder may also be named by the class number, `7` or `0007`. */
  numbered?: boolean;
}

/** The class folders of `folder`, by label. Throws SparringError 'data' when something else is there. */
export async function classFolders(folder: string, { key, title, labels, numbered = false }: ExpectedClasses): Promise<ClassFolder[]> {
  const content = await listFolder(folder);
  const expected = `folders named by WordNet id, such as ${wordNetIds[labels?.[0] ?? 0]}${numbered ? ', or by class number' : ''}`;
  if (content?.folders.length === 0 && content.images.length > 0) {
    throw new SparringError('data', `${folder}: expected ${expected}, found ${content.images.length} images directly in it`, 'Sort the images into folders by class, as valprep.sh of the ImageNet examples does for val.');
  }
  if (!content?.folders.some((name) => labelOf(name, numbered) !== undefined)) throw await layoutError(folder, numbered ? [...wordNetIds, '0', '0000'] : wordNetIds, expected, key);
  const found = new Map<number, string>();
  for (const name of content.folders) {
    const label = labelOf(name, numbered);
    if (label === undefined || (labels && !labels.includes(label))) {
      throw new SparringError('data', `${folder}: expected the ${labels?.length ?? 1000} class folders of ${title} and nothing else, found ${name}`, label === undefined ? 'Remove what is no class folder.' : `The class is not in ${title}: check that ${key} is its folder and not that of another set.`);
    }
    const twin = found.get(label);
    if (twin !== undefined) throw new SparringError('data', `${folder}: expected one folder of each class, found ${twin} and ${name} of class ${label}`, 'Two layouts lie in one folder; keep one of them.');
    found.set(label, name);
  }
  return [...found].map(([label, name]) => ({ path: join(folder, name), label })).sort((a, b) => a.label - b.label);
}

function labelOf(name: string, numbered: boolean): number | undefined {
  if (numbered && /^\d{1,4}$/.test(name)) return Number(name) < 1000 ? Number(name) : undefined;
  return classOfWordNetId.get(name);
}

/** Their images, in bytewise order within each class. Throws SparringError 'data' for a class without any. */
export async function classImages(folders: readonly ClassFolder[]): Promise<ImageRecord[]> {
  const records: ImageRecord[] = [];
  for (const { path, label, images: own } of folders) {
    const images = own ?? (await listFolder(path))?.images ?? [];
    if (images.length === 0) throw new SparringError('data', `${path}: expected images, found none`, 'Unpack the archive of this dataset again.');
    for (const name of images) records.push({ path: join(path, name), label, attribute: 0 });
  }
  return records;
}
