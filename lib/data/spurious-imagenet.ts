import { join } from 'node:path';
import sharp from 'sharp';

import type { SpuriousConfig } from '../config/spurious.js';
import { SparringError } from '../errors.js';
import { layoutError, listFolder } from './files.js';
import { validationFolder } from './imagenet-folders.js';
import { classFolders, classImages } from './ood/class-folders.js';
import { wordNetIds } from './ood/wordnet-ids.js';
import { spuriousImageNetCounts as published } from './published.js';
import type { ImageRecord } from './records.js';
import { readSource } from './source.js';
import { transforms, type Transform } from './transform.js';

/** Spurious ImageNet (Neuhaus et al., ICCV 2023): images of a feature that goes along with a class, without the class. */

/** Images of one class from ImageNet's val, and images that show nothing of it but the feature. */
export interface SpuriousPair {
  /** Name of the folder of the feature; of several, all of them. */
  name: string;
  /** Class of ImageNet-1k: the rank of its WordNet id among the 1000. */
  label: number;
  validation: ImageRecord[];
  spurious: ImageRecord[];
}

export interface SpuriousImageNet {
  /** Folder of the class folders. */
  folder: string;
  /** In bytewise order of their folders. */
  pairs: SpuriousPair[];
  /** What makes the result another one than published ones, a sentence each. */
  notes: string[];
}

/** As the reference code has them: bicubic; spurious images whole, validation images cropped as usual. */
export const spuriousTransforms = {
  validation: { ...transforms.imagenet, kernel: 'bicubic' },
  spurious: { ...transforms.stretch, resizeRatio: 1, kernel: 'bicubic' },
} as const satisfies Record<string, Transform>;

/** Throws SparringError 'config' when a folder is not given, 'data' when one does not fit. */
export async function listSpuriousImageNet({ root, imageNet }: Pick<SpuriousConfig, 'root' | 'imageNet'>): Promise<SpuriousImageNet> {
  if (root === undefined || imageNet === undefined) {
    const [key, what] = root === undefined ? ['root', 'Spurious ImageNet'] : ['imageNet', 'ImageNet'];
    throw new SparringError('config', `spurious.${key}: expected the folder of ${what}, found none.`, 'Set spurious.root and spurious.imageNet; see docs/ood.md.');
  }
  const folder = (await listFolder(join(root, 'images'))) ? join(root, 'images') : root;
  const content = await listFolder(folder);
  const isClassFolder = (name: string): boolean => classOf(name) !== undefined;
  if (!content?.folders.some(isClassFolder)) throw await layoutError(folder, (name) => name === 'images' || isClassFolder(name), 'class folders such as tench_class_0_component_3', 'spurious.root');
  const val = await validationFolder(imageNet);
  const classes = await classFolders(val, { key: 'spurious.imageNet', title: 'ImageNet val' });
  const pairs = new Map<number, SpuriousPair>(); // by class, as the reference code has them, whatever the component
  for (const name of content.folders) {
    const path = join(folder, name);
    const label = classOf(name);
    if (label === undefined) throw new SparringError('data', `${path}: expected a folder name with the number of an ImageNet class, as in tench_class_0_component_3, found ${name}`, 'Remove what is no class folder.');
    const own = classes.find((one) => one.label === label);
    if (!own) throw new SparringError('data', `${val}: expected the folder ${wordNetIds[label]} of class ${label}, whose feature ${name} shows, found no such folder`, 'Give the whole val of ImageNet-1k.');
    const spurious = await classImages([{ path, label }]);
    const pair = pairs.get(label);
    if (pair) pairs.set(label, { ...pair, name: `${pair.name} and ${name}`, spurious: [...pair.spurious, ...spurious] });
    else pairs.set(label, { name, label, validation: await classImages([own]), spurious });
  }
  const found = [...pairs.values()];
  return { folder, pairs: found, notes: [...countNotes(found), ...(await shapeNotes(found))] };
}

/** The class number after `class_`, else the third field, where the reference code looks for it. */
function classOf(name: string): number | undefined {
  const digits = /(?:^|_)class_(\d+)(?:_|$)/.exec(name)?.[1] ?? name.split('_')[2] ?? '';
  return /^\d+$/.test(digits) && Number(digits) < 1000 ? Number(digits) : undefined;
}

function countNotes(pairs: readonly SpuriousPair[]): string[] {
  const notes: string[] = [];
  if (pairs.length !== published.classes) notes.push(`Spurious ImageNet: ${pairs.length} classes instead of the published ${published.classes}.`);
  for (const [title, kind] of [['Spurious ImageNet', 'spurious'], ['ImageNet val', 'validation']] as const) {
    const other = pairs.filter((pair) => pair[kind].length !== published[kind]).map((pair) => `${pair.name} ${pair[kind].length}`);
    if (other.length > 0) notes.push(`${title}: other numbers of images than the published ${published[kind]} of each class: ${someOf(other)}.`);
  }
  return notes;
}

/** Looks at one image of each class: the reference code takes squares alone, others are seen stretched. */
async function shapeNotes(pairs: readonly SpuriousPair[]): Promise<string[]> {
  const oblong: string[] = [];
  for (const { spurious: [first] } of pairs) {
    const size = await readSource(first!).then((encoded) => sharp(encoded).metadata()).catch(() => undefined); // an unreadable one is an error once it is tested
    if (size && size.width !== size.height) oblong.push(`${first!.path} ${size.width} x ${size.height} px`);
  }
  return oblong.length === 0 ? [] : [`Spurious ImageNet: images that are not square and are seen stretched: ${someOf(oblong)}.`];
}

/** The first three of a list, and how many more there are. */
function someOf(items: readonly string[]): string {
  return `${items.slice(0, 3).join(', ')}${items.length > 3 ? ` and ${items.length - 3} more` : ''}`;
}
