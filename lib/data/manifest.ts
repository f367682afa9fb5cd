import { dirname, resolve } from 'node:path';

import { SparringError } from '../errors.js';
import { readCsv } from './csv.js';
import { bytewise, checkPresent } from './files.js';
import { classNumbers } from './label-names.js';
import { soleAttribute, type ImageRecord, type Listing, type SplitName } from './records.js';

export interface ManifestOptions {
  /** CSV file with the columns path, label, split and, if there are any, attribute and caption. */
  file: string;
  /** Class names in the order of their labels. Default: those in the file, numbers by value, others bytewise. */
  classes?: readonly string[];
}

const splitWords: Record<string, SplitName> = { train: 'train', val: 'validation', validation: 'validation', test: 'test' };

/** Lists the images of a CSV file; their paths start at its folder. */
export async function listManifest({ file, classes: given = [] }: ManifestOptions): Promise<Listing> {
  const { columns, rows } = await readCsv(file, ['path', 'label', 'split'], ['attribute', 'caption']);
  const fail = (line: number, message: string, hint: string): never => {
    throw new SparringError('data', `${file}:${line}: ${message}`, hint);
  };
  const seen = new Set<string>();
  for (const { line, cells } of rows) {
    for (const name of ['path', 'label', 'split', ...(columns.has('attribute') ? (['attribute'] as const) : [])] as const) {
      if (!cells[name]) fail(line, `${name}: expected a text, found an empty cell`, 'Every image needs one. Leave the column attribute out where there is none.');
    }
    if (!splitWords[cells.split]) fail(line, `expected split train, val or test, found ${cells.split}`, 'These are the names of the splits.');
    if (seen.has(cells.path)) fail(line, `expected each image once, found ${cells.path} again`, 'An image in two splits would be tested after it was trained on.');
    seen.add(cells.path);
  }
  const labels = classNumbers(rows.map(({ cells }) => cells.label), given, file);
  const attributes = classNumbers(rows.map(({ cells }) => cells.attribute ?? soleAttribute), [], file);
  const splits: Record<SplitName, ImageRecord[]> = { train: [], validation: [], test: [] };
  const order = rows.map((_, index) => index).sort((a, b) => bytewise(rows[a]!.cells.path, rows[b]!.cells.path));
  for (const index of order) {
    const { cells } = rows[index]!;
    splits[splitWords[cells.split]!].push({ path: resolve(dirname(file), cells.path), label: labels.numbers[index]!, attribute: attributes.numbers[index]!, ...(cells.caption && { caption: cells.caption }) });
  }
  for (const split of ['train', 'test'] as const) {
    if (splits[split].length === 0) throw new SparringError('data', `${file}: expected images of split ${split}, found none`, 'Give train and test images; val may be missing.');
  }
  await checkPresent(order.map((index) => resolve(dirname(file), rows[index]!.cells.path)), file);
  return {
    layout: `manifest, ${columns.has('attribute') ? 'with' : 'without'} attributes`,
    root: file,
    classes: labels.names,
    attributes: attributes.names,
    splits: { train: splits.train, ...(splits.validation.length > 0 && { validation: splits.validation }), test: splits.test },
    findings: [],
  };
}
