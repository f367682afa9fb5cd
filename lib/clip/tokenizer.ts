/**
 * The byte-pair tokenizer of CLIP (Sennrich et al. 2016, arXiv 1508.07909; Radford et al. 2021, arXiv 2103.00020): words
 * in lower case as UTF-8 bytes, each byte a printable character, the last of a word marked, joined by ranked merges.
 */
import { SparringError } from '../errors.js';

export interface Vocabulary {
  /** Token to id. */
  ids: ReadonlyMap<string, number>;
  /** 'first second', the most frequent pair first. */
  merges: readonly string[];
}

const start = '<|startoftext|>';
const end = '<|endoftext|>';
const endOfWord = '</w>';
const specialTokens = /(<\|startoftext\|>|<\|endoftext\|>)/;
/** Not `\\s`, which differs from Unicode's white space. */
const words = /<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\p{White_Space}\p{L}\p{N}]+/gu;
/** Pieces of a special token that was spelt in capitals, which makes it text. */
const inSpecial = /<\||[a-z]+|\|>/g;

export class ClipTokenizer {
  readonly startToken: number;
  readonly endToken: number;
  readonly #ranks: ReadonlyMap<string, number>;
  readonly #known = new Map<string, number[]>();

  constructor(readonly vocabulary: Vocabulary) {
    this.#ranks = new Map(vocabulary.merges.map((merge, rank) => [merge, rank]));
    this.startToken = this.idOf(start);
    this.endToken = this.idOf(end);
  }

  /** Token ids of a text, without start and end. */
  encode(text: string): number[] {
    return text.split(specialTokens).flatMap((part) => (specialTokens.test(part) ? [this.idOf(part)] : this.#encodePlain(part)));
  }

  /** [texts.length * length]: each text between start and end, cut to `length`, or filled with `padToken` after its end. */
  encodeAll(texts: readonly string[], length: number, padToken = this.endToken): Int32Array {
    if (length < 2) throw new SparringError('usage', `Tokens: expected texts of at least 2 tokens, start and end, found ${length}.`);
    const result = new Int32Array(texts.length * length).fill(padToken);
    for (const [i, text] of texts.entries()) {
      result.set([this.startToken, ...this.encode(text).slice(0, length - 2), this.endToken], i * length);
    }
    return result;
  }

  #encodePlain(text: string): number[] {
    // Letter by letter: a whole word would get the final form of sigma.
    const lower = Array.from(text.normalize('NFC'), (letter) => letter.toLowerCase()).join('');
    const found = (lower.match(words) ?? []).flatMap((word) => (specialTokens.test(word) ? word.match(inSpecial)! : [word]));
    return found.flatMap((word) => this.#encodeWord(word));
  }

  #encodeWord(word: string): number[] {
    let ids = this.#known.get(word);
    if (!ids) {
      const symbols = Array.from(new TextEncoder().encode(word), (byte) => byteSymbols[byte]!);
      symbols.push(symbols.pop() + endOfWord);
      ids = this.#merge(symbols).map((symbol) => this.idOf(symbol));
      this.#known.set(word, ids);
    }
    return ids;
  }

  /** Joins neighbours, the pair of the lowest rank first and everywhere, until no pair has a rank. */
  #merge(symbols: string[]): string[] {
    for (;;) {
      let best: string | undefined, lowest = Infinity;
      for (let i = 0; i + 1 < symbols.length; i++) {
        const pair = `${symbols[i]} ${symbols[i + 1]}`;
        const rank = this.#ranks.get(pair) ?? Infinity;
        if (rank < lowest) [best, lowest] = [pair, rank];
      }
      if (best === undefined) return symbols;
      const joined: string[] = [];
      for (let i = 0; i < symbols.length; i++) {
        const isPair = i + 1 < symbols.length && `${symbols[i]} ${symbols[i + 1]}` === best;
        joined.push(isPair ? symbols[i]! + symbols[++i]! : symbols[i]!);
      }
      symbols = joined;
    }
  }

  /** Throws SparringError 'weights' for what is no token. */
  idOf(token: string): number {
    const id = this.vocabulary.ids.get(token);
    if (id === undefined) throw new SparringError('weights', `Tokenizer: the vocabulary has no '${token}'.`, 'Use the vocabulary and the merges that belong together, of a CLIP model.');
    return id;
  }
}

/** The character for each byte: itself where it is printable, else one above 255; in the order of CLIP's vocabulary. */
const printable = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173));
const others = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !printable.includes(byte));
const byteSymbols: string[] = [];
for (const byte of printable) byteSymbols[byte] = String.fromCodePoint(byte);
for (const [i, byte] of others.entries()) byteSymbols[byte] = String.fromCodePoint(256 + i);

/** The vocabulary that belongs to merges: bytes, bytes that end a word, what the merges make, start and end. */
export function vocabularyOf(merges: readonly string[]): Vocabulary {
  const bytes = [...printable, ...others].map((byte) => byteSymbols[byte]!);
  const tokens = [...bytes, ...bytes.map((symbol) => symbol + endOfWord), ...merges.map((merge) => merge.replace(' ', '')), start, end];
  return { ids: new Map(tokens.map((token, id) => [token, id])), merges };
}
