import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { readCsv } from './csv.js';
import { bytewise, checkPresent, layoutError, listFolder } from './files.js';
import { numberedSplits, splitNumber } from './numbered-splits.js';
import { celebaCounts } from './published.js';
import type { Listing } from './records.js';
import { readText } from './source.js';

export interface CelebAOptions {
  /** Folder of `img_align_celeba` and of the lists. */
  root: string;
  /** The attribute that is the class. Default Blond_Hair. */
  target?: string;
  /** The attribute suspected to be spurious. Default Male. */
  attribute?: string;
}

/** What the dataset says of one image; values are 0 or 1, split is 0, 1 or 2. */
interface Entry {
  name: string;
  target: number;
  attribute: number;
  split: number;
}

const imageFolder = 'img_align_celeba';
const attributeText = 'list_attr_celeba.txt';
const partitionText = 'list_eval_partition.txt';
const attributeCsv = 'list_attr_celeba.csv';
const partitionCsv = 'list_eval_partition.csv';
const metadataCsv = 'metadata.csv';

/**
 * Lists CelebA as its authors distribute it (txt), as Kaggle and WILDS do (csv), or with the merged metadata.csv of
 * DFR and JTT. Images lie in `img_align_celeba`, which the archive of Kaggle holds in a folder of the same name.
 */
export async function listCelebA({ root, target = 'Blond_Hair', attribute = 'Male' }: CelebAOptions): Promise<Listing> {
  const has = (name: string): boolean => existsSync(join(root, name));
  const reader = has(attributeText) ? readTextLists : has(attributeCsv) ? readCsvLists : has(metadataCsv) ? readMetadata : undefined;
  if (!reader) throw await layoutError(root, [attributeText, attributeCsv, metadataCsv], `${attributeText}, ${attributeCsv} or ${metadataCsv}`);
  const { layout, source, entries } = await reader(root, target, attribute);
  const images = await imagesOf(root);
  entries.sort((a, b) => bytewise(a.name, b.name));
  const splits = numberedSplits(entries.map(({ name, split, target: label, attribute }) => ({ split, record: { path: join(images, name), label, attribute } })), source);
  await checkPresent(entries.map(({ name }) => join(images, name)), source);
  return {
    layout,
    root,
    classes: valueNames(target),
    attributes: valueNames(attribute),
    splits,
    ...(target === 'Blond_Hair' && attribute === 'Male' && { published: celebaCounts }),
    findings: [],
  };
}

type Reader = (root: string, target: string, attribute: string) => Promise<{ layout: string; source: string; entries: Entry[] }>;

/** `list_attr_celeba.txt`: count, names, then a line per image, separated by any number of spaces. */
const readTextLists: Reader = async (root, target, attribute) => {
  const source = join(root, attributeText);
  const [first, second, ...lines] = (await readText(source)).trimEnd().split(/\r?\n/);
  const names = second?.trim().split(/\s+/) ?? [];
  const columns = [target, attribute].map((name) => {
    const column = names.indexOf(name);
    if (column < 0) throw noColumn(source, name, names);
    return column;
  });
  const announced = Number(first);
  if (!Number.isInteger(announced) || announced !== lines.length) {
    throw new SparringError('data', `${source}: expected ${first} images, as its first line says, found ${lines.length}`, 'The file is cut short or was changed. Get it again.');
  }
  const splitOf = await readPartition(join(root, partitionText));
  const entries = lines.map((text, index): Entry => {
    const [name, ...values] = text.trim().split(/\s+/);
    if (values.length !== names.length) {
      throw new SparringError('data', `${source}:${index + 3}: expected ${names.length} values, found ${values.length}`, 'The file was changed. Get it again.');
    }
    const [y, a] = columns.map((column) => signValue(values[column]!, `${source}:${index + 3}`));
    return { name: name!, target: y!, attribute: a!, split: splitOf(name!) };
  });
  return { layout: 'CelebA, lists as txt', source, entries };
};

/** `list_attr_celeba.csv` and `list_eval_partition.csv`, with the column image_id in both. */
const readCsvLists: Reader = async (root, target, attribute) => {
  const source = join(root, attributeCsv);
  const { rows } = await readCsv(source, ['image_id', target, attribute]);
  const splitOf = await readPartition(join(root, partitionCsv));
  const entries = rows.map(({ line, cells }): Entry => {
    const value = (name: string): number => signValue(cells[name]!, `${source}:${line}`);
    return { name: cells['image_id']!, target: value(target), attribute: value(attribute), split: splitOf(cells['image_id']!) };
  });
  return { layout: 'CelebA, lists as csv', source, entries };
};

