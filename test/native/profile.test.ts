/** Layers, FLOPs and memory of a forward pass, against counts that PyTorch's FlopCounterMode gives for the same networks. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { buildNetwork, imagenet, listNetworks, namedNetworks, networkNamed } from '../../lib/models/catalog.js';
import { inspectModel } from '../../lib/models/inspect.js';
import type { Profile } from '../../lib/native/contract.js';
import { failure, openEngine, temporaryFolder, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine({ threads: 2, on: 'cpu' }); // the operations that are fused there
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** What must hold of any pass. */
function checkSums({ layers, flops }: Profile, parameters: number): void {
  assert.is(sum(layers.map((layer) => layer.flops)), flops);
  assert.is(sum(layers.map((layer) => layer.parameters)), parameters);
}

test('a small network, layer by layer, by hand', async () => {
  using model = await tinyClassifier(engine, 1); // width 4, two stages, 16 px, two classes
  const profile = await engine.run((core) => core.profile(model.handle, { size: 0 }));
  assert.equal(profile.input, [3, 16, 16]);
  checkSums(profile, await engine.run((core) => core.parameterCount(model.handle)));
  const [first, ...rest] = profile.layers;
  assert.is(first.operation, 'conv2d');
  assert.equal(first.output, [1, 4, 16, 16]);
  assert.is(first.flops, 2 * (3 * 3 * 3) * 4 * 16 * 16);
  assert.is(first.parameters % (4 * 3 * 3 * 3), first.parameters - 4 * 3 * 3 * 3); // the weight, and a bias if there is one
  assert.is(first.bytes, 4 * 4 * 16 * 16);
  const head = rest.at(-1)!;
  assert.equal([head.name, head.output, head.parameters, head.flops], ['fc', [1, 2], 2 * 8 + 2, 2 * 2 * 8]);
  assert.ok(profile.peakBytes >= 2 * first.bytes, 'input and output of the second operation are there at once');
  assert.ok(profile.savedBytes > profile.layers.at(-1)!.bytes);
});

const reference: Record<string, number> = JSON.parse(readFileSync(new URL('../parity/goldens/flops.json', import.meta.url), 'utf8'));

/** What the last block of a vision transformer does here for the tokens alone that its heads read. */
const readTokens: Record<string, { tokens: number; dim: number; read: number }> = {
  vit_small_patch32: { tokens: 1 + 49, dim: 384, read: 1 },
  deit_tiny_distilled_patch16: { tokens: 2 + 196, dim: 192, read: 2 },
  vit_base_patch32_clip: { tokens: 1 + 49, dim: 768, read: 1 },
  vit_small_patch14_reg4_dinov2: { tokens: 1 + 4 + 37 * 37, dim: 384, read: 1 },
};

/** FLOPs for the other tokens: the projection after attention, both layers of the MLP, four times as wide, and two products of attention. */
function unread(name: string): number {
  if (!(name in readTokens)) return 0;
  const { tokens, dim, read } = readTokens[name]!;
  return (tokens - read) * (2 * (dim * dim + 2 * dim * 4 * dim) + 2 * 2 * tokens * dim);
}

for (const [name, flops] of Object.entries(reference)) {
  test(`FLOPs of ${name} are those that PyTorch counts${name in readTokens ? ', less those for tokens that no head reads' : ''}`, async () => {
    const { network } = await inspectModel(engine, name, name === 'stable-diffusion-1' ? { imageSize: 64 } : {});
    checkSums(network!, network!.parameters);
    assert.is(network!.flops, flops - unread(name));
    for (const layer of network!.layers) assert.ok(layer.name && layer.output.length > 0 && layer.bytes >= 0, JSON.stringify(layer));
  });
}

test('a latent U-Net and an autoencoder', async () => {
  const spec = networkNamed('taesd');
  using taesd = await buildNetwork(engine, spec, imagenet, 0);
  const profile = await engine.run((core) => core.profile(taesd.handle, { size: 64 }));
  checkSums(profile, await engine.run((core) => core.parameterCount(taesd.handle)));
  assert.equal(profile.layers.at(-1)!.output, [1, 3, 64, 64]);
  assert.match((await failure(() => engine.run((core) => core.profile(taesd.handle, { size: 60 })), 'usage')).message, 'a multiple of 8 px, found 60');
  using generator = await tinyGenerator(engine, 1);
  const pass = await engine.run((core) => core.profile(generator.handle, { size: 0 }));
  assert.equal(pass.layers.at(-1)!.output, [1, 3, 16, 16]);
  assert.ok(pass.layers.some(({ operation, parameters }) => operation === 'group_norm_silu' && parameters > 0));
  assert.ok(pass.layers.some(({ parameters, flops }) => parameters === 0 && flops > 0), 'attention is listed');
});

test('a profile leaves the network as it was', async () => {
  using model = await tinyClassifier(engine, 1);
  const path = join(temporaryFolder(), 'model.safetensors');
  const saved = async () => (await model.save(path), readFileSync(path));
  const before = await saved();
  const first = await engine.run((core) => core.profile(model.handle, { size: 0 }));
  assert.equal(await engine.run((core) => core.profile(model.handle, { size: 0 })), first, 'the same twice');
  assert.equal(await saved(), before, 'the statistics of batch norm as well');
});

test('every named network is built; parameters are as published', async () => {
  const listed = await listNetworks(engine);
  assert.equal(listed.map(({ name }) => name), namedNetworks.map(({ name }) => name));
  const parameters = Object.fromEntries(listed.map(({ name, parameters }) => [name, parameters]));
  const published = {
    resnet18: 11_689_512, resnet34: 21_797_672, resnet50: 25_557_032, resnet101: 44_549_160, vit_base_patch16: 86_567_656, vit_large_patch16: 304_326_632,
    convnext_tiny: 28_589_128, mobilenetv3_large_100: 5_483_032, efficientnet_b0: 5_288_548, sd: 83_653_863, taesd: 2_445_063, 'stable-diffusion-1': 859_520_964,
    'stable-diffusion-2': 865_910_724, 'ddpm-32': 35_746_307, 'ddpm-256': 113_673_219,
  };
  for (const [name, count] of Object.entries(published)) assert.is(parameters[name], count, name);
});

test.run();
