import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { layoutError, listFolder } from './files.js';
import { imageNetFolder } from './imagenet-folders.js';
import { flatValImages } from './imagenet-val.js';
import { soleAttribute, type Finding, type ImageRecord, type Listing } from './records.js';
import { unreadFindings } from './unread-images.js';

export interface ImageNetOptions {
  /** Folder of `train/<wnid>` and `val/<wnid>`; the `ILSVRC/Data/CLS-LOC` within it, as Kaggle has it, is found. */
  root: string;
  /** WordNet ids of the classes to take. Default: all of train. */
  classes?: readonly string[];
  /** What a class is called, by WordNet id. Default: the id. */
  names?: Readonly<Record<string, string>>;
}

const wordNetId = /^n\d{8}$/;

/**
 * Lists ImageNet: `train` is trained on and `val` is what is tested, since the labels of its own test set are secret.
 * A label is the rank of the WordNet id among those taken. The images of `val` lie in folders of classes, or all in one
 * with a list of classes beside it.
 */
export async function listImageNet({ root, classes = [], names = {} }: ImageNetOptions): Promise<Listing> {
  const own = await imageNetFolder(root, 'train');
  const train = await listFolder(join(own, 'train'));
  const val = await listFolder(join(own, 'val'));
  if (!train || !val) throw await layoutError(root, ['train', 'val', 'ILSVRC'], 'folders train and val');
  const fail = (message: string, hint: string): never => {
    throw new SparringError('data', message, hint);
  };
  const valFolder = join(own, 'val');
  const flatVal = val.folders.length === 0 && val.images.length > 0 ? await flatValImages(valFolder, val.images, [valFolder, own, root]) : undefined;
  const available = train.folders.filter((name) => wordNetId.test(name));
  if (available.length === 0) fail(`${join(own, 'train')}: expected folders named by WordNet id, such as n01440764, found ${train.folders.slice(0, 3).join(', ') || 'none'}`, 'For class folders with other names use data.kind folder.');
  const unknown = classes.find((name) => !available.includes(name));
  if (unknown !== undefined) fail(`${join(own, 'train')}: expected the class ${unknown}, which data.classes names, found no such folder`, 'Give WordNet ids, such as n01440764.');
  const chosen = available.filter((name) => classes.length === 0 || classes.includes(name));
  const titles = chosen.map((id) => names[id] ?? id);
  const twice = titles.find((title, index) => titles.indexOf(title) !== index);
  if (twice !== undefined) throw new SparringError('config', `data.names: expected a name of its own for each class, found ${JSON.stringify(twice)} twice`, 'ImageNet has two cranes and two maillots; call one of them otherwise.');
  const others: string[] = [];
  if (flatVal) others.push(...val.others);
  const list = async (split: 'train' | 'val'): Promise<ImageRecord[]> => {
    const records: ImageRecord[] = [];
    for (const [label, id] of chosen.entries()) {
      const flat = split === 'val' && flatVal;
      const folder = flat ? valFolder : join(own, split, id);
      const content = flat ? undefined : await listFolder(folder);
      const images = flat ? (flat.get(id) ?? []) : (content?.images ?? []);
      others.push(...(content?.others ?? []));
      if (images.length === 0) fail(`${folder}: expected images${flat ? ` of ${id}` : ''}, found none`, 'Unpack the archive of this class again, or leave it out with data.classes.');
      for (const name of images) records.push({ path: join(folder, name), label, attribute: 0 });
    }
    return records;
  };
  const splits = { train: await list('train'), test: await list('val') };
  return { layout: `ImageNet, ${chosen.length} of ${available.length} classes`, root: own, classes: titles, attributes: [soleAttribute], splits, findings: [...unreadFindings(others), ...(available.length === 1000 ? totalFindings(splits, classes.length === 0) : [])] };
}

/** The totals are common knowledge, not counted from the archives, hence a note. */
function totalFindings({ train, test }: { train: readonly unknown[]; test: readonly unknown[] }, whole: boolean): Finding[] {
  if (!whole || (train.length === 1_281_167 && test.length === 50_000)) return [];
  return [{ severity: 'note', text: `ImageNet-1k is known to have 1281167 images in train and 50000 in val, found ${train.length} and ${test.length}` }];
}
