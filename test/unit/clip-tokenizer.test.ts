/** The tokenizer against the token ids of transformers' CLIPTokenizer. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openTokenizer, padTokenOf } from '../../lib/clip/vocabulary.js';
import { failure, temporaryFolder } from '../support/tiny.js';

const goldens = new URL('../parity/goldens/', import.meta.url);
const cases: { text: string; ids: number[] }[] = JSON.parse(gunzipSync(readFileSync(new URL('clip_tokens.json.gz', goldens))).toString('utf8'));
const tokenizer = await openTokenizer();

function folderWith(files: Record<string, unknown>): string {
  const folder = join(temporaryFolder(), 'model');
  mkdirSync(folder);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  return folder;
}

test('2,000 texts have the token ids of transformers', () => {
  assert.is(cases.length, 2000);
  const different = cases.filter(({ text, ids }) => {
    const found = tokenizer.encodeAll([text], 77);
    return found.length !== 77 || !ids.every((id, i) => found[i] === id) || !found.subarray(ids.length).every((id) => id === tokenizer.endToken);
  });
  const shown = different.slice(0, 20).map(({ text, ids }) => `${JSON.stringify(text)}: expected ${ids}, found ${tokenizer.encode(text)}`);
  assert.is(different.length, 0, `${different.length} differ:\n${shown.join('\n')}`);
});

test('texts are cut to the context length and padded with the token asked for', () => {
  const [start, end] = [49406, 49407];
  const [photo] = tokenizer.encode('photo');
  assert.equal([...tokenizer.encodeAll(['photo', 'photo photo photo photo'], 5, 0)], [start, photo, end, 0, 0, start, photo, photo, photo, end]);
});

test('a long word takes no quadratic time', () => {
  const startedAt = performance.now();
  tokenizer.encode('ab'.repeat(50_000));
  assert.ok(performance.now() - startedAt < 10_000);
});

test('a folder: vocab.json and merges.txt, or tokenizer.json in either form of merges', async () => {
  const vocab = { '<|startoftext|>': 7, '<|endoftext|>': 8, a: 0, 'b</w>': 1, 'ab</w>': 2 };
  for (const files of [
    { 'vocab.json': vocab, 'merges.txt': '#version: 0.2\na b</w>\n' },
    { 'tokenizer.json': { model: { vocab, merges: ['a b</w>'] } } },
    { 'tokenizer.json': { model: { vocab, merges: [['a', 'b</w>']] } } },
  ]) {
    assert.equal([...(await openTokenizer(folderWith(files))).encodeAll(['AB ab'], 4)], [7, 2, 2, 8]);
  }
});

test('damaged vocabularies: one error that says where', async () => {
  const broken = failure(() => openTokenizer(folderWith({ 'vocab.json': '{', 'merges.txt': '' })), 'weights');
  assert.match((await broken).message, /vocab\.json: not valid JSON/);
  const wrong = failure(() => openTokenizer(folderWith({ 'vocab.json': { a: 'b' }, 'merges.txt': '' })), 'weights');
  assert.match((await wrong).message, /vocab\.json: a: .*found "b"/);
  const without = failure(() => openTokenizer(folderWith({ 'vocab.json': { a: 1 }, 'merges.txt': '' })), 'weights');
  assert.match((await without).message, /the vocabulary has no '<\|startoftext\|>'/);
  const small = await openTokenizer(folderWith({ 'vocab.json': { '<|startoftext|>': 0, '<|endoftext|>': 1 }, 'merges.txt': '' }));
  assert.match((await failure(async () => small.encode('x'), 'weights')).message, /has no 'x<\/w>'/);
});

test('what fills a text: special_tokens_map.json counts, unless tokenizer_config.json has the added tokens', async () => {
  const map = { 'special_tokens_map.json': JSON.stringify({ pad_token: '!' }) };
  const config = (more: object = {}) => ({ 'tokenizer_config.json': JSON.stringify({ pad_token: { content: '<|endoftext|>' }, ...more }) });
  const tokenizer = await openTokenizer();
  const pad = (files: Record<string, string>) => padTokenOf(folderWith(files), tokenizer);
  assert.is(await pad({}), tokenizer.endToken);
  assert.is(await pad(map), 0);
  assert.is(await pad(config()), tokenizer.endToken);
  assert.is(await pad({ ...map, ...config() }), 0);
  assert.is(await pad({ ...map, ...config({ added_tokens_decoder: {} }) }), tokenizer.endToken);
});

test.run();
