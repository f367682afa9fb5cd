/** Classifiers against timm (ResNets have the names of torchvision too): the same weights under the same names, the same
 * logits and gradients. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import type { Architecture } from '../../lib/native/contract.js';
import { relativeError } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readGolden, readSafetensors } from '../support/safetensors.js';
import { device, failure, openEngine, temporaryFolder, trainerOptions } from '../support/tiny.js';

interface Case {
  architecture: Architecture;
  /** Largest error of the gradient in bf16: about what timm itself has, where rounding flips ReLUs. */
  bf16Gradient: number;
  /** Likewise of the logits; by default 0.03. */
  bf16Logits?: number;
}

const vit = (golden: string, more: Partial<Extract<Architecture, { family: 'vit' }>> = {}): Case => {
  const { config } = readGolden<{ patch_size: number; embed_dim: number; depth: number; num_heads: number; mlp_ratio: number }>(`${golden}_case`);
  return {
    architecture: {
      family: 'vit', patch: config.patch_size, dim: config.embed_dim, depth: config.depth, heads: config.num_heads, mlpDim: config.embed_dim * config.mlp_ratio,
      registers: 0, distilled: false, layerScale: false, prefixPositions: true, preNorm: false, projection: 0, pool: 'token', activation: 'gelu', normEps: 1e-6, ...more,
    },
    bf16Gradient: 0.05,
  };
};
const resnet = (golden: string): Case => {
  const { config } = readGolden<{ block: 'BasicBlock' | 'Bottleneck'; layers: number[]; channels: number[]; cifar_stem: boolean }>(`${golden}_case`);
  return {
    architecture: { family: 'resnet', layers: config.layers, width: config.channels[0], bottleneck: config.block === 'Bottleneck', stem: config.cifar_stem ? 'cifar' : 'imagenet' },
    bf16Gradient: 0.45, // eager PyTorch autocast is 0.34 off as well
  };
};
const convnext = readGolden<{ depths: number[]; dims: number[] }>('convnext_case').config;
const tinyVit = (golden: string): Case => {
  interface Config { embed_dims: number[]; depths: number[]; num_heads: number[]; window_sizes: number[]; bf16?: { logits: number; gradient: number } }
  const { embed_dims: dims, depths, num_heads, window_sizes, bf16 = { logits: 0, gradient: 0 } } = readGolden<Config>(golden).config;
  return {
    architecture: { family: 'tiny-vit', dims, depths, heads: num_heads.slice(1), windows: window_sizes.slice(1) },
    bf16Gradient: 2 * bf16.gradient,
    bf16Logits: 2 * bf16.logits,
  };
};
const mobilenet = (size: 'small' | 'large'): Architecture => ({ family: 'mobilenet-v3', size, width: readGolden<{ width: number }>(`mobilenet_v3_${size}_case`).config.width });
const efficientnet = readGolden<{ width: number; depth: number }>('efficientnet_case').config;

const cases: Record<string, Case> = {
  resnet_basic: resnet('resnet_basic'),
  resnet_bottleneck: resnet('resnet_bottleneck'),
  resnet_cifar: resnet('resnet_cifar'),
  vit_token: vit('vit_token'),
  vit_distilled: vit('vit_distilled', { distilled: true }),
  vit_registers: vit('vit_registers', { registers: 3, prefixPositions: false, layerScale: true }),
  vit_average: vit('vit_average', { pool: 'average' }),
  vit_clip: vit('vit_clip', { preNorm: true, activation: 'quick-gelu', normEps: 1e-5 }),
  tiny_vit: tinyVit('tiny_vit_case'),
  convnext: { architecture: { family: 'convnext', depths: convnext.depths, dims: convnext.dims }, bf16Gradient: 0.05 },
  mobilenet_v3_large: { architecture: mobilenet('large'), bf16Gradient: 0.5 },
  mobilenet_v3_small: { architecture: mobilenet('small'), bf16Gradient: 0.35 }, // by the input: the median of thirty is 0.14, the largest 0.22
  efficientnet: { architecture: { family: 'efficientnet', width: efficientnet.width, depth: efficientnet.depth }, bf16Gradient: 0.1 },
};

/** Files that timm has loaded into a network for another size of the input, or of the windows. */
const resampled: Record<string, { file: string; architecture: Architecture }> = {
  vit_token_40px: { file: 'vit_token', architecture: cases.vit_token!.architecture },
  vit_distilled_24px: { file: 'vit_distilled', architecture: cases.vit_distilled!.architecture },
  vit_registers_48px: { file: 'vit_registers', architecture: cases.vit_registers!.architecture },
  vit_clip_16px: { file: 'vit_clip', architecture: cases.vit_clip!.architecture },
  tiny_vit_windows_case: { file: 'tiny_vit', architecture: tinyVit('tiny_vit_windows_case').architecture },
};

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();

