/** LPIPS on VGG16 against the authors' package: the same weights, the same distance and gradient; as a loss of the VQGAN; damaged files. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { Engine } from '../../lib/native/engine.js';
import { Lpips } from '../../lib/native/lpips.js';
import { Autoencoder } from '../../lib/native/models.js';
import { Trainer } from '../../lib/training/trainer.js';
import { resolveConfig } from '../../lib/config/load.js';
import { relativeError } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readGolden, readSafetensors, type Tensor } from '../support/safetensors.js';
import { batch, device, failure, noAugmentation, openEngine, size as tinySize, temporaryFolder } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const size = 32;
const { config, tensors: golden } = readGolden<{ bf16_errors: [distance: number, gradient: number] }>('lpips_case');
const floats = (name: string) => golden[name]!.values as Float32Array;
const file = goldenPath('lpips');

async function differentiate(on: Engine, path = file): Promise<{ distance: Float32Array; gradient: Float32Array }> {
  using lpips = await Lpips.load(on, path);
  return on.run((core) => core.lpipsGradient(lpips.handle, { images: floats('images'), targets: floats('targets'), size }));
}

function written(name: string, tensors: Record<string, Tensor>): string {
  const path = join(folder, `${name}.safetensors`);
  writeFileSync(path, encodeSafetensors(tensors));
  return path;
}

test('distance and gradient of the reference', async () => {
  const { distance, gradient } = await differentiate(engine);
  assert.ok(relativeError(distance, floats('distance')) < 1e-5, `distance ${distance[0]}, expected ${floats('distance')[0]}`);
  assert.ok(relativeError(gradient, floats('gradient')) < 1e-4, `gradient off by ${relativeError(gradient, floats('gradient'))}`);
});

test('in bf16 at most twice as far off as the reference', async () => {
  const { distance, gradient } = await differentiate(await Engine.open({ device, threads: 1, precision: 'bf16' }));
  assert.ok(relativeError(distance, floats('distance')) < 2 * config.bf16_errors[0], `distance ${distance[0]}, expected ${floats('distance')[0]}`);
  const error = relativeError(gradient, floats('gradient'));
  assert.ok(error > 0 && error < 2 * config.bf16_errors[1], `gradient off by ${error}, the reference by ${config.bf16_errors[1]}`);
});

test('the names that the package has twice are passed over', async () => {
  const { tensors } = readSafetensors(file);
  const doubled = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith('lin')).map(([name, tensor]) => [name.replace('lin', 'lins.'), tensor]));
  assert.is(Object.keys(doubled).length, 5);
  assert.equal(await differentiate(engine, written('doubled', { ...tensors, ...doubled })), await differentiate(engine));
});

test('files of other networks, and damaged ones', async () => {
  const { tensors } = readSafetensors(file);
  const { 'net.slice3.12.weight': middle, ...without } = tensors;
  assert.match((await failure(() => Lpips.load(engine, written('without', without)), 'weights')).message, /missing \(1\):\n {2}net\.slice3\.12\.weight: /);
  const { 'lin4.model.1.weight': head, ...headless } = tensors;
  const { 'net.slice5.28.weight': last, ...shallow } = tensors; // as those of AlexNet and SqueezeNet
  for (const [name, others, missing] of [['headless', headless, 'lin4.model.1.weight'], ['shallow', shallow, 'net.slice5.28.weight']] as const) {
    assert.match((await failure(() => Lpips.load(engine, written(name, others)), 'weights')).message, `expected LPIPS on VGG16, found no tensor ${missing}`);
  }
  await failure(() => Lpips.load(engine, goldenPath('resnet_cifar')), 'weights');
  await failure(() => Lpips.load(engine, join(folder, 'nothing.safetensors')), 'io');
});

test('as the loss of a VQGAN it is the distance of the reconstruction', async () => {
  const spec = { kind: 'vqgan', blockChannels: [8, 16], attention: [0, 0], layersPerBlock: 1, normGroups: 4, latentChannels: 3, numCodes: 64, codeChannels: 3 } as const;
  using autoencoder = await Autoencoder.create(engine, spec, 0);
  using lpips = await Lpips.load(engine, file);
  const { images, labels } = batch(0, 4);
  const planes = (pixels: Uint8Array): Float32Array => {
    const side = tinySize * tinySize;
    return Float32Array.from(pixels, (_, i) => pixels[Math.floor(i / (3 * side)) * 3 * side + (i % side) * 3 + (Math.floor(i / side) % 3)]! / 127.5 - 1);
  };
  const latents = await autoencoder.quantise(await autoencoder.encode(images, tinySize), tinySize);
  const { images: made } = await engine.run((core) => core.decodeGradient(autoencoder.handle, { x: latents.latents, direction: new Float32Array(images.length), size: tinySize, precision: 'fp32' }));
  const { distance } = await engine.run((core) => core.lpipsGradient(lpips.handle, { images: made, targets: planes(images), size: tinySize }));

  const training = { ...resolveConfig({}).discretiser.training, augment: { ...resolveConfig({}).discretiser.training.augment, ...noAugmentation } };
  const losses = { seed: 0, size: tinySize, perceptualWeight: 1, adversarialWeight: 0, adversarialFrom: 0 };
  using trainer = await Trainer.discretiser(autoencoder, lpips, training, losses);
  const { terms } = await trainer.step({ images, labels }, 0.01, 0);
  assert.ok(Math.abs(terms!.perceptual! / distance[0]! - 1) < 1e-3, `perceptual ${terms!.perceptual}, distance ${distance[0]}`);
});

test.run();
