import { join } from 'node:path';

import { SparringError } from '../../errors.js';
import type { Corruption } from '../../native/contract.js';
import { commonCorruptions, heldOutCorruptions, severities } from '../corruptions.js';
import { layoutError, listFolder } from '../files.js';
import { classFolders } from './class-folders.js';
import type { OodSet } from './ood-set.js';

const known: readonly string[] = [...commonCorruptions, ...heldOutCorruptions];
/** The archives of ImageNet-C, for those who unpacked each into a folder of its own. */
const archives = ['noise', 'blur', 'weather', 'digital', 'extra'];

/** Each corruption that is there, with its sets of severity 1 to 5. */
export type ImageNetC = Map<Corruption, OodSet[]>;

/**
 * Lists ImageNet-C (Hendrycks & Dietterich, arXiv 1903.12261): `[<archive>/]<corruption>/<1..5>/<wnid>`. Its images are
 * cropped to 224 x 224 already. Not every corruption needs to be there, but each with every severity.
 */
export async function listImageNetC(root: string): Promise<ImageNetC> {
  const content = await listFolder(root);
  if (!content?.folders.some((name) => known.includes(name) || archives.includes(name))) throw await layoutError(root, known, `folders of corruptions, such as ${known[0]}`, 'ood.c');
  const places = new Map<string, string>();
  const add = (folder: string, names: readonly string[]): void => {
    for (const name of names) {
      if (!known.includes(name)) throw new SparringError('data', `${folder}: expected folders of corruptions, such as ${known[0]}, found ${name}`, 'Remove what is no corruption of ImageNet-C.');
      if (places.has(name)) throw new SparringError('data', `${root}: expected ${name} once, found it again in ${folder}`, 'Keep one of them.');
      places.set(name, join(folder, name));
    }
  };
  add(root, content.folders.filter((name) => !archives.includes(name)));
  for (const archive of archives.filter((name) => content.folders.includes(name))) add(join(root, archive), (await listFolder(join(root, archive)))!.folders);
  const result: ImageNetC = new Map();
  for (const name of [...commonCorruptions, ...heldOutCorruptions]) {
    const place = places.get(name);
    if (place !== undefined) result.set(name, await listSeverities(name, place));
  }
  return result;
}

async function listSeverities(corruption: Corruption, folder: string): Promise<OodSet[]> {
  const found = (await listFolder(folder))?.folders ?? [];
  if (found.join() !== severities.join()) throw new SparringError('data', `${folder}: expected folders of severity ${severities.join(', ')}, found ${found.join(', ') || 'none'}`, 'The error of a corruption is the mean over all five: unpack its archive again, or remove the whole corruption.');
  const sets: OodSet[] = [];
  for (const severity of severities) {
    const title = `ImageNet-C ${corruption} ${severity}`;
    const own = join(folder, String(severity));
    sets.push({ name: `c/${corruption}/${severity}`, title, folder: own, classes: await classFolders(own, { key: 'ood.c', title }), images: 'stored', published: 50_000 });
  }
  return sets;
}
