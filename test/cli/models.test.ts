/** `sparring models`: what it prints, and that what it converts is what was given. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { describeClassifierFolder } from '../../lib/classifiers/folder.js';
import { autoencoderSpecs } from '../../lib/config/autoencoders.js';
import { Autoencoder, Classifier } from '../../lib/native/models.js';
import { cli, lastLine } from '../support/cli.js';
import { encodeSafetensors, readSafetensors, safetensorsBytes, type Tensor } from '../support/safetensors.js';
import { writeShards } from '../support/shards.js';
import { openEngine, temporaryFolder, tinyClassifier } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** One error, without a stack, and the exit code. */
function expectFailure(args: string[], exitCode: number, message: RegExp): void {
  const { status, stdout, stderr } = cli(args);
  assert.is(status, exitCode, stderr);
  assert.is(stdout, '');
  assert.match(stderr, message);
  assert.not.match(stderr, /\n\s+at /);
}

function succeed(args: string[]): string {
  const { status, stdout, stderr } = cli(args);
  assert.is(status, 0, stderr);
  return stdout;
}

// A classifier of timm: ResNet-20 for CIFAR with five classes, random, and none of our description.
const foreign = at('cifar_resnet20.safetensors');
const made = await Classifier.create(engine, {
  architecture: { family: 'resnet', layers: [3, 3, 3], width: 16, bottleneck: false, stem: 'cifar' }, numClasses: 5, imageSize: 32, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225],
}, ['0', '1', '2', '3', '4'], 3);
await made.save(at('made.safetensors'));
const { tensors } = readSafetensors(at('made.safetensors'));
writeFileSync(foreign, encodeSafetensors(tensors, { format: 'pt', author: 'someone' }));
const images = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * 37) % 256);
const expected = await made.logits(images);

test('list names every network with its parameters', () => {
  const text = succeed(['models', 'list']);
  for (const part of [/\| resnet50 .*25,557,032/, /\| sd .*83,653,863/, /\| stable-diffusion-1 .*859,520,964/, /\| cifar_resnet20 .*32 px/]) assert.match(text, part);
  const listed = lastLine(succeed(['models', 'list', '--json']));
  assert.equal(listed[0], { kind: 'classifier', name: 'resnet18', imageSize: 224, parameters: 11_689_512, weights: listed[0].weights });
});

test('inspect shows the tensors of a file, and the network when it is known', () => {
  const text = succeed(['models', 'inspect', foreign]);
  assert.match(text, /author +\| someone/);
  assert.match(text, /\| conv1 +\| weight \[16, 3, 3, 3\] +\| Float +\| +432 \| +1\.69 KiB \|/);
  assert.not.match(text, 'FLOPs');

  const { weights, network } = lastLine(succeed(['models', 'inspect', foreign, '--architecture', 'cifar_resnet20', '--json']));
  assert.equal(weights.files, [foreign]);
  assert.is(weights.layers.find(({ name }: { name: string }) => name === 'fc').elements, 5 * 64 + 5);
  assert.equal([network.kind, network.input, network.layers.at(-1).output], ['classifier', [3, 32, 32], [1, 5]]);
  assert.ok(network.flops > 80e6 && network.flops < 83e6, `ResNet-20 has about 41 M multiply-adds, found ${network.flops} FLOPs`);
  assert.match(succeed(['models', 'inspect', at('made.safetensors')]), /\| FLOPs per image +\| 8\d\.\d MFLOPs/);
});

test('inspect builds a network by its name', () => {
  const { weights, network } = lastLine(succeed(['models', 'inspect', 'mobilenetv3_small_100', '--image-size', '64', '--classes', '7', '--json']));
  assert.is(weights, undefined);
  assert.equal([network.input, network.layers.at(-1).output], [[3, 64, 64], [1, 7]]);
  expectFailure(['models', 'inspect', 'resnet5'], 2, /error \(usage\): .*'resnet5'\.\nDid you mean 'resnet50'/);
  expectFailure(['models', 'inspect', 'vit_tiny_patch16', '--image-size', '33'], 2, /error \(usage\)|error \(config\)/);
});

