import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { SparringError } from '../errors.js';
import { fileError } from '../training/files.js';

/** One image file of a dataset folder. */
export interface ImageFile {
  path: string;
  class: string;
  attribute: string;
}

/** What a dataset folder holds, sorted bytewise, so that every machine sees the same order. */
export interface FolderTree {
  root: string;
  classes: string[];
  attributes: string[];
  /** Files of each split; no entry for a split without a folder. */
  splits: { train: ImageFile[]; validation?: ImageFile[]; test: ImageFile[] };
}

/** The attribute of all images in a tree without attribute folders. */
export const soleAttribute = 'all';

const splitFolders = { train: ['train'], validation: ['val', 'validation'], test: ['test'] } as const;
const imageExtensions = new Set(['.jpg', '.jpeg', '.png', '.webp']);

/**
 * Lists `<root>/{train,val,test}/<class>/<attribute>/<image>`, or `<root>/<split>/<class>/<image>`, whose images all
 * have the attribute `'all'`. `validation` is accepted for `val`; that split may be missing. Names that begin with a
 * dot and files with another extension than .jpg, .jpeg, .png or .webp are passed over.
 * @throws SparringError 'data' for a missing split, a class without images in train, or a mixed layout
 */
export async function scanFolder(root: string): Promise<FolderTree> {
  if ((await list(root)) === undefined) {
    throw new SparringError('data', `${root}: expected a dataset folder, found nothing`, 'Check data.root.');
  }
  const train = await scanSplit(root, 'train');
  const validation = await scanSplit(root, 'validation');
  const test = await scanSplit(root, 'test');
  if (!train || !test) {
    const missing = train ? 'test' : 'train';
    throw new SparringError('data', `${root}: expected a folder ${missing}, found none`, 'The layout is <root>/{train,val,test}/<class>/<attribute>/<image>.');
  }
  const found = [train, validation, test].filter((split) => split !== undefined);
  const classes = sorted(found.flatMap((split) => split.classes));
  for (const name of classes) {
    if (!train.files.some((file) => file.class === name)) {
      throw new SparringError(
        'data',
        `${join(root, 'train', name)}: expected images of class ${name}, which other splits or an empty folder name, found none`,
        'Every class needs images to train on. Add them, or remove or rename the folder.',
      );
    }
  }
  const mixed = new Set(found.flatMap((split) => split.files.map((file) => file.attribute === '')));
  if (mixed.size > 1) {
    throw new SparringError(
      'data',
      `${root}: expected attribute folders in every class or in none, found images both in class folders and in folders below them`,
      'Move the images so that all lie in <class>/<attribute>/, or all in <class>/.',
    );
  }
  for (const file of found.flatMap((split) => split.files)) file.attribute ||= soleAttribute;
  const flat = mixed.has(true);
  const attributes = flat ? [soleAttribute] : sorted(found.flatMap((split) => split.attributes));
  return { root, classes, attributes, splits: { train: train.files, validation: validation?.files, test: test.files } };
}

interface Split {
  classes: string[];
  attributes: string[];
  /** The attribute is '' for images directly in a class folder. */
  files: ImageFile[];
}

async function scanSplit(root: string, split: keyof typeof splitFolders): Promise<Split | undefined> {
  const present: string[] = [];
  for (const name of splitFolders[split]) if (await list(join(root, name))) present.push(name);
  if (present.length > 1) {
    throw new SparringError('data', `${root}: expected one folder of ${split} images, found ${present.join(' and ')}`, 'Keep one of them.');
  }
  if (present.length === 0) return undefined;
  const folder = join(root, present[0]!);
  const result: Split = { classes: [], attributes: [], files: [] };
  for (const className of (await list(folder))!.folders) {
    result.classes.push(className);
    const content = (await list(join(folder, className)))!;
    const add = (names: string[], attribute: string): void => {
      for (const name of names) result.files.push({ path: join(folder, className, attribute, name), class: className, attribute });
    };
    add(content.images, '');
    for (const attribute of content.folders) {
      result.attributes.push(attribute);
      add((await list(join(folder, className, attribute)))!.images, attribute);
    }
  }
  return result;
}

/** Sub-folders and image files of a folder, links followed; undefined when there is no such folder. */
async function list(folder: string): Promise<{ folders: string[]; images: string[] } | undefined> {
  try {
    const folders: string[] = [];
    const images: string[] = [];
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      if (entry.name.startsWith('.')) continue;
      const kind = entry.isSymbolicLink() ? await stat(join(folder, entry.name)) : entry;
      if (kind.isDirectory()) folders.push(entry.name);
      else if (kind.isFile() && imageExtensions.has(extname(entry.name).toLowerCase())) images.push(entry.name);
    }
    return { folders: sorted(folders), images: sorted(images) };
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code!)) {
      // A dangling link inside an existing folder is a fault to report, a folder that does not exist is not.
      if ((error as NodeJS.ErrnoException).syscall === 'scandir') return undefined;
    }
    throw fileError(error, 'read', (error as NodeJS.ErrnoException).path ?? folder);
  }
}

/** Distinct names in bytewise order. */
function sorted(names: string[]): string[] {
  return [...new Set(names)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
