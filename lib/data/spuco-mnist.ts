import { SparringError } from '../errors.js';
import { hsvColour } from './hsv-colours.js';
import { readMnist, type GreyImages } from './idx.js';
import { checkIndices, imageBytes } from './memory.js';
import { stream } from './random.js';
import { isValidationDigit } from './spuco-mnist-validation.js';
import type { Dataset, Splits } from './types.js';

/**
 * SpuCoMNIST (Joshi et al., "Towards Mitigating Spurious Correlations in the Wild", 2023): classes of MNIST digits
 * whose background colour goes along with the class.
 */

/** Which of the pixels behind the digit carry the colour. */
export const difficulties = {
  /** All 28 x 28. */
  'magnitude-large': { side: 28 },
  /** The upper left 4 x 4. */
  'magnitude-medium': { side: 4 },
  /** The upper left 2 x 2. */
  'magnitude-small': { side: 2 },
  /** The upper left 7 x 7. */
  'variance-low': { side: 7 },
  /** 49 of the upper left 14 x 14, others in each image. */
  'variance-medium': { side: 14, points: 49 },
  /** 49 of the 28 x 28, others in each image. */
  'variance-high': { side: 28, points: 49 },
} as const satisfies Record<string, { side: number; points?: number }>;

export type Difficulty = keyof typeof difficulties;

/**
 * The share of a class that has its own colour, 0 < s <= 1, one for all classes or one for each: exactly floor(s * n)
 * of its n images; the rest take the other colours in turn. 1 leaves all other groups absent. `'balanced'`: every
 * colour equally often in every class.
 */
export type Strength = number | readonly number[] | 'balanced';

export interface ColourOptions {
  name: string;
  strength: Strength;
  /** Digits of each class; disjoint; digits in none are left out. Default [[0,1],[2,3],[4,5],[6,7],[8,9]]. */
  classes?: readonly (readonly number[])[];
  /** Default `'magnitude-large'`. */
  difficulty?: Difficulty;
  /** Share of the images that get a random other label, 0..1. The colour follows the true label. Default 0. */
  labelNoise?: number;
  /** Share of the images of which about 60 % of the digit's pixels are erased, 0..1. Default 0. */
  coreNoise?: number;
  /** Default 0. */
  seed?: number;
}

const imageSize = 28;
const area = imageSize * imageSize;
const defaultClasses = [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]];
const hueNames = ['red', 'orange', 'yellow', 'lime', 'green', 'spring', 'cyan', 'azure', 'blue', 'violet', 'magenta', 'rose'];

/** Colours grey digits; the pixels are composed when they are read. */
export function colourDigits(digits: GreyImages, options: ColourOptions): Dataset {
  return new ColouredDigits(digits, options);
}

export interface SpuCoMnistOptions extends Omit<ColourOptions, 'name' | 'strength'> {
  /** Folder of the four MNIST files, gzip-compressed or not. */
  root: string;
  /** Of `train` and `validation`. Default 1: every off-colour group is absent. */
  strength?: Strength;
  /** Of `broad`. Default 0.95. */
  broadStrength?: Strength;
}

/**
 * The splits of SpuCoMNIST: 48,004 images to train on, 11,996 to validate (its fixed list), 10,000 to test, balanced.
 * `broad` and `balanced` colour the training digits anew. Noise is put into `train` alone.
 */
export async function spuCoMnistSplits(options: SpuCoMnistOptions): Promise<Required<Omit<Splits, 'warnings'>>> {
  const { root, strength = 1, broadStrength = 0.95, labelNoise, coreNoise, ...common } = options;
  const [all, test] = await Promise.all([readMnist(root, 'train'), readMnist(root, 'test')]);
  const train = select(all, (index) => !isValidationDigit(index));
  const validation = select(all, isValidationDigit);
  const make = (digits: GreyImages, split: string, share: Strength, noise = {}): Dataset =>
    colourDigits(digits, { ...common, ...noise, name: `SpuCoMNIST ${split}`, strength: share });
  return {
    train: make(train, 'train', strength, { labelNoise, coreNoise }),
    validation: make(validation, 'validation', strength),
    test: make(test, 'test', 'balanced'),
    broad: make(train, 'broad', broadStrength),
    balanced: make(train, 'balanced', 'balanced'),
  };
}

