import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { readCsv } from './csv.js';
import { bytewise, checkPresent, layoutError } from './files.js';
import { numberedSplits, splitNumber } from './numbered-splits.js';
import { waterbirdsCounts } from './published.js';
import type { Listing } from './records.js';

/** Lists Waterbirds as group DRO and WILDS distribute it: metadata.csv beside the class folders of CUB. */
export async function listWaterbirds({ root }: { root: string }): Promise<Listing> {
  const source = join(root, 'metadata.csv');
  if (!existsSync(source)) throw await layoutError(root, ['metadata.csv'], 'metadata.csv');
  const { rows } = await readCsv(source, ['img_filename', 'y', 'split', 'place']);
  rows.sort((a, b) => bytewise(a.cells.img_filename, b.cells.img_filename));
  const entries = rows.map(({ line, cells }) => {
    const where = `${source}:${line}`;
    const record = { path: join(root, cells.img_filename), label: bit(cells.y, 'y', where), attribute: bit(cells.place, 'place', where) };
    return { split: splitNumber(cells.split, where), record };
  });
  const splits = numberedSplits(entries, source);
  await checkPresent(entries.map(({ record }) => record.path), source);
  return {
    layout: 'Waterbirds, metadata.csv',
    root,
    classes: ['landbird', 'waterbird'],
    attributes: ['land', 'water'],
    splits,
    published: waterbirdsCounts,
    findings: [],
  };
}

function bit(text: string, column: string, where: string): number {
  if (text !== '0' && text !== '1') throw new SparringError('data', `${where}: ${column}: expected 0 or 1, found ${JSON.stringify(text)}`, 'y is 1 for waterbirds, place is 1 for water.');
  return Number(text);
}
