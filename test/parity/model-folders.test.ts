/** Classifiers in model folders: of transformers against transformers, of timm by what their config file says. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { describeClassifierFolder } from '../../lib/classifiers/folder.js';
import { loadClassifier } from '../../lib/methods/foundation.js';
import { resolveConfig } from '../../lib/config/load.js';
import { Classifier } from '../../lib/native/models.js';
import { relativeError } from '../support/numeric.js';
import { goldenPath, readGolden, readSafetensors } from '../support/safetensors.js';
import { failure, openEngine, temporaryFolder } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const golden = (name: string): string => new URL(`./goldens/folder_${name}`, import.meta.url).pathname;
const classes = ['land bird', 'water bird', 'fish'];
/** What a config says of a teacher by default: the folder says otherwise. */
const { teacher: described } = resolveConfig({});
const load = (path: string, names = classes, head = {}, imageSize = 32): Promise<Classifier> => loadClassifier(engine, described, path, { classes: names, imageSize }, head);

const gradientOf = (classifier: Classifier, name: string, direction: ArrayLike<number>) => {
  const { tensors } = readGolden(name);
  return core.classifierGradient(classifier.handle, { x: tensors.x.values as Float32Array, direction: Float32Array.from(direction), precision: 'fp32' });
};

for (const name of ['vit', 'deit', 'convnext', 'resnet_basic', 'resnet_bottleneck']) {
  test(`transformers' ${name}: logits and gradient, with the normalisation of its folder`, async () => {
    using classifier = await load(golden(name));
    const { tensors } = readGolden(`folder_${name}_case`);
    const { logits, gradient } = await gradientOf(classifier, `folder_${name}_case`, tensors.cotangent.values);
    const errors = [relativeError(logits, tensors.y.values), relativeError(gradient, tensors.dx.values)];
    assert.ok(errors.every((error) => error < 1e-5), `${errors}`);
  });
}

test("transformers' dinov2: its class token under a new head", async () => {
  using classifier = await load(golden('dinov2'), ['a', 'b'], { newHead: true, seed: 5 });
  const path = join(temporaryFolder(), 'saved.safetensors');
  await classifier.save(path);
  const { tensors: saved } = readSafetensors(path);
  const { tensors } = readGolden('folder_dinov2_case');
  const dim = tensors.y.shape[1];
  const { logits } = await gradientOf(classifier, 'folder_dinov2_case', new Float32Array(4));
  const expected = [0, 1].flatMap((image) => [0, 1].map((k) => {
    let sum = saved['head.bias'].values[k];
    for (let i = 0; i < dim; i++) sum += saved['head.weight'].values[k * dim + i] * tensors.y.values[image * dim + i];
    return sum;
  }));
  assert.ok(relativeError(logits, expected) < 1e-5, `${logits}, expected ${expected}`);
  const error = await failure(() => load(golden('dinov2')), 'weights'); // whose own head takes more
  assert.match(error.message, 'missing');
});

test('images of another size are resized to what the folder says', async () => {
  using classifier = await load(golden('vit'), classes, {}, 20);
  assert.equal([classifier.spec.imageSize, classifier.spec.inputSize], [20, 32]);
  assert.is((await classifier.logits(new Uint8Array(20 * 20 * 3))).length, 3);
});

/** A folder of timm with weights of a golden file. */
function timmFolder(config: object, weights?: string): string {
  const folder = join(temporaryFolder(), 'timm');
  mkdirSync(folder);
  const trained = { input_size: [3, 32, 32], mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6], interpolation: 'bicubic' };
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ num_classes: 1000, pretrained_cfg: trained, ...config }));
  if (weights) cpSync(goldenPath(weights), join(folder, 'model.safetensors'));
  return folder;
}

test("timm's names, with and without the size of the input", async () => {
  const describe = async (architecture: string, more: object = {}) => (await describeClassifierFolder(engine, timmFolder({ architecture, ...more }, 'vit_token'))).spec;
  const named = (architecture: string) => resolveConfig({ student: { architecture } }).student.architecture;
  for (const [theirs, ours] of [
    ['resnet18', 'resnet18'], ['convnext_tiny', 'convnext_tiny'], ['mobilenetv3_large_100', 'mobilenetv3_large_100'], ['vit_tiny_patch16_224', 'vit_tiny_patch16'],
    ['vit_small_patch32_384', 'vit_small_patch32'], ['deit_small_patch16_224', 'vit_small_patch16'], ['deit_base_distilled_patch16_384', 'deit_base_distilled_patch16'],
    ['vit_base_patch32_clip_quickgelu_224', 'vit_base_patch32_clip_quickgelu'],
  ]) {
    assert.equal((await describe(theirs)).architecture, named(ours), theirs);
  }
  assert.equal((await describe('vit_base_patch16_224', { global_pool: 'avg' })).architecture, { ...named('vit_base_patch16'), pool: 'average' });
  assert.is((await describe('vit_base_patch16_224', { model_args: { img_size: 64 } })).inputSize, 64);
  const refused = async (config: { architecture: string; model_args?: object }) => (await failure(() => load(timmFolder(config, 'vit_token')), 'weights')).message;
  assert.match(await refused({ architecture: 'vgg16' }), /config\.json: architecture: expected one of resnet18, .*found 'vgg16'/);
  assert.match(await refused({ architecture: 'resnet18', model_args: { output_stride: 8 } }), /model_args/);
});

