import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { layoutError, listFolder, sorted, type FolderContent } from './files.js';
import { soleAttribute, type ImageRecord, type Listing } from './records.js';
import { checkTrainClasses } from './train-classes.js';
import { unreadFindings } from './unread-images.js';

const splitFolders = { train: ['train'], validation: ['val', 'validation'], test: ['test'] } as const;

export interface FolderTreeOptions {
  /** What it is called in reports. Default: folders. */
  layout?: string;
  /** Class folders in the order of their labels. Default: those that are there, bytewise. */
  classes?: readonly string[];
  /** Likewise for attributes. */
  attributes?: readonly string[];
  /** Name of the folder that may hold these, by which one a level too high is recognised. */
  folder?: string;
}

/**
 * Lists `<root>/{train,val,test}/<class>/<attribute>/<image>`, or `<root>/<split>/<class>/<image>`, whose images all
 * have the attribute `'all'`. `validation` is accepted for `val`; that split may be missing. Names that begin with a
 * dot and files with another extension than .jpg, .jpeg, .png or .webp are passed over; images in other formats are
 * a finding.
 * @throws SparringError 'data' for a missing split, a class without images in train, or a mixed layout
 */
export async function listFolderTree(root: string, options: FolderTreeOptions = {}): Promise<Listing> {
  const train = await scanSplit(root, 'train');
  const validation = await scanSplit(root, 'validation');
  const test = await scanSplit(root, 'test');
  if (!train && !test) throw await layoutError(root, [...Object.values(splitFolders).flat(), ...(options.folder ? [options.folder] : [])], 'folders train and test');
  if (!train || !test) {
    const missing = train ? 'test' : 'train';
    throw new SparringError('data', `${root}: expected a folder ${missing}, found none`, 'The layout is <root>/{train,val,test}/<class>/<attribute>/<image>.');
  }
  const found = [train, validation, test].filter((split) => split !== undefined);
  const classes = ordered(root, 'class', found.flatMap((split) => split.classes), options.classes);
  const mixed = new Set(found.flatMap((split) => split.files.map((file) => file.attribute === '')));
  if (mixed.size > 1) {
    throw new SparringError(
      'data',
      `${root}: expected attribute folders in every class or in none, found images both in class folders and in folders below them`,
      'Move the images so that all lie in <class>/<attribute>/, or all in <class>/.',
    );
  }
  const flat = mixed.has(true);
  if (flat && options.attributes) {
    throw new SparringError('data', `${root}: expected folders ${options.attributes.join(' and ')} in every class, found images directly in class folders`, 'The layout is <root>/{train,val,test}/<class>/<attribute>/<image>.');
  }
  const attributes = flat ? [soleAttribute] : ordered(root, 'attribute', found.flatMap((split) => split.attributes), options.attributes);
  const [labelOf, attributeOf] = [indexOf(classes), indexOf(attributes)];
  const records = (split: Split): ImageRecord[] =>
    split.files.map((file) => ({ path: file.path, label: labelOf.get(file.class)!, attribute: flat ? 0 : attributeOf.get(file.attribute)! }));
  const listing: Listing = {
    layout: options.layout ?? (flat ? 'class folders, without attributes' : 'class and attribute folders'),
    root,
    classes,
    attributes,
    splits: { train: records(train), ...(validation && { validation: records(validation) }), test: records(test) },
    findings: unreadFindings(found.flatMap((split) => split.others)),
  };
  checkTrainClasses(listing, (name) => join(root, 'train', name));
  return listing;
}

interface Split {
  classes: string[];
  attributes: string[];
  /** The attribute is '' for images directly in a class folder. */
  files: { path: string; class: string; attribute: string }[];
  /** Names of what lies beside them. */
  others: string[];
}

async function scanSplit(root: string, split: keyof typeof splitFolders): Promise<Split | undefined> {
  const present: string[] = [];
  for (const name of splitFolders[split]) if (await listFolder(join(root, name))) present.push(name);
  if (present.length > 1) {
    throw new SparringError('data', `${root}: expected one folder of ${split} images, found ${present.join(' and ')}`, 'Keep one of them.');
  }
  if (present.length === 0) return undefined;
  const folder = join(root, present[0]!);
  const result: Split = { classes: [], attributes: [], files: [], others: [] };
  for (const className of (await listFolder(folder))!.folders) {
    result.classes.push(className);
    const content = (await listFolder(join(folder, className)))!;
    const add = ({ images, others }: FolderContent, attribute: string): void => {
      result.others.push(...others);
      for (const name of images) result.files.push({ path: join(folder, className, attribute, name), class: className, attribute });
    };
    add(content, '');
    for (const attribute of content.folders) {
      result.attributes.push(attribute);
      add((await listFolder(join(folder, className, attribute)))!, attribute);
    }
  }
  return result;
}

/** The names that are there in bytewise order, or those expected, when nothing else is there. */
function ordered(root: string, what: string, present: readonly string[], expected?: readonly string[]): string[] {
  const names = sorted(present);
  if (!expected) return names;
  const other = names.find((name) => !expected.includes(name));
  if (other !== undefined) {
    throw new SparringError('data', `${root}: expected the ${what} folders ${expected.join(', ')}, found ${other}`, 'Check data.kind; for folders of your own it is `folder`.');
  }
  return [...expected];
}

function indexOf(names: readonly string[]): Map<string, number> {
  return new Map(names.map((name, index) => [name, index]));
}
