import { SparringError } from '../errors.js';
import { isImageName, layoutError, listFolder } from './files.js';
import { classNumbers } from './label-names.js';
import { soleAttribute, splitNames, type ImageRecord, type Listing, type SplitName } from './records.js';
import { expandShards } from './shard-pattern.js';
import type { ImageSource } from './source.js';
import { tarMembers } from './tar-members.js';

export interface WebDatasetOptions {
  /** Folder of the shards. */
  root: string;
  /** Shards of each split: `train-{000000..000146}.tar`, `test-*.tar`; see `expandShards`. */
  train: string;
  validation?: string;
  test: string;
  /** Class names in the order of their labels. Default: the labels that occur. */
  classes?: readonly string[];
  /** Fields of `.json` members. Defaults: label, attribute and caption. */
  labelKey?: string;
  attributeKey?: string;
  captionKey?: string | undefined;
}

/** A sample before its texts have numbers. */
interface Sample {
  source: ImageSource;
  label: string;
  attribute: string;
  caption: string | undefined;
}

/**
 * Lists the samples of WebDataset shards: an image with `.cls` (a number) or `.json` (a field) beside it, and maybe a caption, as
 * `.txt` or a field. One pass over the headers finds where every image lies; images are then read from there, without unpacking.
 */
export async function listWebDataset(options: WebDatasetOptions): Promise<Listing> {
  const { root, classes = [] } = options;
  if (!(await listFolder(root))) throw await layoutError(root, [], 'a folder of shards');
  const found: { split: SplitName; sample: Sample }[] = [];
  for (const split of splitNames) {
    if (options[split] === undefined) continue;
    for (const shard of await expandShards(root, options[split])) {
      for (const sample of await shardSamples(shard, options)) found.push({ split, sample });
    }
    if (!found.some((entry) => entry.split === split)) throw new SparringError('data', `${root}: expected images in the shards of ${split}, found none`, `Its shards are ${options[split]}.`);
  }
  const labels = classNumbers(found.map(({ sample }) => sample.label), classes, root);
  const attributes = classNumbers(found.map(({ sample }) => sample.attribute), [], root);
  const splits: Listing['splits'] = { train: [], ...(options.validation !== undefined && { validation: [] }), test: [] };
  found.forEach(({ split, sample }, index) => {
    const record: ImageRecord = { ...sample.source, label: labels.numbers[index]!, attribute: attributes.numbers[index]!, ...(sample.caption !== undefined && { caption: sample.caption }) };
    splits[split]!.push(record);
  });
  return { layout: 'WebDataset shards', root, classes: labels.names, attributes: attributes.names, splits, findings: [] };
}

/** A sample is what follows each other under one key: the path up to the first dot of the base name. */
async function shardSamples(shard: string, { labelKey = 'label', attributeKey = 'attribute', captionKey = 'caption' }: WebDatasetOptions): Promise<Sample[]> {
  const samples: Sample[] = [];
  let current: { key: string; first: string; image?: ImageSource; fields: Map<string, string> } | undefined;
  const seen = new Set<string>();
  const fail = (key: string, message: string, hint: string): never => {
    throw new SparringError('data', `${shard}: ${key}: ${message}`, hint);
  };
  const finish = (): void => {
    if (!current) return;
    const { key, first, image, fields } = current;
    if (!image) return fail(first, `expected an image with it, found ${fields.size > 0 ? `${[...fields.keys()].join(', ')} alone` : 'none'}`, 'The members of a sample stand one after the other in the archive.');
    const json = fields.has('json') ? parseObject(fields.get('json')!, `${shard}: ${key}.json`) : {};
    const label = fields.get('cls')?.trim() ?? json[labelKey];
    if (label === undefined) return fail(key, `expected ${key}.cls, or ${key}.json with ${labelKey}, found neither`, 'Set data.labelKey to the field that has the class.');
    const attribute = json[attributeKey] ?? soleAttribute;
    for (const value of [label, attribute]) {
      if (!(typeof value === 'string' && value !== '') && !Number.isInteger(value)) return fail(key, `expected a text or a whole number as label and attribute, found ${JSON.stringify(value)}`, 'Correct the shard.');
    }
    const caption = fields.get('txt') ?? json[captionKey];
    samples.push({ source: image, label: String(label), attribute: String(attribute), caption: (typeof caption === 'string' && caption.trim()) || undefined });
  };
  for await (const member of tarMembers(shard)) {
    const base = member.name.slice(member.name.lastIndexOf('/') + 1);
    const dot = base.indexOf('.');
    if (dot < 0 || /^__.*__$/.test(base)) continue; // meta data of the format
    if (base.startsWith('._')) continue; // what tar on macOS adds to each file: its attributes, under the file's own extension
    const key = member.name.slice(0, member.name.length - base.length + dot);
    const extension = base.slice(dot + 1).toLowerCase();
    if (current?.key !== key) {
      finish();
      if (seen.has(key)) fail(key, 'expected each sample once, found members of it apart from each other', 'Write the members of a sample one after the other.');
      seen.add(key);
      current = { key, first: member.name, fields: new Map() };
    }
    if (!extension.includes('.') && isImageName(`x.${extension}`)) {
      if (current.image) fail(key, `expected one image, found a second one, .${extension}`, 'Keep one image for each sample.');
      current.image = { path: shard, member: { name: member.name, offset: member.offset, bytes: member.bytes } };
    } else if (extension === 'cls' || extension === 'json' || extension === 'txt') {
      if (current.fields.has(extension)) fail(key, `expected one .${extension}, found two`, 'Keep one of them.');
      current.fields.set(extension, (await member.content()).toString('utf8'));
    }
  }
  finish();
  return samples;
}

function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== 'object' || value === null) throw new SparringError('data', `${where}: expected a JSON object, found something else`, 'Get or write the shard again.');
  return value as Record<string, unknown>;
}
