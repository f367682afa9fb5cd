/** Weights in shards with an index load as one file would; what does not belong together is one error that names the shard. */
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { describeClassifierFolder } from '../../lib/classifiers/folder.js';
import { openClip } from '../../lib/clip/open.js';
import { autoencoderSpecs } from '../../lib/config/autoencoders.js';
import { architecture } from '../../lib/config/architectures.js';
import { Autoencoder, Classifier, Generator } from '../../lib/native/models.js';
import { encodeSafetensors, goldenPath, readSafetensors, type Tensor } from '../support/safetensors.js';
import { writeIndex, writeShards } from '../support/shards.js';
import { failure, generateOptions, openEngine, randomImages, temporaryFolder, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const root = temporaryFolder();
let count = 0;
const fresh = (): string => join(root, String(count++));
const inspect = (path: string) => engine.run((core) => core.inspectWeights(path));
const images = randomImages(1, 4);
const f32 = (...values: number[]): Tensor => ({ dtype: 'F32', shape: [values.length], values: Float32Array.from(values) });
const tensors = { a: f32(1, 2), b: f32(3), c: f32(4, 5, 6), d: f32(7) };
const shard = (number: number, of = 2): string => `model-0000${number}-of-0000${of}.safetensors`;

// ---------------------------------------------------------------- what loads

test('an index, and the folder that it is in, are what one file with all tensors is', async () => {
  const folder = fresh();
  const index = writeShards(folder, tensors, 3);
  const whole = join(folder, 'whole.other');
  writeFileSync(whole, encodeSafetensors(tensors, { format: 'pt' }));
  const expected = await inspect(whole);
  for (const path of [index, folder, `${folder}/`]) {
    const { files, ...found } = await inspect(path);
    assert.equal(found, { metadata: expected.metadata, tensors: expected.tensors }, path);
    assert.equal(files.map((file) => file.replace('//', '/')), [index, ...[1, 2, 3].map((number) => join(folder, shard(number, 3)))]);
  }
});

test('a folder with one file is that file; an index goes before files', async () => {
  const folder = fresh();
  mkdirSync(folder);
  writeFileSync(join(folder, 'only.safetensors'), encodeSafetensors({ a: f32(1) }));
  assert.equal((await inspect(folder)).files, [join(folder, 'only.safetensors')]);
  writeShards(folder, tensors, 2);
  assert.is((await inspect(folder)).tensors.length, 4);
});

test('shards may be links to other folders, as in the cache of huggingface', async () => {
  const folder = fresh(), blobs = fresh();
  const index = writeShards(folder, tensors, 2);
  cpSync(folder, blobs, { recursive: true });
  rmSync(join(folder, shard(1)));
  symlinkSync(join(blobs, shard(1)), join(folder, shard(1)));
  assert.is((await inspect(index)).tensors.length, 4);
});

for (const kind of ['classifier', 'generator'] as const) {
  test(`a ${kind} of ours in shards says what it is and is the same`, async () => {
    using saved = await (kind === 'classifier' ? tinyClassifier(engine, 1) : tinyGenerator(engine, 1));
    const path = join(root, `${kind}.safetensors`), folder = fresh();
    await saved.save(path);
    const { tensors, metadata } = readSafetensors(path);
    const index = writeShards(folder, tensors, 2, { metadata });
    if (saved instanceof Classifier) {
      using loaded = await Classifier.load(engine, index);
      assert.equal(await loaded.logits(images), await saved.logits(images));
    } else {
      using loaded = await Generator.load(engine, index);
      assert.equal((await loaded.generate({}, generateOptions())).images, (await saved.generate({}, generateOptions())).images);
    }
  });
}

test('a classifier of torchvision in shards', async () => {
  const spec = { architecture: architecture.parse({ family: 'resnet', layers: [2, 1, 1, 1], width: 8 }), numClasses: 5, imageSize: 32, mean: [0, 0, 0], std: [1, 1, 1] } as const;
  const index = writeShards(fresh(), readSafetensors(goldenPath('resnet_basic')).tensors, 4);
  using sharded = await Classifier.load(engine, index, { spec, classes: [...'abcde'] });
  using whole = await Classifier.load(engine, goldenPath('resnet_basic'), { spec, classes: [...'abcde'] });
  await sharded.save(join(root, 'sharded.safetensors'));
  await whole.save(join(root, 'whole.safetensors'));
  assert.equal(readFileSync(join(root, 'sharded.safetensors')), readFileSync(join(root, 'whole.safetensors')));
});

test('an autoencoder in shards', async () => {
  using saved = await Autoencoder.create(engine, { ...autoencoderSpecs.taesd, width: 4 }, 1);
  await saved.save(join(root, 'taesd.safetensors'));
  const { tensors, metadata } = readSafetensors(join(root, 'taesd.safetensors'));
  using loaded = await Autoencoder.load(engine, writeShards(fresh(), tensors, 2, { metadata }));
  const latents = Float32Array.from({ length: 16 }, (_, i) => i / 8 - 1);
  assert.equal(await loaded.decode(latents, 16), await saved.decode(latents, 16));
});

test('a CLIP folder in shards', async () => {
  const source = new URL('../parity/goldens/clip_transformers', import.meta.url).pathname, folder = fresh();
  cpSync(source, folder, { recursive: true });
  writeShards(folder, readSafetensors(join(folder, 'model.safetensors')).tensors, 3);
  rmSync(join(folder, 'model.safetensors'));
  const sharded = await openClip(engine, folder), whole = await openClip(engine, source);
  assert.is(sharded.weights, join(folder, 'model.safetensors.index.json'));
  assert.equal([sharded.image, sharded.text], [whole.image, whole.text]);
});

test('a model folder of transformers in shards', async () => {
  const source = new URL('../parity/goldens/folder_vit', import.meta.url).pathname, folder = fresh();
  cpSync(source, folder, { recursive: true });
  writeShards(folder, readSafetensors(join(folder, 'model.safetensors')).tensors, 3);
  rmSync(join(folder, 'model.safetensors'));
  const logits: Float32Array[] = [];
  for (const path of [source, folder]) {
    const { weights, spec: { inputSize, ...spec }, keyNames, labels } = await describeClassifierFolder(engine, path);
    using model = await Classifier.load(engine, weights, { spec: { ...spec, imageSize: inputSize, numClasses: labels!.length }, classes: labels! }, { keyNames });
    logits.push(await model.logits(Uint8Array.from({ length: inputSize * inputSize * 3 }, (_, i) => (i * 91) % 256)));
  }
  assert.equal(logits[1], logits[0]);
});

// ---------------------------------------------------------------- what is refused

/** Shards in a folder of their own, changed by `damage`; the message must have all of `says`. */
function refused(name: string, code: 'weights' | 'io', damage: (folder: string, index: string) => void, says: string[]): void {
  test(`refused: ${name}`, async () => {
    const folder = fresh();
    const index = writeShards(folder, tensors, 2); // a and c, b and d
    damage(folder, index);
    const error = await failure(() => inspect(index), code);
    for (const part of says) assert.match(error.message, part);
    assert.ok(error.message.length < 1000, error.message);
  });
}

const map = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({ a: shard(1), b: shard(2), c: shard(1), d: shard(2), ...changes });

refused('a missing shard', 'io', (folder) => rmSync(join(folder, shard(2))), [`shard ${shard(2)} is missing`, 'index.json']);
refused('a tensor that a shard lacks', 'weights', (folder) => writeIndex(folder, map({ e: shard(1) })), [shard(1), 'lacks', '"e"']);
refused('many tensors that a shard lacks', 'weights', (folder) => writeIndex(folder, map(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`e${i}`, shard(1)])))), ['and 497 more']);
refused('a tensor in two shards', 'weights', (folder) => writeFileSync(join(folder, shard(2)), encodeSafetensors({ a: f32(1), b: f32(3), d: f32(7) })), ['"a"', shard(1), shard(2)]);
refused('a tensor of which the index says nothing', 'weights', (folder) => writeFileSync(join(folder, shard(2)), encodeSafetensors({ b: f32(3), d: f32(7), z: f32(1) })), ['"z"', shard(2)]);
refused('a shard that is cut short', 'weights', (folder) => writeFileSync(join(folder, shard(2)), readFileSync(join(folder, shard(2))).subarray(0, -1)), [shard(2)]);
refused('a shard that is a pickle', 'weights', (folder) => writeFileSync(join(folder, shard(2)), Buffer.from('\x80\x02}q\x00.'.padEnd(64), 'latin1')), [shard(2), 'pickle']);
refused('a shard that is a folder', 'io', (folder) => (rmSync(join(folder, shard(1))), mkdirSync(join(folder, shard(1)))), [shard(1), 'a folder']);
refused('an index that is its own shard', 'weights', (folder) => writeIndex(folder, map({ a: 'model.safetensors.index.json' })), ['model.safetensors.index.json']);
for (const name of ['../outside.safetensors', '/etc/passwd', 'sub/shard.safetensors', '..', '.', '', 'a\0b', './x']) {
  refused(`a shard named ${JSON.stringify(name)}`, 'weights', (folder) => writeIndex(folder, map({ a: name })), ['expected shards in the folder of the index', JSON.stringify(name)]);
}
for (const [name, text, says] of [
  ['an empty index', '', 'expected an object'],
  ['an index cut short', '{"metadata": {}, "weight_map": {"a": "b"', 'not valid'],
  ['no weight_map', '{"metadata": {"total_size": 3}}', 'expected a weight_map'],
  ['a tensor twice', `{"weight_map": {"a": "${shard(1)}", "a": "${shard(2)}"}}`, 'duplicate key "a"'],
  ['a weight_map that is a list', '{"weight_map": ["a"]}', 'expected an object'],
  ['a shard that is a number', '{"weight_map": {"a": 1}}', 'expected a string'],
  ['text behind the index', '{"weight_map": {}} x', 'text after'],
  ['metadata of endless depth', `{"metadata": ${'['.repeat(100_000)}`, 'nested too deep'],
  ['metadata with a broken number', '{"metadata": {"total_size": 1e}, "weight_map": {}}', 'expected a digit'],
  ['metadata with a leading zero', '{"metadata": {"total_size": 01}, "weight_map": {}}', 'not valid'],
  ['metadata with an unknown word', '{"metadata": {"a": nil}, "weight_map": {}}', 'expected a value'],
] as const) {
  refused(name, 'weights', (_, index) => writeFileSync(index, text), ['model.safetensors.index.json', says]);
}

test('a folder without weights, or with several, asks which', async () => {
  const folder = fresh();
  mkdirSync(folder);
  assert.match((await failure(() => inspect(folder), 'io')).message, 'found none');
  for (const name of ['a', 'b']) writeFileSync(join(folder, `${name}.safetensors`), encodeSafetensors(tensors));
  const { message } = await failure(() => inspect(folder), 'io');
  for (const part of [folder, '"a.safetensors"', '"b.safetensors"']) assert.match(message, part);
});

test.run();