/** `metadata.csv`: the columns of the attributes (JTT) where it has them, else `y` and `place` (DFR). */
const readMetadata: Reader = async (root, target, attribute) => {
  const source = join(root, metadataCsv);
  const { columns, rows } = await readCsv(source, [], ['img_filename', 'image_id', 'split', 'y', 'place', target, attribute]);
  const merged = target === 'Blond_Hair' && attribute === 'Male';
  const pick = (names: string[]): string => {
    const found = names.find((name) => columns.has(name));
    if (found === undefined) throw noColumn(source, names.join(' or '), [...columns]);
    return found;
  };
  const [nameColumn, splitColumn] = [pick(['img_filename', 'image_id']), pick(['split'])];
  const [y, a] = [pick(merged ? [target, 'y'] : [target]), pick(merged ? [attribute, 'place'] : [attribute])];
  const values = (column: string): number[] => {
    const zero = rows.some(({ cells }) => cells[column] === '0');
    return rows.map(({ line, cells }) => (zero ? bitValue(cells[column]!, `${source}:${line}`) : signValue(cells[column]!, `${source}:${line}`)));
  };
  const [targets, attributes] = [values(y), values(a)];
  const entries = rows.map(({ line, cells }, index): Entry => ({ name: cells[nameColumn]!, target: targets[index]!, attribute: attributes[index]!, split: splitNumber(cells[splitColumn]!, `${source}:${line}`) }));
  return { layout: `CelebA, metadata.csv with ${y} and ${a}`, source, entries };
};

/** The split of an image by its name, from the txt or csv form of the partition. */
async function readPartition(path: string): Promise<(name: string) => number> {
  if (!existsSync(path)) throw new SparringError('data', `${path}: expected the list of splits, found no such file`, 'It belongs to the dataset, beside the list of attributes.');
  const splits = new Map<string, number>();
  if (path.endsWith('.csv')) {
    for (const { line, cells } of (await readCsv(path, ['image_id', 'partition'])).rows) splits.set(cells.image_id, splitNumber(cells.partition, `${path}:${line}`));
  } else {
    (await readText(path)).trimEnd().split(/\r?\n/).forEach((text, index) => {
      const [name, split] = text.trim().split(/\s+/);
      splits.set(name!, splitNumber(split ?? '', `${path}:${index + 1}`));
    });
  }
  return (name) => {
    const split = splits.get(name);
    if (split === undefined) throw new SparringError('data', `${path}: expected a split for ${name}, found none`, 'The two lists belong to different images, or this one is cut short. Get it again.');
    return split;
  };
}

async function imagesOf(root: string): Promise<string> {
  const folder = join(root, imageFolder);
  if (existsSync(join(folder, imageFolder))) return join(folder, imageFolder);
  if (!(await listFolder(folder))) throw await layoutError(root, [imageFolder], `a folder ${imageFolder}`);
  return folder;
}

function signValue(text: string, where: string): number {
  if (text !== '1' && text !== '-1') throw new SparringError('data', `${where}: expected -1 or 1, found ${JSON.stringify(text)}`, 'Attributes of CelebA are -1 (absent) or 1 (present). Get the file again.');
  return text === '1' ? 1 : 0;
}

function bitValue(text: string, where: string): number {
  if (text !== '1' && text !== '0') throw new SparringError('data', `${where}: expected 0 or 1, found ${JSON.stringify(text)}`, 'A column has either -1 and 1 or 0 and 1.');
  return Number(text);
}

function noColumn(source: string, name: string, found: readonly string[]): SparringError {
  return new SparringError('data', `${source}: expected a column ${name}, found ${found.slice(0, 6).join(', ')}${found.length > 6 ? ', ...' : ''}`, 'Check data.target and data.attribute: they are names of attributes such as Blond_Hair, with capitals.');
}

/** What the values 0 and 1 of an attribute are called: short where everybody has short names, else by the rule. */
function valueNames(attribute: string): string[] {
  if (attribute === 'Male') return ['female', 'male'];
  const name = attribute === 'Blond_Hair' ? 'blond' : attribute.toLowerCase().replaceAll('_', '-');
  return [`non-${name}`, name];
}
