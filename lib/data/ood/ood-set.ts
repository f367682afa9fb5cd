import sharp from 'sharp';

import { recordsDataset } from '../listed-dataset.js';
import { soleAttribute } from '../records.js';
import { readSource } from '../source.js';
import { transforms, type Transform } from '../transform.js';
import type { Dataset } from '../types.js';
import { classImages, type ClassFolder } from './class-folders.js';
import { wordNetIds } from './wordnet-ids.js';

/** A set of images of ImageNet-1k classes on which a classifier is tested; its images are not listed yet. */
export interface OodSet {
  /** In results: `a`, `v2-matched-frequency`, `c/fog/3`. */
  name: string;
  /** For people: `ImageNet-A`. */
  title: string;
  folder: string;
  classes: readonly ClassFolder[];
  /** Class numbers that are predicted among, ascending: logits of others do not count. Default: all 1000. */
  columns?: readonly number[];
  /** `cropped`: photographs, which are resized and cropped; `stored`: squares that were cropped before and must not be again. */
  images: 'cropped' | 'stored';
  /** Images as published, where that is known. */
  published?: number;
  /** What to say when there are others. */
  hint?: string;
}

export interface OpenedSet {
  dataset: Dataset;
  /** What makes the result another one than published ones, a sentence each. */
  notes: string[];
}

/** @param transform of sets of photographs */
export async function openOodSet(set: OodSet, imageSize: number, transform: Transform): Promise<OpenedSet> {
  const records = await classImages(set.classes);
  const notes: string[] = [];
  const classes = (set.columns ?? wordNetIds).length;
  if (set.classes.length !== classes) notes.push(`${set.title}: ${set.classes.length} of its ${classes} classes are there; the others are not tested.`);
  else if (set.published !== undefined && records.length !== set.published) notes.push(`${set.title}: ${records.length} images instead of the published ${set.published}.${set.hint ? ` ${set.hint}` : ''}`);
  if (set.images === 'stored') notes.push(...(await sizeNote(set.title, records[0]!)));
  const dataset = recordsDataset(set.folder, { classes: wordNetIds, attributes: [soleAttribute] }, records, { imageSize, transform: set.images === 'stored' ? transforms.stored : transform });
  return { dataset, notes };
}

/** Sets whose images are stored as they are seen have one size. */
const storedSize = 224;

/** Looks at one image: another size means that the tree is another one than published, or was made otherwise. */
export async function sizeNote(title: string, first: { path: string }): Promise<string[]> {
  const size = await readSource(first).then((encoded) => sharp(encoded).metadata()).catch(() => undefined); // an unreadable one is an error once it is tested
  if (!size || (size.width === storedSize && size.height === storedSize)) return [];
  return [`${title}: images of ${size.width} x ${size.height} px instead of the published ${storedSize} x ${storedSize} (${first.path}).`];
}
