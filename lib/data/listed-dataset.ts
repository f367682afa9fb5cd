import { SparringError } from '../errors.js';
import { decodeImage, ImageCache, inParallel } from './decode.js';
import { checkIndices, dropGroups, groupCounts, imageBytes } from './memory.js';
import { captionsOf, countGroups, splitNames, type Finding, type ImageRecord, type Listing } from './records.js';
import { readSource, sourceName } from './source.js';
import type { Transform } from './transform.js';
import { groupName, type Dataset, type Splits } from './types.js';

export interface DecodingOptions {
  /** Side of the decoded images in pixels. */
  imageSize: number;
  transform: Transform;
  /** Groups, each `'class/attribute'`, to leave out of train and validation. Default none. */
  dropGroups?: readonly string[];
  /** Bytes of decoded images kept in memory, all splits together. Default 1 GiB. */
  cacheBytes?: number;
}

export interface ListedSplits extends Splits {
  /** Groups without a single image, after dropping: `'train: blond/male'`. */
  emptyGroups: string[];
  warnings: string[];
}

/** The splits of a listing; images are decoded when they are read, several at once. */
export function openListing(listing: Listing, options: DecodingOptions): ListedSplits {
  const { imageSize, transform, cacheBytes = 2 ** 30 } = options;
  if (!Number.isInteger(imageSize) || imageSize < 1) {
    throw new SparringError('config', `data.imageSize: expected a positive integer, found ${imageSize}`);
  }
  const cache = new ImageCache<ImageRecord>(cacheBytes);
  const open = (split: string, records: readonly ImageRecord[]): Dataset =>
    new ListedDataset(`${listing.root} ${split}`, listing, records, (record) => cache.get(record, () => decodeRecord(record, imageSize, transform)), imageSize);
  const reduce = (set: Dataset): Dataset => (options.dropGroups?.length ? dropGroups(set, options.dropGroups) : set);
  const { train, validation, test } = listing.splits;
  const splits: Splits = {
    train: reduce(open('train', train)),
    ...(validation && { validation: reduce(open('validation', validation)) }),
    test: open('test', test),
  };
  if (splits.test.length === 0) {
    throw new SparringError('data', `${listing.root}/test: expected images, found none`, 'Accuracies are measured on the test images. Add some for every group that matters.');
  }
  return { ...splits, emptyGroups: emptyGroups(splits), warnings: [...listing.findings, ...countFindings(listing)].map(({ text }) => text) };
}

/** A dataset of given images, which are decoded each time they are read. */
export function recordsDataset(name: string, listing: Pick<Listing, 'classes' | 'attributes'>, records: readonly ImageRecord[], { imageSize, transform }: Pick<DecodingOptions, 'imageSize' | 'transform'>): Dataset {
  return new ListedDataset(name, listing, records, (record) => decodeRecord(record, imageSize, transform), imageSize);
}

export async function decodeRecord(record: ImageRecord, imageSize: number, transform?: Transform): Promise<Uint8Array> {
  return decodeImage(await readSource(record), imageSize, sourceName(record), transform);
}

/** Where the listing differs from what was published, and the test groups that nothing can be measured on. */
export function countFindings(listing: Listing): Finding[] {
  const findings: Finding[] = [];
  for (const split of splitNames) {
    const records = listing.splits[split];
    if (!records) continue;
    const published = listing.published?.[split];
    const counts = countGroups(records, listing);
    const different = published ? counts.flatMap((count, group) => (count === published[group] ? [] : [`${groupName(listing, group)} ${count} instead of ${published[group]}`])) : [];
    if (different.length > 0) findings.push({ severity: 'problem', text: `${split}: other numbers of images than published: ${different.join(', ')}` });
    const empty = counts.flatMap((count, group) => (count === 0 && !published ? [groupName(listing, group)] : []));
    if (empty.length > 0) {
      const meaning = split === 'test' ? 'nothing is measured there' : 'the student never sees them';
      findings.push({ severity: 'note', text: `${split}: no image of ${empty.join(', ')}; ${meaning}` });
    }
  }
  return findings;
}

function emptyGroups(splits: Splits): string[] {
  return splitNames.flatMap((split) => {
    const set = splits[split];
    if (!set) return [];
    return [...groupCounts(set)].flatMap((count, group) => (count === 0 ? [`${split}: ${groupName(set, group)}`] : []));
  });
}

class ListedDataset implements Dataset {
  readonly classes: readonly string[];
  readonly attributes: readonly string[];
  readonly length: number;
  readonly labels: Int32Array;
  readonly attributeOf: Int32Array;
  readonly captions: Dataset['captions'];

  constructor(
    readonly name: string,
    { classes, attributes }: Pick<Listing, 'classes' | 'attributes'>,
    private readonly records: readonly ImageRecord[],
    private readonly decoded: (record: ImageRecord) => Promise<Uint8Array>,
    readonly imageSize: number,
  ) {
    this.classes = classes;
    this.attributes = attributes;
    this.length = records.length;
    this.labels = Int32Array.from(records, ({ label }) => label);
    this.attributeOf = Int32Array.from(records, ({ attribute }) => attribute);
    this.captions = captionsOf(records);
  }

  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    checkIndices(this, indices);
    const bytes = imageBytes(this);
    const batch = new Uint8Array(indices.length * bytes);
    await inParallel(indices.length, async (slot) => {
      batch.set(await this.decoded(this.records[indices[slot]!]!), slot * bytes);
    });
    return batch;
  }
}
