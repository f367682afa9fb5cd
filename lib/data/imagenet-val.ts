import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { readCsv } from './csv.js';
import { readText } from './source.js';

/** ImageNet's val as it is distributed: all images in one folder, their classes in a list. */

/** WordNet id of image 1, 2, ..., a line each. */
const synsetList = 'imagenet_2012_validation_synset_labels.txt';
/** Kaggle's: ImageId, and PredictionString, which begins with the WordNet id and goes on with boxes. */
const kaggleList = 'LOC_val_solution.csv';
const total = 50_000;

/**
 * The images of each class, by WordNet id, in the order given.
 * @param folders where a list may lie; the first one found counts
 * @throws SparringError 'data' where there is no list, it is damaged, or it does not have an image
 */
export async function flatValImages(val: string, images: readonly string[], folders: readonly string[]): Promise<Map<string, string[]>> {
  const lists = folders.flatMap((folder) => [synsetList, kaggleList].map((name) => join(folder, name)));
  const list = lists.find((path) => existsSync(path));
  if (list === undefined) {
    throw new SparringError(
      'data',
      `${val}: expected a folder for each class, or a list of the classes, found ${images.length} images directly in it and no list`,
      `Put ${kaggleList} of Kaggle or ${synsetList} beside val, or sort the images into folders named by WordNet id, as valprep.sh of the ImageNet examples does. ILSVRC2012_validation_ground_truth.txt does not do: its numbers are no ranks of WordNet ids.`,
    );
  }
  const idOf = list.endsWith(kaggleList) ? await readKaggleList(list) : await readSynsetList(list);
  const byClass = new Map<string, string[]>();
  for (const name of images) {
    const id = idOf.get(name.replace(/\.[^.]*$/, ''));
    if (id === undefined) throw new SparringError('data', `${list}: expected a class for each image of ${val}, found none for ${name}`, 'Images are named ILSVRC2012_val_00000001.JPEG to ILSVRC2012_val_00050000.JPEG; remove what is none of them.');
    const names = byClass.get(id);
    if (names) names.push(name);
    else byClass.set(id, [name]);
  }
  return byClass;
}

async function readSynsetList(path: string): Promise<Map<string, string>> {
  const lines = (await readText(path)).trimEnd().split(/\r?\n/);
  // A line too few would give every image after it the class of the next one.
  if (lines.length !== total) throw damaged(path, `expected ${total} lines, one for each image, found ${lines.length}`);
  return new Map(lines.map((text, index) => [`ILSVRC2012_val_${String(index + 1).padStart(8, '0')}`, wordNetId(text.trim(), `${path}:${index + 1}`)]));
}

async function readKaggleList(path: string): Promise<Map<string, string>> {
  const { rows } = await readCsv(path, ['ImageId', 'PredictionString']);
  const idOf = new Map<string, string>();
  for (const { line, cells } of rows) {
    if (idOf.has(cells.ImageId)) throw damaged(`${path}:${line}`, `expected each image once, found ${cells.ImageId} again`);
    idOf.set(cells.ImageId, wordNetId(cells.PredictionString.trim().split(/\s+/)[0]!, `${path}:${line}`));
  }
  return idOf;
}

function wordNetId(text: string, where: string): string {
  if (!/^n\d{8}$/.test(text)) throw damaged(where, `expected a WordNet id, such as n01440764, found ${JSON.stringify(text)}`);
  return text;
}

function damaged(where: string, message: string): SparringError {
  return new SparringError('data', `${where}: ${message}`, 'Get the list again.');
}