test('a converted classifier says what it is and gives the same logits', async () => {
  assert.match(succeed(['models', 'convert', foreign, at('ours.safetensors'), '--architecture', 'cifar_resnet20']), 'Wrote');
  using loaded = await Classifier.load(engine, at('ours.safetensors'));
  assert.equal(await loaded.logits(images), expected);
  assert.equal(loaded.spec, made.spec);
  assert.equal(loaded.classes, made.classes);
  assert.is(readSafetensors(at('ours.safetensors')).metadata.author, 'someone');
  assert.equal(readdirSync(folder).filter((name) => name.includes('tmp')), []);
});

test('shards become one file, in another precision', async () => {
  const index = writeShards(at('shards'), tensors, 3);
  for (const [dtype, stored] of [['fp16', 'Half'], ['bf16', 'BFloat16'], ['fp32', 'Float']]) {
    succeed(['models', 'convert', index, at(`${dtype}.safetensors`), '--architecture', 'cifar_resnet20', '--classes', 'a,b,c,d,e', '--dtype', dtype]);
    const info = await engine.run((core) => core.inspectWeights(at(`${dtype}.safetensors`)));
    assert.is(info.tensors.find(({ name }) => name === 'conv1.weight')!.dtype, stored);
  }
  using loaded = await Classifier.load(engine, at('fp32.safetensors'));
  assert.equal(loaded.classes, ['a', 'b', 'c', 'd', 'e']);
  assert.equal(await loaded.logits(images), expected);
});

test('a model folder of transformers is converted without being told what it is', async () => {
  const source = new URL('../parity/goldens/folder_vit', import.meta.url).pathname;
  succeed(['models', 'convert', source, at('vit.safetensors')]);
  using converted = await Classifier.load(engine, at('vit.safetensors'));
  const { weights, spec, keyNames } = await describeClassifierFolder(engine, source);
  const { inputSize, ...rest } = spec;
  using original = await Classifier.load(engine, weights, { spec: { ...rest, imageSize: inputSize, numClasses: converted.classes.length }, classes: [...converted.classes] }, { keyNames });
  const photographs = Uint8Array.from({ length: inputSize * inputSize * 3 }, (_, i) => (i * 91) % 256);
  assert.equal(await converted.logits(photographs), await original.logits(photographs));
});

test('autoencoders by their name', async () => {
  using original = await Autoencoder.create(engine, autoencoderSpecs.taesd, 5);
  await original.save(at('taesd-own.safetensors'));
  writeFileSync(at('taesd.safetensors'), encodeSafetensors(readSafetensors(at('taesd-own.safetensors')).tensors));
  succeed(['models', 'convert', at('taesd.safetensors'), at('taesd-ours.safetensors'), '--architecture', 'taesd']);
  using converted = await Autoencoder.load(engine, at('taesd-ours.safetensors'));
  const latents = Float32Array.from({ length: 16 }, (_, i) => i / 8 - 1);
  assert.equal(await converted.decode(latents, 16), await original.decode(latents, 16));
});

test('what cannot be converted is one error, and the target stays as it was', () => {
  writeFileSync(at('target.safetensors'), 'old');
  const to = at('target.safetensors');
  expectFailure(['models', 'convert', foreign, to], 2, /nothing says what network these weights are of\.\nGive --architecture/);
  expectFailure(['models', 'convert', foreign, to, '--architecture', 'resnet18'], 1, /error \(weights\): .*the weights do not fit/);
  expectFailure(['models', 'convert', foreign, to, '--architecture', 'ddpm-32'], 2, /expected a classifier or an autoencoder/);
  expectFailure(['models', 'convert', at('made.safetensors'), to, '--architecture', 'cifar_resnet20'], 2, /the file says itself/);
  expectFailure(['models', 'convert', foreign, at('target.bin'), '--architecture', 'cifar_resnet20'], 2, /ends in \.safetensors/);
  const large = { ...tensors, 'fc.bias': { ...tensors['fc.bias'], values: Float32Array.of(1e6, 0, 0, 0, 0) } };
  writeFileSync(at('large.safetensors'), encodeSafetensors(large));
  expectFailure(['models', 'convert', at('large.safetensors'), to, '--architecture', 'cifar_resnet20', '--dtype', 'fp16'], 1, /as fp16 elements are NaN or infinite: 1 of fc\.bias/);
  const { 'fc.weight': _, 'fc.bias': __, ...headless } = tensors;
  writeFileSync(at('headless.safetensors'), encodeSafetensors(headless));
  expectFailure(['models', 'convert', at('headless.safetensors'), to, '--architecture', 'cifar_resnet20'], 2, /no head.*\nGive --classes/);
  assert.is(readFileSync(to, 'utf8'), 'old');
  assert.equal(readdirSync(folder).filter((name) => name.includes('tmp')), []);
});

