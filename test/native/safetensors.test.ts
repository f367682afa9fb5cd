/** Weights files: what is written is read back; what is foreign or does not fit is one error; a full disk loses nothing. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { ClassifierSpec } from '../../lib/native/contract.js';
import { Classifier, Generator } from '../../lib/native/models.js';
import { encodeSafetensors, goldenPath, readSafetensors, type Tensor } from '../support/safetensors.js';
import { batch, failure, generateOptions, openEngine, randomImages, temporaryFolder, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const write = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(at(name), bytes);
  return at(name);
};
const inspect = (path: string) => engine.run((core) => core.inspectWeights(path));
const images = randomImages(1, 4);

// ---------------------------------------------------------------- round trips

test('a classifier comes back exactly, with what it is', async () => {
  using saved = await tinyClassifier(engine, 1);
  await saved.save(at('exact.safetensors'), 'fp32', { note: 'caf\u00e9 "quoted" \\ \n \u{1f426}' });
  using loaded = await Classifier.load(engine, at('exact.safetensors'));
  assert.equal(await loaded.logits(images), await saved.logits(images));
  assert.equal(loaded.spec, saved.spec);
  assert.equal(loaded.classes, saved.classes);
  assert.is((await inspect(at('exact.safetensors'))).metadata.note, 'caf\u00e9 "quoted" \\ \n \u{1f426}');
});

test('a generator comes back exactly, with what it is', async () => {
  using saved = await tinyGenerator(engine, 1);
  await saved.save(at('generator.safetensors'));
  using loaded = await Generator.load(engine, at('generator.safetensors'));
  assert.equal((await loaded.generate({}, generateOptions())).images, (await saved.generate({}, generateOptions())).images);
  assert.equal(loaded.spec, saved.spec);
});

for (const [storage, dtype, precision] of [['fp16', 'Half', 2 ** -11], ['bf16', 'BFloat16', 2 ** -8]] as const) {
  test(`${storage} stores rounded weights in half the space`, async () => {
    using saved = await tinyClassifier(engine, 2);
    const half = at(`${storage}.safetensors`), full = at(`${storage}-full.safetensors`), again = at(`${storage}-again.safetensors`);
    await saved.save(half, storage);
    const { tensors } = await inspect(half);
    for (const tensor of tensors) assert.is(tensor.dtype, tensor.name.endsWith('num_batches_tracked') ? 'Long' : dtype, tensor.name);

    using loaded = await Classifier.load(engine, half);
    await saved.save(full);
    await loaded.save(again);
    const original = readSafetensors(full).tensors, rounded = readSafetensors(again).tensors;
    for (const [name, { values }] of Object.entries(rounded)) {
      values.forEach((value, i) => {
        const exact = original[name].values[i];
        assert.ok(Math.abs(value - exact) <= precision * Math.abs(exact) + 2 ** -24, `${name}: ${value}, stored ${exact}`);
      });
    }
    assert.not.equal(rounded, original);
    await loaded.save(again, storage);
    assert.equal(readFileSync(again), readFileSync(half), 'rounding twice is rounding once');
  });
}

test('inspection lists names, shapes and types', async () => {
  const path = write('list.safetensors', encodeSafetensors({
    'b.weight': { dtype: 'F32', shape: [2, 3], values: new Float32Array(6) },
    a: { dtype: 'I64', shape: [], values: Float64Array.of(7) },
    empty: { dtype: 'F64', shape: [0, 4], values: new Float64Array(0) },
  }, { format: 'pt' }));
  assert.equal(await inspect(path), {
    files: [path],
    metadata: { format: 'pt' },
    tensors: [
      { name: 'a', shape: [], dtype: 'Long' },
      { name: 'b.weight', shape: [2, 3], dtype: 'Float' },
      { name: 'empty', shape: [0, 4], dtype: 'Double' },
    ],
  });
});

// ---------------------------------------------------------------- files of other projects

const torchvision: ClassifierSpec = {
  architecture: { family: 'resnet', layers: [2, 1, 1, 1], width: 8, bottleneck: false, stem: 'imagenet' },
  numClasses: 5, imageSize: 32, mean: [0, 0, 0], std: [1, 1, 1],
};
const names = ['a', 'b', 'c', 'd', 'e'];
const golden = readSafetensors(goldenPath('resnet_basic')).tensors;
const loadGolden = (path: string) => Classifier.load(engine, path, { spec: torchvision, classes: names });

test('a file with the key names of torchvision loads when the architecture is given', async () => {
  for (const name of ['conv1.weight', 'bn1.running_mean', 'layer2.0.downsample.0.weight', 'fc.bias']) assert.ok(golden[name], name);
  using loaded = await loadGolden(goldenPath('resnet_basic'));
  await loaded.save(at('torchvision.safetensors'));
  assert.equal(readSafetensors(at('torchvision.safetensors')).tensors, golden);
});

test('double precision loads, and counters of batches may be missing', async () => {
  const doubled = Object.fromEntries(
    Object.entries(golden)
      .filter(([name]) => !name.endsWith('num_batches_tracked'))
      .map(([name, tensor]): [string, Tensor] => [name, { ...tensor, dtype: 'F64' }]),
  );
  using loaded = await loadGolden(write('double.safetensors', encodeSafetensors(doubled)));
  using expected = await loadGolden(goldenPath('resnet_basic'));
  const large = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * 37) % 256);
  assert.equal(await loaded.logits(large), await expected.logits(large));
});

test('without a description the file of another project asks for the architecture', async () => {
  const error = await failure(() => Classifier.load(engine, goldenPath('resnet_basic')), 'weights');
  assert.match(error.message, 'resnet_basic');
  assert.match(error.hint!, 'architecture');
  const generator = await tinyGenerator(engine, 1);
  await generator.save(at('kind.safetensors'));
  assert.match((await failure(() => Classifier.load(engine, at('kind.safetensors')), 'weights')).message, 'a generator');
});

test('every missing, unexpected and misshapen tensor is listed, and nothing is loaded', async () => {
  const { 'fc.bias': _, 'layer1.0.conv1.weight': renamed, ...rest } = golden;
  const path = write('unfit.safetensors', encodeSafetensors({
    ...rest,
    'layer1.0.convolution1.weight': renamed,
    'fc.weight': { dtype: 'F32', shape: [7, 64], values: new Float32Array(7 * 64) },
    'bn1.bias': { ...golden['bn1.bias'], dtype: 'I64', values: new Float64Array(8) },
  }));
  using classifier = await loadGolden(goldenPath('resnet_basic'));
  const error = await failure(() => engine.run((core) => core.loadWeights(classifier.handle, path, { newHead: false })), 'weights');
  for (const part of [path, 'missing (2)', 'fc.bias', 'layer1.0.conv1.weight', 'unexpected (1)', 'layer1.0.convolution1.weight', '(2):\n  bn1.bias', '[5, 64]', '[7, 64]', 'Long']) {
    assert.match(error.message, part);
  }
  await classifier.save(at('untouched.safetensors'));
  assert.equal(readSafetensors(at('untouched.safetensors')).tensors, golden);
});

// ---------------------------------------------------------------- writing

test('a failed write names the path and leaves nothing behind', async () => {
  using classifier = await tinyClassifier(engine, 1);
  mkdirSync(at('taken'), { recursive: true });
  for (const path of [at('no/such/folder.safetensors'), at('taken')]) {
    assert.match((await failure(() => classifier.save(path), 'io')).message, path);
  }
  assert.equal(readdirSync(folder).filter((name) => name.endsWith('.tmp')), []);
});

test('writing replaces the whole file', async () => {
  using small = await tinyClassifier(engine, 1);
  using large = await tinyClassifier(engine, 1, { architecture: { family: 'cnn', width: 8, stages: 2 } });
  for (const model of [large, small]) await model.save(at('replaced.safetensors'));
  await small.save(at('fresh.safetensors'));
  assert.equal(readFileSync(at('replaced.safetensors')), readFileSync(at('fresh.safetensors')));
});

/** Mounts a file system of 64 kB; undefined where that is not allowed. */
function smallDisk(): string | undefined {
  const path = at('disk');
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  process.prependListener('exit', () => execFileSync('umount', ['-l', path]));
  return path;
}

