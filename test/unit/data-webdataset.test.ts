import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { pack } from 'tar-stream';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { openData } from '../../lib/data/open.js';
import { countGroups } from '../../lib/data/records.js';
import { expandShards } from '../../lib/data/shard-pattern.js';
import { tarMembers } from '../../lib/data/tar-members.js';
import { listWebDataset } from '../../lib/data/webdataset.js';
import { openStore } from '../../lib/store/store.js';
import { failure, photo, Scratch, text, webPage } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

type Members = [name: string, content: string | Buffer][];

async function shard(path: string, members: Members): Promise<string> {
  const archive = pack();
  for (const [name, content] of members) archive.entry({ name }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return text(path, Buffer.concat(chunks));
}

const jpeg = (grey: number): Promise<Buffer> => photo({ grey }).jpeg({ quality: 95 }).toBuffer();

async function shards(): Promise<string> {
  const root = scratch.folder();
  await shard(join(root, 'train-000000.tar'), [['__meta__', 'x'], ['a/0.jpg', await jpeg(10)], ['a/0.cls', '1\n'], ['a/0.json', '{"attribute": "snow"}'], ['README', 'no dot']]);
  await shard(join(root, 'train-000001.tar'), [['1.JSON', '{"attribute": "grass", "label": 0}'], ['1.jpeg', await jpeg(60)], ['1.seg.png', 'not an image to train on'], ['2.cls', '1'], ['2.png', await photo({ grey: 90 }).png().toBuffer()]]);
  await shard(join(root, 'test-0.tar'), [['0.jpg', await jpeg(200)], ['0.cls', '0']]);
  return root;
}

test('samples of several shards, read at random without unpacking', async () => {
  const root = await shards();
  const listing = await listWebDataset({ root, train: 'train-{000000..000001}.tar', test: 'test-*.tar', classes: ['cat', 'dog'] });
  assert.equal([listing.classes, listing.attributes], [['cat', 'dog'], ['all', 'grass', 'snow']]);
  assert.equal(countGroups(listing.splits.train, listing), [0, 1, 0, 1, 0, 1]);
  const { train, validation, test: tested } = await openData(resolveConfig({ data: { kind: 'webdataset', root, imageSize: 4 } }).data);
  assert.is(validation, undefined);
  const greys = async (set: typeof train, indices: number[]) => Array.from(await set.read(indices)).filter((_, byte) => byte % 48 === 0);
  for (const [found, expected] of (await greys(train, [2, 0, 1])).map((grey, i) => [grey, [90, 10, 60][i]!])) assert.ok(Math.abs(found - expected) <= 2, `${found} for ${expected}`);
  assert.ok(Math.abs((await greys(tested, [0]))[0]! - 200) <= 2);
  assert.equal([...train.labels], [1, 0, 1]);
});

test('labels may be names, under another key', async () => {
  const root = scratch.folder();
  await shard(join(root, 'train-0.tar'), [['0.jpg', await jpeg(1)], ['0.json', '{"species": "dog", "place": 3}'], ['1.jpg', await jpeg(1)], ['1.json', '{"species": "cat", "place": 20}']]);
  await shard(join(root, 'test-0.tar'), [['0.jpg', await jpeg(1)], ['0.json', '{"species": "dog", "place": 3}']]);
  const listing = await listWebDataset({ root, train: 'train-0.tar', test: 'test-0.tar', labelKey: 'species', attributeKey: 'place' });
  assert.equal([listing.classes, listing.attributes, listing.splits.train.map(({ label }) => label)], [['cat', 'dog'], ['3', '20'], [1, 0]]);
});

test('captions: of .txt, else of a field of .json that is a text', async () => {
  const root = scratch.folder();
  const sample = async (name: string, fields: object, txt?: string): Promise<Members> => [[`${name}.jpg`, await jpeg(1)], [`${name}.json`, JSON.stringify({ label: 'dog', ...fields })], ...(txt === undefined ? [] : ([[`${name}.txt`, txt]] as Members))];
  await shard(join(root, 'train-0.tar'), [...(await sample('0', { caption: 'field' }, ' a dog\n')), ...(await sample('1', { caption: 'field', text: 'other' })), ...(await sample('2', { caption: ['a', 'b'] })), ...(await sample('3', {}, ' \n'))]);
  await shard(join(root, 'test-0.tar'), [['0.jpg', await jpeg(1)], ['0.cls', '0']]);
  const captions = async (captionKey?: string) => (await listWebDataset({ root, train: 'train-0.tar', test: 'train-0.tar', captionKey })).splits.train.map(({ caption }) => caption);
  assert.equal(await captions(), ['a dog', 'field', undefined, undefined]);
  assert.equal(await captions('text'), ['a dog', 'other', undefined, undefined]);
});

test('the shards of a sample store are such shards', async () => {
  const folder = join(scratch.root, 'store');
  const store = await openStore(folder, { writer: 'w', imageSize: 8, classes: ['cat', 'dog'] });
  const sample = (label: number, value: number) => ({ pixels: new Uint8Array(192).fill(value), label, seed: 1, teacherProbabilities: [0.5, 0.5], studentProbability: 0.1, studentWrong: true, disagreement: 0.2, kept: true, reason: 'selected' as const });
  await store.append(0, [sample(1, 33), sample(0, 66)]);
  const { train } = await openData(resolveConfig({ data: { kind: 'webdataset', root: join(folder, 'shards'), train: 'w-*.tar', test: 'w-*.tar', classes: ['cat', 'dog'], imageSize: 8 } }).data);
  assert.equal([...train.labels], [1, 0]);
  assert.equal((await train.read([1]))[0], 66);
});

test('patterns: braces with leading zeros and alternatives, stars, sub-folders', async () => {
  const root = scratch.folder();
  for (const name of ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b.tar', 'sub/c-1.tar', 'a-xtar']) text(join(root, name), '');
  const names = async (pattern: string) => (await expandShards(root, pattern)).map((path) => path.slice(root.length + 1));
  assert.equal(await names('a-{08..10}.tar'), ['a-08.tar', 'a-09.tar', 'a-10.tar']);
  assert.equal(await names('{b,sub/c-1}.tar'), ['b.tar', 'sub/c-1.tar']);
  assert.equal(await names('a-*.tar'), ['a-08.tar', 'a-09.tar', 'a-10.tar']);
  assert.match((await failure(expandShards(root, 'a-{08..11}.tar'))).message, /a-11\.tar: expected a shard, found none/);
  assert.match((await failure(expandShards(root, 'z*.tar'))).message, /z\*\.tar: expected a shard, found none/);
  assert.match((await failure(expandShards(root, 'a-{9..8}.tar'), 'config')).message, /the first number to be the smaller one/);
});

test('names longer than a header has room for, folders and large gaps', async () => {
  const long = `${'d'.repeat(120)}/${'f'.repeat(140)}.cls`;
  const path = join(scratch.root, 'long.tar');
  const archive = pack();
  archive.entry({ name: 'folder', type: 'directory' });
  archive.entry({ name: long }, 'seven');
  archive.entry({ name: 'big.bin' }, Buffer.alloc(50_000, 7));
  archive.entry({ name: 'ünïcode-é.txt' }, 'x');
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  text(path, Buffer.concat(chunks));
  const found: unknown[] = [];
  for await (const member of tarMembers(path)) found.push([member.name, member.bytes, member.bytes < 10 ? (await member.content()).toString() : readFileSync(path)[member.offset + 49_999]]);
  assert.equal(found, [[long, 5, 'seven'], ['big.bin', 50_000, 7], ['ünïcode-é.txt', 1, 'x']]);
});

test('a label that only test has is an error', async () => {
  const root = await shards();
  await shard(join(root, 'test-1.tar'), [['0.jpg', await jpeg(1)], ['0.cls', '7']]);
  const { message } = await failure(openData(resolveConfig({ data: { kind: 'webdataset', root } }).data));
  assert.match(message, /expected images of class 7 in train, found none/);
});

test('one empty block ends an archive; what macOS adds to each file is passed over', async () => {
  const root = await shards();
  const path = join(root, 'test-0.tar');
  await shard(path, [['./._0.jpg', 'Mac OS X attributes'], ['./0.jpg', await jpeg(1)], ['./._0.cls', 'attributes'], ['./0.cls', '0']]);
  truncateSync(path, readFileSync(path).length - 512);
  const { splits } = await listWebDataset({ root, train: 'train-*.tar', test: 'test-*.tar' });
  assert.equal(splits.test.map(({ member }) => member!.name), ['./0.jpg']);
});

test('each kind of damage has an error of its own', async () => {
  const message = async (members: Members): Promise<string> => {
    const root = await shards();
    await shard(join(root, 'train-000001.tar'), members);
    return (await failure(listWebDataset({ root, train: 'train-*.tar', test: 'test-*.tar' }))).message;
  };
  const picture = await jpeg(1);
  assert.match(await message([['0.jpg', picture]]), /000001\.tar: 0: expected 0\.cls, or 0\.json with label, found neither/);
  assert.match(await message([['0.cls', '1'], ['1.jpg', picture], ['1.cls', '1']]), /000001\.tar: 0\.cls: expected an image with it, found cls alone/);
  assert.match(await message([['0.jpg', picture], ['0.cls', '1'], ['1.jpg', picture], ['1.cls', '1'], ['0.json', '{}']]), /0: expected each sample once, found members of it apart/);
  assert.match(await message([['0.jpg', picture], ['0.png', picture], ['0.cls', '1']]), /0: expected one image, found a second one, \.png/);
  assert.match(await message([['0.jpg', picture], ['0.cls', '1'], ['0.cls', '1']]), /0: expected one \.cls, found two/);
  assert.match(await message([['0.jpg', picture], ['0.json', '{']]), /0\.json: expected a JSON object/);
  const file = async (content: Buffer | string): Promise<string> => {
    const root = await shards();
    writeFileSync(join(root, 'train-000001.tar'), content);
    return (await failure(listWebDataset({ root, train: 'train-*.tar', test: 'test-*.tar' }))).message;
  };
  const whole = readFileSync(join(await shards(), 'train-000001.tar'));
  assert.match(await file(webPage.padEnd(2000)), /000001\.tar: expected a tar, found a web page/);
  assert.match(await file(gzipSync(whole)), /expected an uncompressed tar, found one compressed with gzip/);
  assert.match(await file(whole.subarray(0, 1800)), /expected a whole tar, found 1\.jpeg cut short/);
  assert.match(await file(whole.subarray(0, whole.length - 1024)), /expected a whole tar, found its end at byte \d+, without the empty block/);
  assert.match(await file(whole.subarray(0, 1024)), /000001\.tar: expected a whole tar, found its end at byte 1024/); // between two members
  assert.match(await file(Buffer.alloc(1024, 65)), /expected a whole tar, found no header at byte 0/);
  const root = await shards();
  assert.match((await failure(listWebDataset({ root, train: 'train-*.tar', test: 'test-*.tar', classes: ['cat'] }))).message, /expected labels among cat, found 1/);
  for (const label of ['""', 'null', '[1]', '0.5']) {
    const odd = scratch.folder();
    for (const name of ['train-0.tar', 'test-0.tar']) await shard(join(odd, name), [['0.jpg', await jpeg(1)], ['0.json', `{"label": ${label}}`]]);
    assert.match((await failure(listWebDataset({ root: odd, train: 'train-0.tar', test: 'test-0.tar' }))).message, /expected a text or a whole number as label and attribute/, label);
  }
  await shard(join(root, 'train-000000.tar'), []);
  assert.match((await failure(listWebDataset({ root, train: 'train-000000.tar', test: 'test-*.tar' }))).message, /expected images in the shards of train, found none/);
  truncateSync(join(root, 'train-000000.tar'), 0);
  assert.match((await failure(listWebDataset({ root, train: 'train-000000.tar', test: 'test-*.tar' }))).message, /train-000000\.tar: expected a whole tar, found an empty file/);
  assert.match((await failure(listWebDataset({ root: join(root, 'no'), train: 'a', test: 'b' }))).message, /found nothing at this path/);
});

test.run();
