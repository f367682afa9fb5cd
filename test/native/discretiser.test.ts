/** Discretisers that are given: by a file of ours, of another project, or a model folder of diffusers; and what they measure. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import type { Config } from '../../lib/config/schema.js';
import { MemoryDataset } from '../../lib/data/memory.js';
import { discretise, openDiscretiser } from '../../lib/methods/discretiser.js';
import { measureDiscretiser } from '../../lib/methods/discretiser-measures.js';
import { Autoencoder } from '../../lib/native/models.js';
import { goldenPath, readGolden } from '../support/safetensors.js';
import { failure, openEngine, pixels, randomImages, size, temporaryFolder, tinyClassifier } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const images = randomImages(1, 6);
const given = (discretiser: object): Config['discretiser'] => resolveConfig({ discretiser }).discretiser;
const open = (discretiser: object, imageSize = size): Promise<Autoencoder> => openDiscretiser(engine, given(discretiser), { imageSize });
const spec = { kind: 'vqgan', blockChannels: [8, 16], attention: [0, 1], layersPerBlock: 2, normGroups: 4, latentChannels: 6, numCodes: 200, codeChannels: 4 } as const;

/** The golden VQGAN as a model folder of diffusers. */
function modelFolder(name: string, changes: object = {}): string {
  const path = join(folder, name);
  mkdirSync(path);
  copyFileSync(goldenPath('vqgan'), join(path, 'diffusion_pytorch_model.safetensors'));
  const { config } = readGolden<{ block_out_channels: number[] }>('vqgan');
  writeFileSync(join(path, 'config.json'), JSON.stringify({ _class_name: 'VQModel', _diffusers_version: '0.42.1', act_fn: 'silu', scaling_factor: 0.18215, norm_type: 'group', ...config, ...changes }));
  return path;
}

test('a model folder of diffusers and a file of ours give the same codes and images', async () => {
  using fromFolder = await open({ pretrained: { path: modelFolder('vq') } });
  assert.equal(fromFolder.spec, spec);
  const path = join(folder, 'own.safetensors');
  await fromFolder.save(path);
  using own = await open({ weights: path });
  const [found, expected] = [await discretise(own, images, size), await discretise(fromFolder, images, size)];
  assert.equal(found, expected);
  assert.is(found.codes.length, 6 * (size / 2) ** 2);
  assert.is(found.images.length, images.length);
});

test('what does not fit is refused', async () => {
  const says = async (work: () => Promise<unknown>, code: 'config' | 'weights' | 'io', pattern: RegExp): Promise<void> => assert.match((await failure(work, code)).message, pattern);
  const path = join(folder, 'kl.safetensors');
  using kl = await Autoencoder.create(engine, { kind: 'kl', blockChannels: [4, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 2, latentChannels: 4, scalingFactor: 1 }, 1);
  await kl.save(path);
  await says(() => open({ weights: path }), 'weights', /kl\.safetensors: expected an autoencoder of kind vqgan, found one of kind kl/);
  await says(() => open({ weights: path, pretrained: { path } }), 'config', /expected weights or pretrained, found both/);
  await says(() => open({ weights: goldenPath('vqgan') }), 'weights', /expected an autoencoder, found a file without a description/);
  await says(() => open({ pretrained: { path: goldenPath('vqgan') } }), 'weights', /missing/); // no vq-f8
  await says(() => open({ pretrained: { path: modelFolder('odd') } }, 15), 'config', /2 levels need an image size divisible by 2, found 15/);
  await says(() => open({ pretrained: { path: modelFolder('spatial', { norm_type: 'spatial' }) } }), 'config', /config\.json: norm_type: expected one of group, found "spatial"/);
  await says(() => open({ pretrained: { path: modelFolder('movq', { num_resnets: 2 }) } }), 'config', /unknown option 'num_resnets'/);
  await says(() => open({ pretrained: { path: modelFolder('kl', { _class_name: 'AutoencoderKL' }) } }), 'config', /_class_name: expected one of VQModel, found "AutoencoderKL"/);
  await says(() => open({ pretrained: { path: modelFolder('lopsided', { up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D'] }) } }), 'config', /attention at the same levels/);
  await says(() => open({ weights: join(folder, 'nothing.safetensors') }), 'io', /nothing\.safetensors/);
});

test('the measures are their definitions', async () => {
  using model = await Autoencoder.create(engine, spec, 3);
  using teacher = await tinyClassifier(engine, 2);
  const labels = Int32Array.of(0, 1, 0, 1, 0, 1), attributeOf = Int32Array.of(0, 0, 1, 1, 0, 1);
  const dataset = new MemoryDataset({ name: 'six', classes: ['dark', 'bright'], attributes: ['a', 'b'], imageSize: size, labels, attributeOf, pixels: images });
  const measures = await measureDiscretiser(model, teacher, dataset);
  const { images: discretised, codes } = await discretise(model, images, size);
  const decibel = (squares: number[]): number => 10 * Math.log10(255 ** 2 / (squares.reduce((sum, square) => sum + square, 0) / squares.length));
  const near = (found: number, expected: number, what: string): void => assert.ok(Math.abs(found / expected - 1) < 1e-9, `${what}: ${found}, expected ${expected}`);
  near(measures.psnr, decibel(Array.from(images, (value, i) => (value - discretised[i]!) ** 2)), 'PSNR');
  const means = Array.from({ length: 6 }, (_, image) => [0, 1, 2].map((channel) => Array.from(images.subarray(image * pixels, (image + 1) * pixels)).filter((_, i) => i % 3 === channel).reduce((sum, value) => sum + value, 0) / size ** 2));
  near(measures.psnrOfMeanColour, decibel(Array.from(images, (value, i) => (value - means[Math.floor(i / pixels)]![i % 3]!) ** 2)), 'PSNR of the mean colour');
  assert.equal([measures.codesUsed, measures.numCodes], [new Set(codes).size, 200]);
  const classOf = async (of: Uint8Array): Promise<number[]> => Array.from(await teacher.logits(of)).reduce<number[]>((found, value, i, all) => (i % 2 ? [...found, value > all[i - 1]! ? 1 : 0] : found), []);
  const [before, after] = [await classOf(images), await classOf(discretised)];
  near(1 + measures.teacher.agreement, 1 + before.filter((label, i) => label === after[i]).length / 6, 'agreement');
  const mean = (predicted: number[]): number => [[0, 4], [1], [2], [3, 5]].reduce((sum, group) => sum + group.filter((i) => predicted[i] === labels[i]).length / group.length / 4, 0);
  near(1 + measures.teacher.images.meanGroupAccuracy, 1 + mean(before), 'accuracy on x');
  near(1 + measures.teacher.discretised.meanGroupAccuracy, 1 + mean(after), 'accuracy on Q(x)');
});

test.run();
