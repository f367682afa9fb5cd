import type { ImageSource } from './source.js';
import type { Dataset } from './types.js';

/** What every layout of files comes to: which image has which class and attribute, in which split. */

/** One image. */
export interface ImageRecord extends ImageSource {
  /** Index into the listing's classes. */
  label: number;
  /** Index into its attributes. */
  attribute: number;
  /** What a text beside it says of it. */
  caption?: string | undefined;
}

export const splitNames = ['train', 'validation', 'test'] as const;
export type SplitName = (typeof splitNames)[number];

/** Images per group of each split, group = label * attributes + attribute. */
export type GroupCounts = Partial<Record<SplitName, readonly number[]>>;

/** Something that does not fit but leaves the data usable. */
export interface Finding {
  /** A problem is wrong data; a note may be meant so. */
  severity: 'problem' | 'note';
  text: string;
}

export interface Listing {
  /** What was recognised, for people. */
  layout: string;
  root: string;
  classes: readonly string[];
  attributes: readonly string[];
  /** Records in bytewise order of their names, or in that of the file which lists them. */
  splits: { train: ImageRecord[]; validation?: ImageRecord[]; test: ImageRecord[] };
  /** What the dataset's authors published, where this is a published dataset. */
  published?: GroupCounts;
  findings: readonly Finding[];
}

/** [records.length], undefined where none has one. */
export function captionsOf(records: readonly ImageRecord[]): Dataset['captions'] {
  return records.some(({ caption }) => caption !== undefined) ? records.map(({ caption }) => caption) : undefined;
}

/** The attribute of all images of a layout without attributes. */
export const soleAttribute = 'all';

/** Images per group, [classes * attributes]. */
export function countGroups(records: readonly ImageRecord[], { classes, attributes }: Pick<Listing, 'classes' | 'attributes'>): number[] {
  const counts = new Array<number>(classes.length * attributes.length).fill(0);
  for (const { label, attribute } of records) counts[label * attributes.length + attribute]!++;
  return counts;
}
