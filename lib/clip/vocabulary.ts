/** Vocabularies of the tokenizer: that of a model folder, or the one of CLIP that comes with the package. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

import { readJson } from '../config/json.js';
import { ClipTokenizer, vocabularyOf, type Vocabulary } from './tokenizer.js';

/** CLIP's merges, in the format of a folder's merges.txt. */
const shipped = fileURLToPath(new URL('../../assets/clip/merges.txt.gz', import.meta.url));

const ids = z.record(z.string(), z.int().min(0));
const pair = z.union([z.string(), z.tuple([z.string(), z.string()]).transform((both) => both.join(' '))]);
const readable = "Put the tokenizer's own files there as its project wrote them: vocab.json and merges.txt, or tokenizer.json.";
const tokenizerFile = z.object({ model: z.object({ vocab: ids, merges: z.array(pair) }) });

/** The tokenizer of a folder with vocab.json and merges.txt, or with tokenizer.json; CLIP's own when it has none. */
export async function openTokenizer(folder?: string): Promise<ClipTokenizer> {
  return new ClipTokenizer(await openVocabulary(folder));
}

const special = z.union([z.string(), z.object({ content: z.string() }).transform(({ content }) => content)]).nullish();
const specialTokens = z.object({ pad_token: special, added_tokens_decoder: z.unknown().optional() });

/**
 * What fills a text after its end, by the files of a tokenizer's folder; the end token where they do not say it. As in
 * transformers, special_tokens_map.json counts unless tokenizer_config.json is of the newer form, with the added tokens.
 */
export async function padTokenOf(folder: string, tokenizer: ClipTokenizer): Promise<number> {
  const read = async (name: string) => (existsSync(join(folder, name)) ? readJson(join(folder, name), specialTokens, readable) : undefined);
  const [config, map] = [await read('tokenizer_config.json'), await read('special_tokens_map.json')];
  const token = (config?.added_tokens_decoder ? undefined : map?.pad_token) ?? config?.pad_token;
  return token ? tokenizer.idOf(token) : tokenizer.endToken;
}

async function openVocabulary(folder?: string): Promise<Vocabulary> {
  const inFolder = (name: string): string | undefined => (folder !== undefined && existsSync(join(folder, name)) ? join(folder, name) : undefined);
  const [vocab, merges, whole] = [inFolder('vocab.json'), inFolder('merges.txt'), inFolder('tokenizer.json')];
  if (vocab && merges) return { ids: new Map(Object.entries(await readJson(vocab, ids, readable))), merges: mergesOf(await readFile(merges, 'utf8')) };
  if (whole) {
    const { model } = await readJson(whole, tokenizerFile, readable);
    return { ids: new Map(Object.entries(model.vocab)), merges: model.merges };
  }
  return vocabularyOf(mergesOf(gunzipSync(await readFile(shipped)).toString('utf8')));
}

/** One merge a line, after a line with the version. */
function mergesOf(text: string): string[] {
  return text.split('\n').slice(1).map((line) => line.trimEnd()).filter(Boolean);
}