test('verify reads everything and prints checksums', () => {
  const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  const text = succeed(['models', 'verify', foreign]);
  assert.match(text, `${sha256(foreign)}  ${foreign}`);
  assert.match(text, 'nothing says what they are of');
  assert.match(succeed(['models', 'verify', foreign, '--architecture', 'cifar_resnet20']), 'they fit: classifier');
  const index = writeShards(at('verified'), tensors, 2);
  const result = lastLine(succeed(['models', 'verify', at('verified'), '--json']));
  assert.equal(result.files.map(({ path }: { path: string }) => path), [index, ...['1', '2'].map((n) => at(`verified/model-0000${n}-of-00002.safetensors`))]);
  for (const { path, sha256: found } of result.files) assert.is(found, sha256(path));
  assert.match(succeed(['models', 'verify', at('made.safetensors')]), 'they fit: classifier');
});

test('verify ends with one error for what is damaged, not a number, or does not fit', async () => {
  const put = (name: string, change: Record<string, Tensor>): string => (writeFileSync(at(name), encodeSafetensors({ ...tensors, ...change })), at(name));
  const bias = (...values: number[]): Tensor => ({ dtype: 'F32', shape: [5], values: Float32Array.from(values) });
  expectFailure(['models', 'verify', put('nan.safetensors', { 'fc.bias': bias(1, NaN, 2, Infinity, 3) })], 1, /elements are NaN or infinite: 2 of fc\.bias/);
  writeFileSync(at('half.safetensors'), safetensorsBytes({ a: { dtype: 'F16', shape: [2], data_offsets: [0, 4] }, b: { dtype: 'BF16', shape: [1], data_offsets: [4, 6] } }, Buffer.from('003c007c807f', 'hex')));
  expectFailure(['models', 'verify', at('half.safetensors')], 1, /1 of a, 1 of b/);
  writeFileSync(at('cut.safetensors'), readFileSync(foreign).subarray(0, -1));
  expectFailure(['models', 'verify', at('cut.safetensors')], 1, /error \(weights\): .*cut\.safetensors/);
  expectFailure(['models', 'verify', foreign, '--architecture', 'resnet18'], 1, /do not fit the model/);
  expectFailure(['models', 'verify', at('absent')], 1, /error \(io\): .*absent/);
  using tiny = await tinyClassifier(engine, 1);
  await tiny.save(at('tiny.safetensors'));
  const { metadata, tensors: own } = readSafetensors(at('tiny.safetensors'));
  writeFileSync(at('renamed.safetensors'), encodeSafetensors(Object.fromEntries(Object.entries(own).map(([name, tensor]) => [`x.${name}`, tensor])), metadata));
  expectFailure(['models', 'verify', at('renamed.safetensors')], 1, /missing \(/);
});

test('flags that do not fit', () => {
  mkdirSync(at('empty'), { recursive: true });
  expectFailure(['models'], 2, /Give a command|Not enough non-option arguments/);
  expectFailure(['models', 'inspect', at('empty')], 1, /found none in it/);
  expectFailure(['models', 'inspect', foreign, '--classes', '0'], 2, /--classes: expected at least 1/);
  expectFailure(['models', 'inspect', foreign, '--image-size', '1.5'], 2, /--image-size: expected a whole number/);
  expectFailure(['models', 'inspect', foreign, '--mean', '1,2'], 2, /--mean: expected three numbers/);
  expectFailure(['models', 'inspect', foreign, '--architecture', 'resnet51'], 2, /resnet51/);
});

test.run();