function select(digits: GreyImages, keep: (index: number) => boolean): GreyImages {
  const indices = Array.from(digits.labels.keys()).filter(keep);
  const bytes = digits.size * digits.size;
  const pixels = new Uint8Array(indices.length * bytes);
  indices.forEach((index, slot) => pixels.set(digits.pixels.subarray(index * bytes, (index + 1) * bytes), slot * bytes));
  return { size: digits.size, pixels, labels: Uint8Array.from(indices, (index) => digits.labels[index]!) };
}

class ColouredDigits implements Dataset {
  readonly name: string;
  readonly imageSize = imageSize;
  readonly classes: readonly string[];
  readonly attributes: readonly string[];
  readonly length: number;
  readonly labels: Int32Array;
  readonly attributeOf: Int32Array;
  readonly #digits: GreyImages;
  /** [length], the digit of each record. */
  readonly #digitOf: Int32Array;
  readonly #noisyCore: ReadonlySet<number>;
  readonly #palette: readonly (readonly number[])[];
  readonly #difficulty: { side: number; points?: number };
  readonly #seed: number;
  /** The coloured pixels where they are the same in every image. */
  readonly #everyMask: Uint8Array | undefined;

  constructor(digits: GreyImages, options: ColourOptions) {
    const { name, strength, classes = defaultClasses, difficulty = 'magnitude-large', labelNoise = 0, coreNoise = 0, seed = 0 } = options;
    checkOptions(name, digits, classes, { strength, labelNoise, coreNoise }, difficulty);
    this.name = name;
    this.#digits = digits;
    this.#seed = seed;
    this.#difficulty = difficulties[difficulty];
    this.#everyMask = this.#difficulty.points === undefined ? this.colouredPixels(0) : undefined;
    this.classes = classes.map((members) => members.join('-'));
    this.attributes = classes.map((_, colour) => hueNames[Math.round((colour * 12) / classes.length) % 12]!);
    this.#palette = classes.map((_, colour) => hsvColour(colour / classes.length).map((value) => Math.round(value * 255)));

    const classOfDigit = new Map(classes.flatMap((members, label) => members.map((digit) => [digit, label] as const)));
    this.#digitOf = Int32Array.from(Array.from(digits.labels.keys()).filter((index) => classOfDigit.has(digits.labels[index]!)));
    this.length = this.#digitOf.length;
    this.labels = this.#digitOf.map((index) => classOfDigit.get(digits.labels[index]!)!);
    this.attributeOf = this.chooseColours(strength);
    this.#noisyCore = new Set(this.choose(coreNoise, 'core noise'));
    this.addLabelNoise(labelNoise);
  }

  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    checkIndices(this, indices);
    const bytes = imageBytes(this);
    const batch = new Uint8Array(indices.length * bytes);
    for (let slot = 0; slot < indices.length; slot++) this.compose(indices[slot]!, batch.subarray(slot * bytes, (slot + 1) * bytes));
    return batch;
  }

  /** [length] colour numbers. The reference takes "in turn" by position and so hits the even shares only about. */
  private chooseColours(strength: Strength): Int32Array {
    const colours = new Int32Array(this.length);
    const count = this.classes.length;
    for (let label = 0; label < count; label++) {
      const members = Array.from(this.labels.keys()).filter((record) => this.labels[record] === label);
      const others = Array.from({ length: count - 1 }, (_, other) => (other < label ? other : other + 1));
      const share = strength === 'balanced' ? 0 : typeof strength === 'number' ? strength : strength[label]!;
      const own = others.length === 0 ? members.length : Math.floor(share * members.length);
      const dealt = Int32Array.from(members, (_, place) => {
        if (strength === 'balanced') return place % count;
        return place < own ? label : others[(place - own) % others.length]!;
      });
      stream(this.#seed, `${this.name} colours`, label).shuffle(dealt);
      members.forEach((record, place) => (colours[record] = dealt[place]!));
    }
    return colours;
  }

  private addLabelNoise(share: number): void {
    const random = stream(this.#seed, `${this.name} noisy labels`);
    for (const record of this.choose(share, 'label noise')) {
      const other = random.integer(this.classes.length - 1);
      this.labels[record] = other < this.labels[record]! ? other : other + 1;
    }
  }

  /** floor(share * length) records, at random. */
  private choose(share: number, purpose: string): number[] {
    const count = Math.floor(share * this.length);
    return stream(this.#seed, `${this.name} ${purpose}`).shuffle(Array.from(this.labels.keys()), count).slice(0, count);
  }

  /** Writes one picture, [28, 28, 3]: the colour shows only where the digit is exactly black. */
  private compose(record: number, picture: Uint8Array): void {
    const start = this.#digitOf[record]! * area;
    const grey = this.#digits.pixels.subarray(start, start + area);
    const coloured = this.#everyMask ?? this.colouredPixels(record);
    const [red, green, blue] = this.#palette[this.attributeOf[record]!]! as [number, number, number];
    const erased = this.#noisyCore.has(record) ? stream(this.#seed, `${this.name} erased pixels`, record) : undefined;
    for (let pixel = 0, offset = 0; pixel < area; pixel++, offset += 3) {
      const value = !erased || erased.normal() > 0.25 ? grey[pixel]! : 0;
      const shows = value === 0 && coloured[pixel] === 1;
      picture[offset] = shows ? red : value;
      picture[offset + 1] = shows ? green : value;
      picture[offset + 2] = shows ? blue : value;
    }
  }

  /** [784], 1 where the background carries the colour. */
  private colouredPixels(record: number): Uint8Array {
    const { side, points = side * side } = this.#difficulty;
    const places = Int32Array.from({ length: side * side }, (_, place) => Math.floor(place / side) * imageSize + (place % side));
    if (this.#difficulty.points !== undefined) stream(this.#seed, `${this.name} background`, record).shuffle(places, points);
    const mask = new Uint8Array(area);
    for (let point = 0; point < points; point++) mask[places[point]!] = 1;
    return mask;
  }
}

function checkOptions(
  name: string,
  digits: GreyImages,
  classes: readonly (readonly number[])[],
  shares: { strength: Strength; labelNoise: number; coreNoise: number },
  difficulty: string,
): void {
  const fail = (where: string, expected: string, found: unknown): never => {
    throw new SparringError('config', `${name}: ${where}: expected ${expected}, found ${JSON.stringify(found)}`);
  };
  if (digits.size !== imageSize) {
    throw new SparringError('data', `${name}: expected digits of 28 x 28 pixels, found ${digits.size} x ${digits.size}`);
  }
  const members = classes.flat();
  const disjoint = new Set(members).size === members.length && members.every((digit) => Number.isInteger(digit) && digit >= 0 && digit <= 9);
  if (classes.length < 2 || classes.some((digitList) => digitList.length === 0) || !disjoint) {
    fail('classes', 'at least two disjoint, non-empty lists of digits 0..9', classes);
  }
  if (!Object.hasOwn(difficulties, difficulty)) fail('difficulty', `one of ${Object.keys(difficulties).join(', ')}`, difficulty);
  const { strength, labelNoise, coreNoise } = shares;
  const strengths = strength === 'balanced' ? [] : typeof strength === 'number' ? [strength] : strength;
  if (typeof strength === 'object' && strength.length !== classes.length) fail('strength', `one number per class (${classes.length})`, strength);
  if (!strengths.every((share) => share > 0 && share <= 1)) fail('strength', "a number above 0 and up to 1, one such number per class, or 'balanced'", strength);
  for (const [where, share] of Object.entries({ labelNoise, coreNoise })) if (!(share >= 0 && share <= 1)) fail(where, 'a number in 0..1', share);
  const present = new Set(digits.labels);
  const empty = classes.find((digitList) => !digitList.some((digit) => present.has(digit)));
  if (empty) throw new SparringError('data', `${name}: expected images of every class, found none of the digits ${empty.join(', ')}`);
}