test('a full disk leaves the old file, whole, and no other', async () => {
  const disk = smallDisk();
  if (!disk) {
    console.log('skipped: a full disk (mounting a small one needs root)');
    return;
  }
  using small = await tinyClassifier(engine, 1);
  using large = await tinyClassifier(engine, 1, { architecture: { family: 'cnn', width: 32, stages: 3 } });
  const path = join(disk, 'weights.safetensors');
  await small.save(path);
  const before = readFileSync(path);
  const trainer = await core.createClassifierTrainer(large.handle, null, {
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, momentum: 0, weightDecay: 0 }, clipNorm: 0, emaDecay: 0, precision: 'fp32', seed: 0,
    augment: { flip: false, cropPadding: 0, zoom: 0, brightness: 0, contrast: 0, saturation: 0, hue: 0 }, mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0,
  });
  for (const work of [() => large.save(path), () => engine.run((core) => core.saveTrainer(trainer, path))]) {
    const error = await failure(work, 'io');
    assert.match(error.message, path);
    assert.match(error.message, 'No space left');
    assert.match(error.hint!, 'space');
    assert.equal(readFileSync(path), before);
    assert.equal(readdirSync(disk), ['weights.safetensors']);
  }
  const { images, labels } = batch(0, 4);
  const { loss } = await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0.01, step: 0 }));
  assert.ok(Number.isFinite(loss)); // training can go on
});

test.run();
