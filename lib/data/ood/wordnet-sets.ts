import { dirname, resolve } from 'node:path';

import { SparringError } from '../../errors.js';
import { listFolder } from '../files.js';
import { validationFolder } from '../imagenet-folders.js';
import { flatValImages } from '../imagenet-val.js';
import { classFolders, type ClassFolder } from './class-folders.js';
import type { OodSet } from './ood-set.js';
import { imageNetAClasses, imageNetRClasses } from './subsets.js';
import { classOfWordNetId } from './wordnet-ids.js';

/** The sets that are folders named by WordNet id and nothing more. */

interface Layout extends Pick<OodSet, 'title' | 'columns' | 'images' | 'published'> {
  /** Whether the classes may lie in `val`, since there is another split. */
  hasSplits?: boolean;
}

const layouts = {
  val: { title: 'ImageNet val', images: 'cropped', published: 50_000, hasSplits: true },
  a: { title: 'ImageNet-A', images: 'cropped', published: 7_500, columns: imageNetAClasses },
  r: { title: 'ImageNet-R', images: 'cropped', published: 30_000, columns: imageNetRClasses },
  // Not 50 images in every class: no number to compare with.
  sketch: { title: 'ImageNet-Sketch', images: 'cropped' },
  stylized: { title: 'Stylized-ImageNet', images: 'stored', published: 50_000, hasSplits: true },
} as const satisfies Record<string, Layout>;

export type WordNetSetName = keyof typeof layouts;

export function titleOf(name: WordNetSetName): string {
  return layouts[name].title;
}

/** @param root folder of the class folders; of val and Stylized-ImageNet also the one that has them in `val` or, of Kaggle, below; of val also one of all images with a list of their classes */
export async function listWordNetSet(name: WordNetSetName, root: string): Promise<OodSet> {
  const { hasSplits, columns, ...layout }: Layout = layouts[name];
  const folder = hasSplits ? await validationFolder(root) : root;
  const content = name === 'val' ? await listFolder(folder) : undefined;
  const isFlat = content?.folders.length === 0 && content.images.length > 0;
  const classes = isFlat ? await flatValClasses(folder, content.images, root) : await classFolders(folder, { key: `ood.${name}`, title: layout.title, ...(columns && { labels: columns }) });
  return { name, folder, classes, ...layout, ...(columns && { columns }) };
}

async function flatValClasses(folder: string, images: readonly string[], root: string): Promise<ClassFolder[]> {
  const byClass = await flatValImages(folder, images, [folder, root, dirname(resolve(folder))]);
  const classes = [...byClass].map(([id, names]): ClassFolder => {
    const label = classOfWordNetId.get(id);
    if (label === undefined) throw new SparringError('data', `${folder}: expected images of the 1000 classes of ImageNet, found ${names[0]} of ${id}`, 'Get the list of their classes again.');
    return { path: folder, label, images: names };
  });
  return classes.sort((a, b) => a.label - b.label);
}
