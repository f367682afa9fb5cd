/** What the head of a classifier takes: of every family, the logits are the head applied to it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { architecture } from '../../lib/config/architectures.js';
import { Classifier } from '../../lib/native/models.js';
import { dot, norm, relativeError, rows } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readSafetensors } from '../support/safetensors.js';
import { batch, classes, classifierSpec, failure, openEngine, randomImages, size, temporaryFolder, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const images = randomImages(5, 3);
const vit = { family: 'vit', patch: 8, dim: 12, depth: 1, heads: 2, mlpDim: 16 } as const;

const families = {
  cnn: { family: 'cnn', width: 4, stages: 2 },
  resnet: { family: 'resnet', layers: [1, 1], width: 8, stem: 'cifar' },
  vit,
  'vit of an average': { ...vit, pool: 'average' },
  'distilled vit': { ...vit, distilled: true },
  'image tower of CLIP': { ...vit, preNorm: true, projection: 10 },
  'tiny-vit': { family: 'tiny-vit', depths: [1, 1], dims: [8, 16], heads: [2], windows: [2] },
  convnext: { family: 'convnext', depths: [1, 1], dims: [8, 16] },
  'mobilenet-v3': { family: 'mobilenet-v3', size: 'small', width: 0.5 },
  efficientnet: { family: 'efficientnet', width: 0.25, depth: 0.5 },
} as const;

for (const [name, options] of Object.entries(families)) {
  test(`the logits are the head of the features, ${name}`, async () => {
    const path = join(folder, `${name}.safetensors`);
    using first = await Classifier.create(engine, { ...classifierSpec, architecture: architecture.parse(options) }, classes, 4);
    await first.save(path);
    const { tensors, metadata } = readSafetensors(path);
    const heads = Object.keys(tensors).filter((key) => /(^|\.)(fc|head|head_dist|classifier)\.weight$/.test(key) && tensors[key].shape[0] === classes.length).map((key) => key.replace(/\.weight$/, ''));
    assert.is(heads.length, name === 'distilled vit' ? 2 : 1, `${heads}`);
    // Two heads that are equal see the mean of what they take.
    const [weight, bias] = ['weight', 'bias'].map((part) => tensors[`${heads[0]}.${part}`]);
    bias.values.set([0.3, -0.2]);
    for (const head of heads) Object.assign(tensors, { [`${head}.weight`]: weight, [`${head}.bias`]: bias });
    writeFileSync(path, encodeSafetensors(tensors, metadata));
    using classifier = await Classifier.load(engine, path);

    const features = rows(await classifier.features(images), weight.shape[1]);
    assert.is(features.length, 3);
    assert.ok(features.every((row) => norm(row) > 0) && relativeError(features[0], features[1]) > 1e-4, 'features tell images apart');
    const expected = features.flatMap((row) => rows(weight.values as Float32Array, row.length).map((column, k) => dot(column, row) + bias.values[k]));
    const error = relativeError(await classifier.logits(images), expected);
    assert.ok(error < 1e-5, `${error}`);
    if (name === 'image tower of CLIP') for (const row of features) assert.ok(Math.abs(norm(row) - 1) < 1e-5);
  });
}

test('features are those of the weights as they are, in either precision, before and after training', async () => {
  using classifier = await tinyClassifier(engine, 7);
  const before = await classifier.features(images);
  const inBf16 = () => core.features(classifier.handle, images, { precision: 'bf16' });
  const rounded = relativeError(await inBf16(), before);
  assert.ok(rounded > 0 && rounded < 0.02, `${rounded}`);
  assert.equal(await classifier.features(images), before);

  const trainer = await core.createClassifierTrainer(classifier.handle, null, { ...trainerOptions(), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 });
  const { images: seen, labels } = batch(1);
  await core.trainStep(trainer, seen, labels, { learningRate: 0.1, step: 0 });
  const after = new Classifier(engine, core.trainedModel(trainer), classifier.spec, classes);
  const path = join(folder, 'trained.safetensors');
  await after.save(path);
  using loaded = await Classifier.load(engine, path);
  assert.ok(relativeError(await after.features(images), before) > 1e-3);
  assert.equal(await after.features(images), await loaded.features(images));
});

test('a TorchScript network has no features that are known', async () => {
  const spec = { numClasses: 2, imageSize: size, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
  const path = goldenPath('torchscript_scripted').replace(/\.safetensors$/, '.pt');
  const script = await Classifier.openTorchScript(engine, path, spec, classes);
  assert.match((await failure(() => script.features(images), 'weights')).message, /no features that are known/);
});

test.run();