test('labels come in the order of their numbers', async () => {
  const folder = join(temporaryFolder(), 'copy');
  cpSync(golden('vit'), folder, { recursive: true });
  const file = join(folder, 'config.json');
  const numbers = Array.from({ length: 12 }, (_, i) => i);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), id2label: Object.fromEntries(numbers.reverse().map((i) => [i, `class ${i}`])) }));
  assert.equal((await describeClassifierFolder(engine, folder)).labels, Array.from({ length: 12 }, (_, i) => `class ${i}`));
});

test('a folder of timm: normalisation and size are its own', async () => {
  const { architecture } = resolveConfig({ student: { architecture: 'mobilenetv3_small_100' } }).student;
  using made = await Classifier.create(engine, { architecture, numClasses: 3, imageSize: 32, mean: [0, 0, 0], std: [1, 1, 1] }, classes, 4);
  const folder = timmFolder({ architecture: 'mobilenetv3_small_100' });
  await made.save(join(folder, 'model.safetensors'));
  using classifier = await load(folder, classes, {}, 16);
  assert.equal([classifier.spec.mean, classifier.spec.std, classifier.spec.inputSize], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], 32]);
  assert.equal(classifier.spec.architecture, architecture);
});

test('the order of classes with the names of the data must be that of the data', async () => {
  const error = await failure(() => load(golden('vit'), ['fish', 'land bird', 'water bird']), 'weights');
  assert.match(error.message, 'expected the classes fish, land bird, water bird, found land bird, water bird, fish');
  (await load(golden('vit'), ['x', 'y', 'z']))[Symbol.dispose](); // other words: nothing is known of the order
  await failure(() => load(golden('vit'), ['fish', 'land bird', 'water bird'], { newHead: true }), 'weights'); // the head would fit, and mean something else
});

test('a folder that holds no classifier gives one error that says what is expected', async () => {
  const changed = (change: (folder: string) => void) => () => {
    const folder = join(temporaryFolder(), 'copy');
    cpSync(golden('vit'), folder, { recursive: true });
    change(folder);
    return load(folder);
  };
  const edit = (values: object) => (folder: string) => {
    const file = join(folder, 'config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...values }));
  };
  const cases: [() => Promise<unknown>, RegExp][] = [
    [changed((folder) => rmSync(join(folder, 'config.json'))), /expected config\.json beside the weights, found none/],
    [changed((folder) => writeFileSync(join(folder, 'config.json'), '{}')), /expected a config of transformers \(model_type\) or of timm \(architecture\)/],
    [changed(edit({ model_type: 'swin' })), /model_type/],
    [changed(edit({ qkv_bias: false })), /qkv_bias/],
    [changed(edit({ num_hidden_layers: 3 })), /vit\.encoder\.layer\.2/],
    [changed(edit({ num_attention_heads: 5 })), /heads/],
    [changed((folder) => writeFileSync(join(folder, 'preprocessor_config.json'), '{"image_std": [0, 1, 1]}')), /preprocessor_config\.json: image_std: expected numbers above 0/],
    [changed((folder) => writeFileSync(join(folder, 'preprocessor_config.json'), '{"size": {"height": "abc", "width": 8}}')), /preprocessor_config\.json: size/],
  ];
  for (const [work, message] of cases) assert.match((await failure(work, 'weights')).message, message);
  assert.match((await failure(changed((folder) => rmSync(join(folder, 'model.safetensors'))), 'io')).message, 'found none in it');
});

test('a folder with weights in two precisions: those of the usual name are read', async () => {
  const folder = join(temporaryFolder(), 'copy');
  cpSync(golden('vit'), folder, { recursive: true });
  cpSync(goldenPath('vit_token'), join(folder, 'model.fp16.safetensors')); // of another network
  (await load(folder))[Symbol.dispose]();
});

test.run();
