import { SparringError } from '../errors.js';
import { groupName, type Dataset } from './types.js';

/** A dataset whose pixels are held as one array. */
export class MemoryDataset implements Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly attributes: readonly string[];
  readonly imageSize: number;
  readonly labels: Int32Array;
  readonly attributeOf: Int32Array;
  readonly captions: Dataset['captions'];
  /** uint8, [length, imageSize, imageSize, 3]. */
  readonly pixels: Uint8Array;

  constructor(content: Omit<Dataset, 'length' | 'read'> & { pixels: Uint8Array }) {
    this.name = content.name;
    this.classes = content.classes;
    this.attributes = content.attributes;
    this.imageSize = content.imageSize;
    this.labels = content.labels;
    this.attributeOf = content.attributeOf;
    this.captions = content.captions;
    this.pixels = content.pixels;
    const { length } = this.labels;
    const expected = length * imageBytes(this);
    if (this.pixels.length !== expected || this.attributeOf.length !== length) {
      throw new SparringError(
        'data',
        `${this.name}: expected ${length} attributes and ${expected} bytes of pixels for ${length} labels, ` +
          `found ${this.attributeOf.length} and ${this.pixels.length}`,
      );
    }
    if (this.captions && this.captions.length !== length) throw new SparringError('data', `${this.name}: expected ${length} captions for ${length} labels, found ${this.captions.length}`);
    checkRange(this.name, 'label', this.labels, this.classes.length);
    checkRange(this.name, 'attribute', this.attributeOf, this.attributes.length);
  }

  get length(): number {
    return this.labels.length;
  }

  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    checkIndices(this, indices);
    const bytes = imageBytes(this);
    const batch = new Uint8Array(indices.length * bytes);
    for (let slot = 0; slot < indices.length; slot++) {
      const start = indices[slot]! * bytes;
      batch.set(this.pixels.subarray(start, start + bytes), slot * bytes);
    }
    return batch;
  }
}

/** The given records of a dataset, in the given order (repeats allowed); pixels are read from it on demand. */
export function subset(dataset: Dataset, indices: ArrayLike<number>, name = dataset.name): Dataset {
  checkIndices(dataset, indices);
  const chosen = Int32Array.from(indices);
  return {
    name,
    classes: dataset.classes,
    attributes: dataset.attributes,
    imageSize: dataset.imageSize,
    length: chosen.length,
    labels: chosen.map((index) => dataset.labels[index]!),
    attributeOf: chosen.map((index) => dataset.attributeOf[index]!),
    captions: dataset.captions && Array.from(chosen, (index) => dataset.captions![index]),
    read: async (positions) => {
      checkIndices({ name, length: chosen.length }, positions);
      return dataset.read(Int32Array.from(positions, (position) => chosen[position]!));
    },
  };
}

/**
 * The dataset without the given groups, each named `'class/attribute'` or by its number.
 * @throws SparringError 'config' for a group that does not exist, 'data' when a class would have no image left
 */
export function dropGroups(dataset: Dataset, groups: readonly (number | string)[]): Dataset {
  const dropped = new Set(groups.map((group) => groupNumber(dataset, group)));
  const kept: number[] = [];
  const remaining = new Int32Array(dataset.classes.length);
  for (let index = 0; index < dataset.length; index++) {
    if (dropped.has(groupOf(dataset, index))) continue;
    kept.push(index);
    remaining[dataset.labels[index]!]!++;
  }
  const hadImages = new Set(dataset.labels);
  const emptied = dataset.classes.filter((_, label) => hadImages.has(label) && remaining[label] === 0);
  if (emptied.length > 0) {
    throw new SparringError(
      'data',
      `${dataset.name}: dropping ${[...dropped].map((group) => groupName(dataset, group)).join(', ')} leaves no image of class ${emptied.join(', ')}`,
      'Keep at least one group of every class.',
    );
  }
  return subset(dataset, kept);
}

/** Group of one record: label * attributes.length + attribute. */
export function groupOf(dataset: Pick<Dataset, 'labels' | 'attributeOf' | 'attributes'>, index: number): number {
  return dataset.labels[index]! * dataset.attributes.length + dataset.attributeOf[index]!;
}

/** Images per group, [classes.length * attributes.length]. */
export function groupCounts(dataset: Omit<Dataset, 'read'>): Int32Array {
  const counts = new Int32Array(dataset.classes.length * dataset.attributes.length);
  for (let index = 0; index < dataset.length; index++) counts[groupOf(dataset, index)]!++;
  return counts;
}

/** The records that have each value, in the order of the values. */
export function recordsByValue(values: ArrayLike<number>): [value: number, records: number[]][] {
  const found = new Map<number, number[]>();
  for (let record = 0; record < values.length; record++) {
    const value = values[record]!;
    const records = found.get(value);
    if (records) records.push(record);
    else found.set(value, [record]);
  }
  return [...found].sort(([a], [b]) => a - b);
}

/** Number of the group given by its number or as `'class/attribute'`. */
export function groupNumber(dataset: Pick<Dataset, 'name' | 'classes' | 'attributes'>, group: number | string): number {
  const count = dataset.classes.length * dataset.attributes.length;
  const names = Array.from({ length: count }, (_, number) => groupName(dataset, number));
  const number = typeof group === 'number' ? group : names.indexOf(group);
  if (!Number.isInteger(number) || number < 0 || number >= count) {
    throw new SparringError('config', `${dataset.name}: no group ${JSON.stringify(group)}`, `The groups are ${names.join(', ')}.`);
  }
  return number;
}

/** Bytes of one decoded RGB image. */
export function imageBytes({ imageSize }: Pick<Dataset, 'imageSize'>): number {
  return imageSize * imageSize * 3;
}

/** Throws unless every index is a record of the dataset. */
export function checkIndices({ name, length }: Pick<Dataset, 'name' | 'length'>, indices: ArrayLike<number>): void {
  checkRange(name, 'index', indices, length);
}

function checkRange(name: string, what: string, values: ArrayLike<number>, below: number): void {
  for (let position = 0; position < values.length; position++) {
    const value = values[position]!;
    if (!Number.isInteger(value) || value < 0 || value >= below) {
      throw new SparringError('data', `${name}: ${what} at position ${position}: expected an integer in 0..${below - 1}, found ${value}`);
    }
  }
}
