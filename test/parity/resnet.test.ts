/** ResNets against timm: basic blocks, bottlenecks and the CIFAR stem. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { relativeError } from '../support/numeric.js';
import { goldenPath, readGolden, readSafetensors } from '../support/safetensors.js';
import { openEngine, temporaryFolder } from '../support/tiny.js';

interface ResNetConfig {
  block: 'BasicBlock' | 'Bottleneck';
  layers: number[];
  channels: number[];
  num_classes: number;
  cifar_stem: boolean;
}

const { core } = await openEngine();
const folder = temporaryFolder();

for (const name of ['resnet_basic', 'resnet_bottleneck', 'resnet_cifar']) {
  const { config, tensors } = readGolden<ResNetConfig>(`${name}_case`);
  const floats = (tensor: string) => tensors[tensor].values as Float32Array;
  const create = () =>
    core.createClassifier({
      architecture: {
        family: 'resnet',
        layers: config.layers,
        width: config.channels[0],
        bottleneck: config.block === 'Bottleneck',
        stem: config.cifar_stem ? 'cifar' : 'imagenet',
      },
      numClasses: config.num_classes,
      imageSize: tensors.x.shape[3],
      mean: [0, 0, 0], // the case's x is what the network itself takes
      std: [1, 1, 1],
      device: 'cpu',
      seed: 0,
    });

  test(`${name}: logits and gradient with respect to the input`, async () => {
    const model = await create();
    await core.loadWeights(model, goldenPath(name), { newHead: false });
    const { logits, gradient } = await core.classifierGradient(model, { x: floats('x'), direction: floats('cotangent'), precision: 'fp32' });
    assert.ok(relativeError(logits, floats('y')) < 1e-5, `logits: ${relativeError(logits, floats('y'))}`);
    assert.ok(relativeError(gradient, floats('dx')) < 1e-5, `gradient: ${relativeError(gradient, floats('dx'))}`);
  });

  test(`${name}: bf16 is close`, async () => {
    const model = await create();
    await core.loadWeights(model, goldenPath(name), { newHead: false });
    const { logits, gradient } = await core.classifierGradient(model, { x: floats('x'), direction: floats('cotangent'), precision: 'bf16' });
    assert.ok(relativeError(logits, floats('y')) < 0.03, `logits: ${relativeError(logits, floats('y'))}`);
    // Rounding flips ReLUs, so gradients of random weights differ much: eager PyTorch autocast is 0.34 off as well.
    assert.ok(relativeError(gradient, floats('dx')) < 0.45, `gradient: ${relativeError(gradient, floats('dx'))}`);
  });

  test(`${name}: weights are saved under the names of timm and torchvision`, async () => {
    const model = await create();
    const path = join(folder, `${name}.safetensors`);
    await core.loadWeights(model, goldenPath(name), { newHead: false });
    await core.saveWeights(model, path, {}, 'fp32');
    assert.equal(readSafetensors(path).tensors, readSafetensors(goldenPath(name)).tensors);
  });
}

test.run();