for (const [name, { architecture, bf16Gradient, bf16Logits = 0.03 }] of Object.entries(cases)) {
  const { config, tensors } = readGolden<{ num_classes: number }>(`${name}_case`);
  const floats = (tensor: string) => tensors[tensor].values as Float32Array;
  const load = async ({ numClasses = config.num_classes, newHead = false } = {}) => {
    const model = await core.createClassifier({
      architecture, numClasses, imageSize: tensors.x.shape[3], device, seed: 0,
      mean: [0, 0, 0], std: [1, 1, 1], // the case's x is what the network itself takes
    });
    await core.loadWeights(model, goldenPath(name), { newHead });
    return model;
  };
  const errors = async (precision: 'fp32' | 'bf16') => {
    const { logits, gradient } = await core.classifierGradient(await load(), { x: floats('x'), direction: floats('cotangent'), precision });
    return { logits: relativeError(logits, floats('y')), gradient: relativeError(gradient, floats('dx')) };
  };

  test(`${name}: logits and gradient with respect to the input`, async () => {
    const { logits, gradient } = await errors('fp32');
    assert.ok(logits < 1e-5, `logits: ${logits}`);
    assert.ok(gradient < 1e-5, `gradient: ${gradient}`);
  });

  test(`${name}: bf16 is close`, async () => {
    const { logits, gradient } = await errors('bf16');
    assert.ok(logits < bf16Logits, `logits: ${logits}`);
    assert.ok(gradient < bf16Gradient, `gradient: ${gradient}`);
  });

  test(`${name}: trains, also in bf16 and as a copy with a moving average`, async () => {
    const imageSize = tensors.x.shape[3];
    const random = stream(1, 'images');
    const images = Uint8Array.from({ length: 8 * imageSize ** 2 * 3 }, () => random.integer(256));
    const labels = Int32Array.from({ length: 8 }, (_, i) => i % config.num_classes);
    const options = { ...trainerOptions({ precision: 'bf16', emaDecay: 0.5 }), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 };
    const trainer = await core.createClassifierTrainer(await load(), null, options);
    const losses: number[] = [];
    for (let step = 0; step < 20; step++) losses.push((await core.trainStep(trainer, images, labels, { learningRate: 2e-3, step })).loss);
    assert.ok(losses.at(-1)! < 0.8 * losses[0], `${losses}`);
    const logits = await core.predict(core.trainedModel(trainer), images, { precision: 'fp32' });
    assert.ok(logits.every(Number.isFinite));
  });

  test(`${name}: weights are saved under the names of timm`, async () => {
    const path = join(folder, `${name}.safetensors`);
    await core.saveWeights(await load(), path, {}, 'fp32');
    assert.equal(readSafetensors(path).tensors, readSafetensors(goldenPath(name)).tensors);
  });

  test(`${name}: other classes take a new head, and nothing else`, async () => {
    const path = join(folder, `${name}-3.safetensors`);
    await core.saveWeights(await load({ numClasses: 3, newHead: true }), path, {}, 'fp32');
    const [found, expected] = [readSafetensors(path).tensors, readSafetensors(goldenPath(name)).tensors];
    const changed = Object.keys(expected).filter((key) => JSON.stringify(found[key].shape) !== JSON.stringify(expected[key].shape));
    assert.ok(changed.length > 0 && changed.every((key) => /^(fc|head|head_dist|head\.fc|classifier)\.(weight|bias)$/.test(key)), `${changed}`);
    for (const key of changed) assert.is(found[key].shape[0], 3);
    for (const key of Object.keys(expected)) if (!changed.includes(key)) assert.equal(found[key], expected[key], key);
    const { message } = await failure(() => engine.run(() => load({ numClasses: 3 })), 'weights');
    for (const key of changed) assert.match(message, `${key}: expected Float [3`);
  });
}

for (const [name, { file, architecture }] of Object.entries(resampled)) {
  test(`${name}: what depends on the size of the input is resampled as by timm`, async () => {
    const { config, tensors } = readGolden<{ num_classes: number }>(name);
    const spec = { architecture, numClasses: config.num_classes, imageSize: tensors.x.shape[3], mean: [0, 0, 0] as const, std: [1, 1, 1] as const };
    const model = await core.createClassifier({ ...spec, device, seed: 0 });
    await core.loadWeights(model, goldenPath(file), { newHead: false });
    const { logits, gradient } = await core.classifierGradient(model, { x: tensors.x.values as Float32Array, direction: tensors.cotangent.values as Float32Array, precision: 'fp32' });
    const errors = [relativeError(logits, tensors.y.values), relativeError(gradient, tensors.dx.values)];
    assert.ok(errors.every((error) => error < 1e-5), `${errors}`);
  });
}

test('position embeddings of no square grid, or of other channels, are refused', async () => {
  const { tensors } = readSafetensors(goldenPath('vit_token'));
  const [, positions, dim] = tensors.pos_embed.shape;
  const complaint = async (...shape: number[]): Promise<string> => {
    const values = new Float32Array(shape.reduce((product, size) => product * size));
    const path = join(folder, 'positions.safetensors');
    writeFileSync(path, encodeSafetensors({ ...tensors, pos_embed: { dtype: 'F32', shape, values } }));
    const model = await core.createClassifier({ architecture: cases.vit_token!.architecture, numClasses: 5, imageSize: 32, mean: [0, 0, 0], std: [1, 1, 1], device, seed: 0 });
    return (await failure(() => engine.run(() => core.loadWeights(model, path, { newHead: false })), 'weights')).message;
  };
  for (const shape of [[1, positions + 1, dim], [1, 1, dim], [1, 10, dim + 1], [10, 1, dim], [1, 0, dim]]) {
    assert.match(await complaint(...shape), `pos_embed: expected Float [1, ${positions}, ${dim}], found Float [${shape.join(', ')}]`);
  }
});

test('class and register tokens start apart from each other, close to zero', async () => {
  const model = await core.createClassifier({ architecture: cases.vit_registers!.architecture, numClasses: 5, imageSize: 32, mean: [0, 0, 0], std: [1, 1, 1], device, seed: 0 });
  const path = join(folder, 'tokens.safetensors');
  await core.saveWeights(model, path, {}, 'fp32');
  const { cls_token, reg_token } = readSafetensors(path).tensors;
  const values = [...cls_token.values, ...reg_token.values];
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  assert.ok(deviation > 0.7e-6 && deviation < 1.3e-6, `${deviation}`);
});

test.run();
