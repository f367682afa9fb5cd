import { basename, join } from 'node:path';

import { SparringError } from '../../errors.js';
import { listFolder } from '../files.js';
import { classFolders } from './class-folders.js';
import type { OodSet } from './ood-set.js';

/** The three sets of ImageNet-V2 (Recht et al., arXiv 1902.10811), by what the folders of their releases are called. */
const variants = [
  { name: 'matched-frequency', folder: /matched-?frequency/i },
  { name: 'threshold-0.7', folder: /threshold-?0\.7/i },
  { name: 'top-images', folder: /top-?images/i },
] as const;

/** What tables call V2 without more: the set of which they mean, which a folder whose name says nothing is taken for. */
export const plainV2 = ['v2', 'v2-matched-frequency'];

/**
 * Lists it in the layouts of all its releases: folders named by class number, unpadded (`7`) or padded (`0007`), or by
 * WordNet id.
 * @param root folder of the class folders of one set, or the one that holds those of several sets
 */
export async function listImageNetV2(root: string): Promise<OodSet[]> {
  const named = ((await listFolder(root))?.folders ?? []).flatMap((folder) => variants.filter((variant) => variant.folder.test(folder)).map(({ name }) => ({ name, folder })));
  if (named.length === 0) return [await listSet(root, variants.find(({ folder }) => folder.test(basename(root)))?.name)];
  const sets: OodSet[] = [];
  for (const { name } of variants) {
    const [own, other] = named.filter((one) => one.name === name);
    if (other) throw new SparringError('data', `${root}: expected one folder of ${name}, found ${own!.folder} and ${other.folder}`, 'Set ood.v2 to one of them.');
    if (own) sets.push(await listSet(join(root, own.folder), name));
  }
  return sets;
}

async function listSet(folder: string, variant: string | undefined): Promise<OodSet> {
  const title = variant === undefined ? 'ImageNet-V2' : `ImageNet-V2 ${variant}`;
  return {
    name: variant === undefined ? 'v2' : `v2-${variant}`,
    title,
    folder,
    classes: await classFolders(folder, { key: 'ood.v2', title, numbered: true }),
    images: 'cropped',
    published: 10_000,
    hint: 'Archives of December 2020 had 20 images in each class and were withdrawn; download the present one.',
  };
}
