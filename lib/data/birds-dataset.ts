import { SparringError } from '../errors.js';
import { birdBackgrounds, birdClasses, drawBird } from './birds.js';
import { checkIndices, imageBytes } from './memory.js';
import type { Dataset, Splits } from './types.js';

export interface BirdSplitsOptions {
  /** Side of the pictures in pixels: 32 (default) or 64. */
  imageSize?: number;
  /** Chooses the pictures; splits of one seed share none. Default 0. */
  seed?: number;
  /** Images of each split. Defaults: 4000, 400, 2000 and 20000. */
  sizes?: { train?: number; validation?: number; test?: number; broad?: number };
  /** Share of the two minority groups together in `broad`, 0..1. Default 0.04. */
  minorityShare?: number;
}

const defaultSizes = { train: 4000, validation: 400, test: 2000, broad: 20000 };
const splitNames = ['train', 'validation', 'test', 'broad'] as const;

/**
 * Procedural birds. Majority groups: landbird/land and waterbird/water. `train` and `validation` hold these alone;
 * `test` is balanced over the four groups; `broad` has all four, the minority groups together `minorityShare`.
 */
export function birdSplits(options: BirdSplitsOptions = {}): Splits & { validation: Dataset; broad: Dataset } {
  const { imageSize = 32, seed = 0, minorityShare = 0.04 } = options;
  const sizes = { ...defaultSizes, ...options.sizes };
  if (!(minorityShare >= 0 && minorityShare <= 1)) {
    throw new SparringError('config', `birds: minorityShare: expected a number in 0..1, found ${minorityShare}`);
  }
  for (const name of splitNames) {
    if (!Number.isInteger(sizes[name]) || sizes[name] < 2) {
      throw new SparringError('config', `birds: size of ${name}: expected an integer of at least 2, found ${sizes[name]}`);
    }
  }
  const make = (name: (typeof splitNames)[number], minority: number): Dataset => {
    // Splits draw from collections of their own, so that no test picture is ever trained on.
    const collection = seed * splitNames.length + splitNames.indexOf(name);
    return new BirdDataset(`birds ${name}`, imageSize, collection, birdGroups(sizes[name], minority));
  };
  return {
    train: make('train', 0),
    validation: make('validation', 0),
    test: make('test', 0.5),
    broad: make('broad', minorityShare),
  };
}

/**
 * [length] group numbers with exactly round(minorityShare * length) minority images. Species alternate; the minority
 * is spread evenly over the set, so that any stretch of it has about the same make-up.
 */
function birdGroups(length: number, minorityShare: number): Int32Array {
  const minority = Math.round(minorityShare * length);
  const groups = new Int32Array(length);
  const seen = [0, 0];
  for (let index = 0; index < length; index++) {
    const rare = Math.floor(((index + 1) * minority) / length) > Math.floor((index * minority) / length) ? 1 : 0;
    // Counting both kinds apart keeps the species balanced within each of them.
    const species = seen[rare]!++ & 1;
    groups[index] = species * 2 + (species ^ rare);
  }
  return groups;
}

/** Draws each picture when it is first read and keeps it. */
class BirdDataset implements Dataset {
  readonly classes = birdClasses;
  readonly attributes = birdBackgrounds;
  readonly length: number;
  readonly labels: Int32Array;
  readonly attributeOf: Int32Array;
  readonly #drawn: (Uint8Array | undefined)[];

  constructor(
    readonly name: string,
    readonly imageSize: number,
    private readonly collection: number,
    groups: Int32Array,
  ) {
    this.length = groups.length;
    this.labels = groups.map((group) => group >> 1);
    this.attributeOf = groups.map((group) => group & 1);
    this.#drawn = new Array(this.length);
  }

  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    checkIndices(this, indices);
    const bytes = imageBytes(this);
    const batch = new Uint8Array(indices.length * bytes);
    for (let slot = 0; slot < indices.length; slot++) batch.set(this.picture(indices[slot]!), slot * bytes);
    return batch;
  }

  private picture(index: number): Uint8Array {
    return (this.#drawn[index] ??= drawBird({
      species: this.labels[index] as 0 | 1,
      background: this.attributeOf[index] as 0 | 1,
      seed: this.collection,
      index,
      size: this.imageSize,
    }));
  }
}
