import { SparringError } from '../errors.js';

/**
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", 2011).
 *
 * A stream is a pure function of (seed, purpose, index): there is no shared state to save in a checkpoint, and asking
 * one purpose for more numbers never shifts those of another.
 */

const maximumSeed = Number.MAX_SAFE_INTEGER;

/**
 * The random stream for one purpose, such as `'data order'`.
 * @param seed the run's seed, an integer in 0..2^53-1
 * @param index which stream of that purpose, e.g. the epoch or the image; an integer in 0..2^53-1
 */
export function stream(seed: number, purpose: string, index = 0): RandomStream {
  for (const [name, value] of [['seed', seed], ['index', index]] as const) {
    if (!Number.isInteger(value) || value < 0 || value > maximumSeed) {
      throw new SparringError('config', `${name} of the random stream ${purpose}: expected an integer in 0..2^53-1, found ${value}`);
    }
  }
  return new RandomStream(
    [seed >>> 0, Math.floor(seed / 2 ** 32)],
    [index >>> 0, Math.floor(index / 2 ** 32), hash(purpose)],
  );
}

export class RandomStream {
  readonly #key: readonly [number, number];
  readonly #counter: Uint32Array;
  #block = new Uint32Array(4);
  #used = 4;

  constructor(key: readonly [number, number], counter: readonly [number, number, number]) {
    this.#key = key;
    this.#counter = Uint32Array.of(0, ...counter);
  }

  /** An integer in 0..2^32-1. */
  uint32(): number {
    if (this.#used === 4) {
      this.#block = philox(this.#counter, this.#key);
      this.#counter[0]!++;
      this.#used = 0;
    }
    return this.#block[this.#used++]!;
  }

  /** A number in [0, 1) with 53 random bits. */
  uniform(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** An integer in 0..below-1, every one equally likely; `below` in 1..2^32. */
  integer(below: number): number {
    // Values past the last whole multiple of `below` would favour small results: draw again.
    const limit = 2 ** 32 - (2 ** 32 % below);
    let value = this.uint32();
    while (value >= limit) value = this.uint32();
    return value % below;
  }

  /** A standard normal number (Box-Muller, one of the pair). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /**
   * Permutes `values` in place (Fisher-Yates) and returns them. With `count`, only the first `count` places are drawn:
   * they are a random sample in random order.
   */
  shuffle<T extends { length: number; [index: number]: number }>(values: T, count = values.length): T {
    for (let place = 0; place < Math.min(count, values.length - 1); place++) {
      const other = place + this.integer(values.length - place);
      const kept = values[place]!;
      values[place] = values[other]!;
      values[other] = kept;
    }
    return values;
  }
}

/**
 * Philox4x32 with ten rounds.
 * @param counter four 32-bit words
 * @param key two 32-bit words
 */
export function philox(counter: ArrayLike<number>, key: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  let [c0, c1, c2, c3] = [counter[0]! >>> 0, counter[1]! >>> 0, counter[2]! >>> 0, counter[3]! >>> 0];
  let [k0, k1] = [key[0]! >>> 0, key[1]! >>> 0];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return Uint32Array.of(c0, c1, c2, c3);
}

/** The upper 32 bits of a 32 x 32 bit product, through 16-bit halves: a double holds 53 bits only. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow, bHigh, bLow] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536)) >>> 0;
}

/** FNV-1a over UTF-16 code units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let position = 0; position < text.length; position++) {
    value = Math.imul(value ^ text.charCodeAt(position), 0x01000193);
  }
  return value >>> 0;
}
