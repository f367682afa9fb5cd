import { join } from 'node:path';

import { listFolder } from '../files.js';
import { classFolders } from './class-folders.js';
import type { OodSet } from './ood-set.js';
import { imageNetAClasses, imageNetRClasses } from './subsets.js';

/** The sets that are folders named by WordNet id and nothing more. */

interface Layout extends Pick<OodSet, 'title' | 'columns' | 'images' | 'published'> {
  /** Folder in which the classes are, where those of another split lie beside it. */
  nested?: string;
}

const layouts = {
  val: { title: 'ImageNet val', images: 'cropped', published: 50_000, nested: 'val' },
  a: { title: 'ImageNet-A', images: 'cropped', published: 7_500, columns: imageNetAClasses },
  r: { title: 'ImageNet-R', images: 'cropped', published: 30_000, columns: imageNetRClasses },
  // Not 50 images in every class: no number to compare with.
  sketch: { title: 'ImageNet-Sketch', images: 'cropped' },
  stylized: { title: 'Stylized-ImageNet', images: 'stored', published: 50_000, nested: 'val' },
} as const satisfies Record<string, Layout>;

export type WordNetSetName = keyof typeof layouts;

export function titleOf(name: WordNetSetName): string {
  return layouts[name].title;
}

/** @param root folder of the class folders; of val and Stylized-ImageNet also the one that has them in `val` */
export async function listWordNetSet(name: WordNetSetName, root: string): Promise<OodSet> {
  const { nested, columns, ...layout }: Layout = layouts[name];
  const folder = nested !== undefined && (await listFolder(join(root, nested))) ? join(root, nested) : root;
  const classes = await classFolders(folder, { key: `ood.${name}`, title: layout.title, ...(columns && { labels: columns }) });
  return { name, folder, classes, ...layout, ...(columns && { columns }) };
}
