/** Pictures of a run for its report: what there was to learn from, what was generated, and how near that is to it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { batchIndices } from '../data/order.js';
import { imageGrid, type GridOptions } from '../report/grid.js';
import type { Report } from '../report/html.js';
import { isCompared } from '../store/record.js';
import { openStore } from '../store/store.js';
import { fileError, makeFolder, writeFileAtomic } from '../training/files.js';
import type { RunContext } from './context.js';
import { adversaryPairs } from './adversary-pairs.js';
import { counterpartStore } from './counterparts.js';
import { nearestImages } from './nearest-images.js';
import { recipes } from './recipes.js';

const gridImages = 48;
/** Images in a row of a grid; of as many the nearest training images are shown. */
const columns = 12;

type Grid = Report['grids'][number];

/** Training images; of the first seed what each generating row kept, by disagreement; the training images nearest to the first of them; adversaries. */
export async function runGrids(context: RunContext): Promise<Grid[]> {
  const { config, data, folder } = context;
  try {
    makeFolder(join(folder, 'grids'));
  } catch (error) {
    throw fileError(error, 'create', join(folder, 'grids'));
  }
  const shown = [];
  for (const method of config.methods) {
    const path = join(folder, `seed-${config.seed}`, method, 'store');
    if (existsSync(path)) shown.push({ method, ...(await keptImages(path)) });
  }
  const count = Math.min(gridImages, data.train.length);
  const training = await data.train.read(batchIndices(data.train.length, count, 0, 0)); // at random: groups may take turns
  const grids = [await draw(context, 'train', 'Training images', training)];
  for (const { method, pixels, note, captions } of shown) grids.push(await draw(context, method, `Images of '${method}'`, pixels, { captions }, note));
  grids.push(...(await nearestGrids(context, shown)), ...(await adversaryGrids(context)));
  return grids.filter((grid) => grid !== null);
}

async function keptImages(path: string): Promise<{ pixels: Uint8Array; note: string; captions: string[] }> {
  const store = await openStore(path);
  const records = store.samples();
  const kept = records.filter((record) => record.kept);
  const first = kept.filter(isCompared).sort((a, b) => b.disagreement - a.disagreement).slice(0, gridImages);
  return {
    pixels: await store.readImages(first.map((record) => record.key)),
    note: `${records.length} generated, ${kept.length} kept for training; by the disagreement of teacher and student, which stands below`,
    captions: first.map(({ class: name, disagreement }) => `${name} ${disagreement.toFixed(2)}`),
  };
}

/** One search of the training images for all rows. */
async function nearestGrids(context: RunContext, shown: readonly { method: string; pixels: Uint8Array }[]): Promise<(Grid | null)[]> {
  const { train } = context.data;
  const bytes = train.imageSize ** 2 * 3;
  const rows = shown.map(({ method, pixels }) => ({ method, few: pixels.subarray(0, columns * bytes) })).filter(({ few }) => few.length > 0);
  if (rows.length === 0) return [];
  const found = await nearestImages(concatenated(rows.map(({ few }) => few)), train);
  const grids: (Grid | null)[] = [];
  for (const { method, few } of rows) {
    const nearest = found.splice(0, few.length / bytes);
    const pixels = concatenated([few, await train.read(nearest.map(({ record }) => record))]);
    const captions = [...nearest.map(() => ''), ...nearest.map(({ distance }) => distance.toFixed(0))];
    const note = 'above the first of the images, below the training image that is nearest to each, with the root mean square of the difference in levels of 0 to 255';
    grids.push(await draw(context, `${method}-nearest`, `Nearest training images of '${method}'`, pixels, { captions, columns: nearest.length }, note));
  }
  return grids;
}

/** Of each variant that some row learned from. */
async function adversaryGrids(context: RunContext): Promise<(Grid | null)[]> {
  const { config, data } = context;
  const variants = new Set(config.methods.flatMap((method) => recipes[method].counterparts ?? []));
  const grids: (Grid | null)[] = [];
  for (const variant of variants) {
    const store = await openStore(counterpartStore(context, variant));
    const records = store.samples();
    const { pixels, ...options } = await adversaryPairs(store, data.train, columns);
    const note = `training images above what was made of them, with the teacher's probability of their class; ${variant === 'code' ? 'all' : records.filter(({ kept }) => kept).length} of ${records.length} kept for training`;
    grids.push(await draw(context, `dad-${variant}`, `Discretised images, ${variant}`, pixels, options, note));
  }
  return grids;
}

/** Also written to the folder; null where there is no image. */
async function draw({ data, folder }: RunContext, name: string, title: string, pixels: Uint8Array, options: Pick<GridOptions, 'captions' | 'columns'> = {}, note?: string): Promise<Grid | null> {
  if (pixels.length === 0) return null;
  const png = await imageGrid({ pixels, imageSize: data.train.imageSize, columns, ...options });
  await writeFileAtomic(join(folder, 'grids', `${name}.png`), png);
  return { title, png, ...(note && { note }) };
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let begin = 0;
  for (const part of parts) {
    all.set(part, begin);
    begin += part.length;
  }
  return all;
}
