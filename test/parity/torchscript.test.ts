/** TorchScript as a classifier: the outputs and gradients that PyTorch gives, and one clear error for whatever cannot be used. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { stream } from '../../lib/data/random.js';
import { loadClassifier, openTeacher } from '../../lib/methods/foundation.js';
import { makeFoundation } from '../../lib/methods/make-foundation.js';
import { Classifier } from '../../lib/native/models.js';
import { relativeError } from '../support/numeric.js';
import { goldenPath, readGolden } from '../support/safetensors.js';
import { failure, openEngine, temporaryFolder, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const classes = ['cat', 'dog'];
const plain = { numClasses: 2, imageSize: 16, mean: [0, 0, 0], std: [1, 1, 1] } as const;
const script = (name: string): string => new URL(`./goldens/torchscript_${name}.pt`, import.meta.url).pathname;
const open = (path: string, spec: Partial<Parameters<typeof Classifier.openTorchScript>[2]> = {}) => Classifier.openTorchScript(engine, path, { ...plain, ...spec }, classes);
const complaint = async (path: string, spec = {}): Promise<string> => {
  const { message, hint } = await failure(() => open(path, spec), 'weights');
  assert.not.match(message, /\n|frame #|Exception raised|\.cpp/, 'one line, without a backtrace');
  assert.match(message, path);
  assert.ok(hint);
  return message;
};

for (const name of ['scripted', 'traced']) {
  const { config, tensors } = readGolden<{ bf16: { logits: number; gradient: number } }>(`torchscript_${name}_case`);
  const compute = (model: Classifier, precision: 'fp32' | 'bf16') =>
    core.classifierGradient(model.handle, { x: tensors.x!.values as Float32Array, direction: tensors.cotangent!.values as Float32Array, precision });
  const errors = ({ logits, gradient }: { logits: Float32Array; gradient: Float32Array }) => ({ logits: relativeError(logits, tensors.y!.values), gradient: relativeError(gradient, tensors.dx!.values) });

  test(`${name}: logits and gradient with respect to the input`, async () => {
    const model = await open(script(name));
    const exact = await compute(model, 'fp32');
    const { logits, gradient } = errors(exact);
    assert.ok(logits < 1e-5 && gradient < 1e-5, `logits ${logits}, gradient ${gradient}`);
    assert.equal(exact.exact, Float32Array.of(1, 1), 'what may be inexact in it is so nowhere else');
    for (let call = 0; call < 3; call++) assert.equal(await compute(model, 'fp32'), exact, 'the same in every call');
    assert.equal(await compute(await model.clone(), 'fp32'), exact);
  });

  test(`${name}: bf16 is as close as PyTorch's, before and after fp32`, async () => {
    const model = await open(script(name));
    const first = await compute(model, 'bf16');
    const { logits, gradient } = errors(first);
    assert.ok(logits > 1e-4 && logits < 2 * config.bf16.logits, `logits ${logits}, reference ${config.bf16.logits}`);
    assert.ok(gradient > 1e-4 && gradient < 2 * config.bf16.gradient, `gradient ${gradient}, reference ${config.bf16.gradient}`);
    assert.ok(errors(await compute(model, 'fp32')).logits < 1e-5);
    assert.equal(await compute(model, 'bf16'), first);
  });
}

test('a network with fp32 written into its code runs in fp32', async () => {
  const model = await open(script('onlyfp32'));
  const x = Float32Array.from({ length: 3 * 256 }, (_, i) => (i % 97) / 97);
  const compute = (precision: 'fp32' | 'bf16') => core.classifierGradient(model.handle, { x, direction: Float32Array.of(1, -1), precision });
  assert.equal(await compute('bf16'), await compute('fp32'));
});

test('images are normalised as declared', async () => {
  const [mean, std] = [[0.2, 0.4, 0.6], [0.5, 0.25, 0.125]] as const;
  const images = Uint8Array.from({ length: 2 * 16 * 16 * 3 }, (_, i) => (i * 31) % 256);
  const found = await (await open(script('traced'), { mean, std })).logits(images);
  const x = new Float32Array(images.length); // NCHW
  for (let i = 0; i < images.length; i++) {
    const [image, pixel, c] = [Math.floor(i / 768), Math.floor(i / 3) % 256, i % 3];
    x[(image * 3 + c) * 256 + pixel] = (images[i]! / 255 - mean[c]!) / std[c]!;
  }
  const { logits } = await core.classifierGradient((await open(script('traced'))).handle, { x, direction: new Float32Array(4), precision: 'fp32' });
  assert.ok(relativeError(found, logits) < 1e-5);
});

test('what a network takes and gives is tried when it is opened', async () => {
  assert.match(await complaint(script('traced'), { imageSize: 20 }), /does not take batches of images of 20 px: .+128.+200/);
  assert.match(await complaint(script('scripted'), { numClasses: 3 }), /expected 3 outputs, one for each class of the data, found 2/);
  assert.match(await complaint(script('pair')), /expected logits, one tensor \[images, classes\], found Tuple/);
  assert.match(await complaint(script('centred')), /depends on chance or on the other images, as in training mode/);
});

test('where no gradient reaches the images, a network still is a teacher', async () => {
  const model = await open(script('detached'));
  const pixels = new Uint8Array(16 * 16 * 3).fill(90);
  assert.ok((await model.logits(pixels)).every(Number.isFinite));
  const gradient = () => engine.run(() => core.classifierGradient(model.handle, { x: new Float32Array(3 * 256), direction: new Float32Array(2), precision: 'fp32' }));
  assert.match((await failure(gradient, 'weights')).message, /torchscript_detached\.pt: no gradient reaches the input/);
});

test('a file that holds no network gives one error that says so', async () => {
  assert.match(await complaint(script('weights')), /expected TorchScript, found an archive without the code of a network, as torch\.save writes it/);
  assert.match(await complaint(goldenPath('vit_token')), /expected TorchScript, which is a zip archive, found something else/);
  await failure(() => open(join(folder, 'missing.pt')), 'io');
  await failure(() => open(folder), 'io');
  const whole = readFileSync(script('scripted'));
  const path = join(folder, 'cut.pt');
  for (const share of [0, 0.001, 0.3, 0.9, 0.999]) {
    writeFileSync(path, whole.subarray(0, Math.floor(share * whole.length)));
    await complaint(path);
  }
});

test('a weight that has changed is noticed', async () => {
  const bytes = readFileSync(script('traced'));
  const name = bytes.indexOf('torchscript_traced/data/0');
  bytes[name + bytes.readUInt16LE(name - 4) + bytes.readUInt16LE(name - 2)]! ^= 1; // after the name and a second field
  const path = join(folder, 'changed.pt');
  writeFileSync(path, bytes);
  assert.match(await complaint(path), /"torchscript_traced\/data\/0" in it is not as it was written/);
});

test('a damaged file is refused or, where the damage does not matter, opened', async () => {
  const whole = readFileSync(script('traced'));
  const path = join(folder, 'damaged.pt');
  const random = stream(5, 'damage');
  let refused = 0;
  for (let trial = 0; trial < 200; trial++) {
    const bytes = Buffer.from(whole);
    const count = 1 + random.integer(3);
    for (let i = 0; i < count; i++) bytes[random.integer(bytes.length)] = random.integer(256);
    writeFileSync(path, bytes);
    try {
      await open(path);
    } catch {
      await complaint(path);
      refused++;
    }
  }
  assert.ok(refused > 50, `${refused} of 200`);
});

test('a TorchScript network is neither trained nor saved', async () => {
  const [model, other] = [await open(script('traced')), await tinyClassifier(engine, 0, { imageSize: 16 })];
  const options = { ...trainerOptions(), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 };
  const refusal = /can be neither trained nor saved/;
  for (const headOnly of [false, true]) {
    assert.match((await failure(() => engine.run(() => core.createClassifierTrainer(model.handle, null, { ...options, headOnly })), 'weights')).message, refusal);
  }
  assert.match((await failure(() => model.save(join(folder, 'x.safetensors')), 'weights')).message, refusal);
  assert.match((await failure(() => engine.run(() => core.loadWeights(model.handle, goldenPath('vit_token'), { newHead: true })), 'weights')).message, refusal);
  await failure(() => Classifier.create(engine, model.spec, classes, 0), 'usage');
  assert.is(await engine.run(() => core.parameterCount(model.handle)), 392 + 256 + 258);

  const trainer = await core.createClassifierTrainer(other.handle, model.handle, options);
  const images = Uint8Array.from({ length: 4 * 16 * 16 * 3 }, (_, i) => (i * 31) % 256);
  const losses: number[] = [];
  for (let step = 0; step < 10; step++) losses.push((await core.trainStep(trainer, images, Int32Array.of(0, 1, 0, 1), { learningRate: 1e-2, step })).loss);
  assert.ok(losses.at(-1)! < losses[0]!, `${losses}`);
});

test('a config takes a TorchScript file as weights, not as what training starts from', async () => {
  const inputs = { classes, imageSize: 16 };
  const config = (teacher: object) => resolveConfig({ threads: 1, precision: 'fp32', device: 'cpu', data: { kind: 'birds', imageSize: 32, train: 8, test: 8, broad: 8 }, teacher });
  const normalised = { mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6] };
  const teacher = await openTeacher(engine, config({ weights: script('traced'), ...normalised }), inputs);
  assert.equal(teacher.spec, { ...plain, ...normalised, architecture: { family: 'torchscript' } });
  assert.equal(teacher.classes, classes);
  assert.match((await failure(() => openTeacher(engine, config({ start: script('traced') }), inputs), 'weights')).message, /expected safetensors to train on from, found TorchScript/);
  assert.match((await failure(() => makeFoundation(config({ weights: script('traced') })), 'weights')).message, /TorchScript, which cannot be saved with the foundation/);
  const { architecture, mean, std } = config({}).student;
  await failure(() => loadClassifier(engine, { architecture, mean, std }, join(folder, 'missing.pt'), inputs), 'io');
});

test.run();
