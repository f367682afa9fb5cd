import sharp from 'sharp';

import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { unreadableImages, type UnreadableImage } from './folder.js';
import { countFindings } from './listed-dataset.js';
import { groupCounts } from './memory.js';
import { listImages, openData } from './open.js';
import { countGroups, splitNames, type Finding, type ImageRecord, type Listing } from './records.js';
import { readSource } from './source.js';
import { spuCoMnistFindings } from './spuco-mnist-counts.js';
import { groupName, type Dataset } from './types.js';

export interface SplitCheck {
  name: string;
  images: number;
  /** Those that groups may be dropped from lose them in a run; counted here before that. */
  groups: { name: string; images: number; /** null where nothing is published. */ published: number | null }[];
}

export interface DataCheck {
  /** What was recognised. */
  layout: string;
  root: string;
  splits: SplitCheck[];
  /** Training images that have one. */
  captions: number;
  /** Of a sample of the images, in pixels before decoding; null where pictures are drawn. */
  imageSizes: { sampled: number; smallest: [width: number, height: number]; largest: [width: number, height: number]; commonest: [width: number, height: number] } | null;
  unreadable: UnreadableImage[];
  findings: Finding[];
  /** No unreadable image and no finding that is a problem. */
  ok: boolean;
}

export interface CheckOptions {
  signal?: AbortSignal;
  /** Called after each image that was decoded. */
  onProgress?: (done: number, total: number) => void;
}

const sampleSize = 500;

/**
 * What a dataset holds and what is wrong with it; decodes every image once.
 * @throws SparringError 'data' where the layout itself does not fit
 */
export async function checkData(data: Config['data'], { signal, onProgress = () => {} }: CheckOptions = {}): Promise<DataCheck> {
  if (data.kind === 'birds' || data.kind === 'spuco-mnist') return checkMadeData(data);
  const listing = await listImages(data);
  const { transform, dropGroups } = data;
  const unreadable = await unreadableImages(listing, transform, (done, total) => {
    if (signal?.aborted) throw new SparringError('aborted', `Stopped after ${done} of ${total} images.`);
    onProgress(done, total);
  });
  const findings = [...listing.findings, ...countFindings(listing), ...unknownGroups(listing, dropGroups)];
  return {
    layout: listing.layout,
    root: listing.root,
    splits: listedSplits(listing),
    captions: listing.splits.train.filter(({ caption }) => caption !== undefined).length,
    imageSizes: await sampleSizes(listing),
    unreadable,
    findings,
    ok: unreadable.length === 0 && findings.every(({ severity }) => severity === 'note'),
  };
}

/** Datasets whose pictures are made from a seed: opening them checks all that can be wrong. */
async function checkMadeData(data: Config['data'] & { kind: 'birds' | 'spuco-mnist' }): Promise<DataCheck> {
  const splits = await openData(data);
  const findings = data.kind === 'spuco-mnist' ? spuCoMnistFindings(splits) : [];
  const named = Object.entries(splits).filter((entry): entry is [string, Dataset] => typeof entry[1] === 'object' && 'labels' in entry[1]);
  return {
    layout: data.kind === 'birds' ? 'procedural birds' : 'SpuCoMNIST from MNIST files',
    root: data.kind === 'birds' ? '' : data.root,
    splits: named.map(([name, set]) => ({ name, images: set.length, groups: [...groupCounts(set)].map((images, group) => ({ name: groupName(set, group), images, published: null })) })),
    captions: 0,
    imageSizes: null,
    unreadable: [],
    findings,
    ok: findings.length === 0,
  };
}

function listedSplits(listing: Listing): SplitCheck[] {
  return splitNames.flatMap((name) => {
    const records = listing.splits[name];
    if (!records) return [];
    const groups = countGroups(records, listing).map((images, group) => ({ name: groupName(listing, group), images, published: listing.published?.[name]?.[group] ?? null }));
    return [{ name, images: records.length, groups }];
  });
}

function unknownGroups(listing: Listing, dropped: readonly string[]): Finding[] {
  const names = Array.from({ length: listing.classes.length * listing.attributes.length }, (_, group) => groupName(listing, group));
  return dropped.filter((name) => !names.includes(name)).map((name) => ({ severity: 'problem', text: `data.dropGroups: there is no group ${name}; the groups are ${names.join(', ')}` }));
}

/** Widths and heights as the headers of evenly chosen images say; unreadable ones are passed over. */
async function sampleSizes({ splits }: Listing): Promise<DataCheck['imageSizes']> {
  const all: ImageRecord[] = [splits.train, splits.validation ?? [], splits.test].flat();
  const count = Math.min(sampleSize, all.length);
  const sizes: [number, number][] = [];
  for (let place = 0; place < count; place++) {
    const record = all[Math.floor((place * all.length) / count)]!;
    const size = await readSource(record).then((encoded) => sharp(encoded).metadata()).then(({ autoOrient }) => autoOrient, () => undefined);
    if (size) sizes.push([size.width, size.height]);
  }
  if (sizes.length === 0) return null;
  const byArea = [...sizes].sort((a, b) => a[0] * a[1] - b[0] * b[1]);
  const times = new Map<string, number>();
  for (const [width, height] of sizes) times.set(`${width} ${height}`, (times.get(`${width} ${height}`) ?? 0) + 1);
  const commonest = [...times].sort((a, b) => b[1] - a[1])[0]![0].split(' ').map(Number) as [number, number];
  return { sampled: sizes.length, smallest: byArea[0]!, largest: byArea.at(-1)!, commonest };
}
