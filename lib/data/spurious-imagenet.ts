import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { layoutError, listFolder } from './files.js';
import type { ImageSource } from './source.js';
import { transforms, type Transform } from './transform.js';

/** Spurious ImageNet (Neuhaus et al., ICCV 2023): images of a feature that goes along with a class, without the class. */

/** Images of one class from ImageNet's val, and images that show nothing of it but the feature. */
export interface SpuriousPair {
  /** Name of the folder of the feature. */
  name: string;
  /** Class of ImageNet-1k: the rank of its WordNet id among the 1000. */
  label: number;
  validation: ImageSource[];
  spurious: ImageSource[];
}

export interface SpuriousImageNetOptions {
  /** Folder of the class folders, or one that has them in `images`. */
  root: string;
  /** Folder of ImageNet, with `val/<wnid>`. */
  imageNet: string;
}

/** As the reference code has them: bicubic; spurious images whole, validation images cropped as usual. */
export const spuriousTransforms = {
  validation: { ...transforms.imagenet, kernel: 'bicubic' },
  spurious: { ...transforms.stretch, resizeRatio: 1, kernel: 'bicubic' },
} as const satisfies Record<string, Transform>;

export async function listSpuriousImageNet({ root, imageNet }: SpuriousImageNetOptions): Promise<SpuriousPair[]> {
  const folder = (await listFolder(join(root, 'images'))) ? join(root, 'images') : root;
  const content = await listFolder(folder);
  if (!content || content.folders.length === 0) throw await layoutError(root, ['images'], 'class folders such as tench_class_0_component_3');
  const val = join(imageNet, 'val');
  const ids = (await listFolder(val))?.folders.filter((name) => /^n\d{8}$/.test(name)) ?? [];
  if (ids.length !== 1000) throw new SparringError('data', `${val}: expected folders of all 1000 WordNet ids, since classes are their ranks, found ${ids.length}`, 'Give the folder of the whole ImageNet-1k.');
  const list = async (path: string): Promise<ImageSource[]> => {
    const images = (await listFolder(path))?.images ?? [];
    if (images.length === 0) throw new SparringError('data', `${path}: expected images, found none`, 'Unpack the archive again.');
    return images.map((name) => ({ path: join(path, name) }));
  };
  const pairs: SpuriousPair[] = [];
  for (const name of content.folders) {
    const label = classOf(name);
    if (!(label < 1000)) throw new SparringError('data', `${join(folder, name)}: expected a folder name with the number of an ImageNet class, as in tench_class_0_component_3, found ${name}`, 'Remove what is no class folder.');
    pairs.push({ name, label, validation: await list(join(val, ids[label]!)), spurious: await list(join(folder, name)) });
  }
  return pairs;
}

/** The number after `class_`, else the third field, where the reference code looks for it. */
function classOf(name: string): number {
  const text = /(?:^|_)class_(\d+)(?:_|$)/.exec(name)?.[1] ?? name.split('_')[2] ?? '';
  return /^\d+$/.test(text) ? Number(text) : NaN;
}
