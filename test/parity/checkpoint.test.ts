/** One file with a whole Stable Diffusion: what it is found to be at full size, and the names of its weights. */
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { autoencoderSpecs } from '../../lib/config/autoencoders.js';
import { unetConfig } from '../../lib/diffusion/unet-config.js';
import { pixelGenerator } from '../../lib/config/generators.js';
import { unetKeyNames } from '../../lib/diffusion/checkpoint-keys.js';
import { describeCheckpoint } from '../../lib/diffusion/checkpoint.js';
import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import { encodeSafetensors, goldenPath, readGolden, readSafetensors } from '../support/safetensors.js';
import { device, failure, openEngine, temporaryFolder } from '../support/tiny.js';

interface Names {
  /** Shapes by name. */
  full: Record<'sd1' | 'sd2', Record<string, number[]>>;
  /** Names by our own. */
  small: Record<'unet_sd1' | 'unet_sd2', Record<string, string>>;
}

const engine = await openEngine();
const { core } = engine;
const names: Names = JSON.parse(gunzipSync(readFileSync(new URL('./goldens/checkpoint_names.json.gz', import.meta.url))).toString());
const folder = temporaryFolder();

/** A file of zeros, which takes no room on the disk: one byte for each number. */
function checkpoint(shapes: Record<string, readonly number[]>): string {
  let end = 0;
  const header = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => {
    const begin = end;
    end += shape.reduce((product, size) => product * size, 1);
    return [name, { dtype: 'F8_E4M3', shape, data_offsets: [begin, end] }];
  }));
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  const path = join(folder, 'checkpoint.safetensors');
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, text]));
  ftruncateSync(file, 8 + text.length + end);
  closeSync(file);
  return path;
}

const schedule = { trainTimesteps: 1000, betas: 'scaled-linear', betaStart: 0.00085, betaEnd: 0.012, setAlphaToOne: false, stepsOffset: 1 };
const published = {
  block_out_channels: [320, 640, 1280, 1280], layers_per_block: 2, in_channels: 4, out_channels: 4, sample_size: 64,
  down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'], _class_name: 'UNet2DConditionModel',
};

test('Stable Diffusion 1.5 is found to be what its folder of diffusers says', async () => {
  const found = await describeCheckpoint(engine, { path: checkpoint(names.full.sd1), sampler: 'ddim' });
  assert.equal(found.unet.spec, unetConfig({ ...published, attention_head_dim: 8, cross_attention_dim: 768 }, 'sd1').unet);
  assert.equal(found.autoencoder!.spec, autoencoderSpecs.sd);
  const { vocabSize, contextLength, dim, depth, heads, mlpDim, activation } = found.text!.spec;
  assert.equal([vocabSize, contextLength, dim, depth, heads, mlpDim, activation], [49408, 77, 768, 12, 12, 3072, 'quick-gelu']);
  assert.equal(found.diffusion, { schedule, prediction: 'epsilon', spacing: 'leading', variance: 'fixed-small', clip: 0 });
  assert.equal([found.sampleSize, found.text!.skip, found.text!.padToken], [64, 0, 49407]);
});

test('Stable Diffusion 2.1 likewise, with the last block of its text encoder left out', async () => {
  const found = await describeCheckpoint(engine, { path: checkpoint(names.full.sd2), sampler: 'euler' });
  const config = { ...published, attention_head_dim: [5, 10, 20, 20], cross_attention_dim: 1024, use_linear_projection: true };
  assert.equal(found.unet.spec, unetConfig(config, 'sd2').unet);
  assert.equal(found.autoencoder!.spec, autoencoderSpecs.sd);
  const { vocabSize, contextLength, dim, depth, heads, mlpDim, activation } = found.text!.spec;
  assert.equal([vocabSize, contextLength, dim, depth, heads, mlpDim, activation], [49408, 77, 1024, 24, 16, 4096, 'gelu']);
  assert.equal(found.diffusion, { schedule, prediction: 'v', spacing: 'linspace', variance: 'fixed-small', clip: 0 }); // the default of Euler's scheduler
  assert.equal([found.sampleSize, found.text!.skip, found.text!.padToken], [96, 1, 0]);
});

test('every tensor of the text encoders has its place', async () => {
  for (const [version, dim] of [['sd1', 768], ['sd2', 1024]] as const) {
    const text = Object.entries(names.full[version]).filter(([name]) => name.startsWith('cond_stage_model.'));
    // A small one with the same names: two of the blocks, and 64 channels.
    const small = Object.fromEntries(text.filter(([name]) => !/\.([2-9]|\d\d)\./.test(name)).map(([name, shape]) => [name, shape.map((size) => (size % dim === 0 ? 64 * (size / dim) : size))]));
    const rest = Object.entries(names.full[version]).filter(([name]) => !name.startsWith('cond_stage_model.'));
    const path = checkpoint({ ...small, ...Object.fromEntries(rest) });
    const { text: tower } = await describeCheckpoint(engine, { path, sampler: 'ddim' });
    assert.equal([tower!.spec.dim, tower!.spec.depth, tower!.spec.heads], [64, 2, 1]);
    const encoder = await core.createTextEncoder({ ...tower!.spec, device, seed: 0 });
    await core.loadWeights(encoder, path, { newHead: false, keyNames: tower!.keyNames! });
    core.dispose(encoder);
  }
});

for (const name of ['unet_sd1', 'unet_sd2'] as const) {
  test(`${name}: its weights under the names of latent-diffusion are loaded to their places`, async () => {
    const { config } = readGolden<Record<string, unknown>>(`${name}_case`);
    const { bf16_errors: _, ...file } = config;
    const { unet } = unetConfig(file, name);
    const { tensors } = readSafetensors(goldenPath(name));
    const path = join(folder, `${name}.safetensors`);
    writeFileSync(path, encodeSafetensors(Object.fromEntries(Object.entries(tensors).map(([ours, tensor]) => [names.small[name][ours], tensor]))));
    const spec = { ...pixelGenerator({ blockChannels: [8], attention: [0], layersPerBlock: 1, normGroups: 1, headDim: 8 }, 2, 32), unet, drawSize: 32 };
    const autoencoder = await core.createAutoencoder({ kind: 'taesd', width: 4, encoderBlocks: [1, 1], decoderBlocks: [1, 1], latentChannels: 4, device, seed: 0 });
    const generator = await core.createDenoiser({ ...spec, device, seed: 0 }, autoencoder);
    await core.loadWeights(generator, path, { newHead: false, keyNames: unetKeyNames(unet) });
    const saved = join(folder, 'saved.safetensors');
    await core.saveWeights(generator, saved, {}, 'fp32');
    const found = readSafetensors(saved).tensors;
    assert.equal(Object.keys(found).sort(), Object.keys(tensors).sort());
    for (const [key, { values }] of Object.entries(tensors)) assert.equal(Array.from(found[key].values), Array.from(values), key);
  });
}

test('a file that is no Stable Diffusion gives one error that says what is expected', async () => {
  const options = { prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' } as const;
  const open = (path: string) => () => pretrainedGenerator(engine, { ...options, path }, { classes: ['a', 'b'], imageSize: 64 });
  const inpainting = { ...names.full.sd1, 'model.diffusion_model.input_blocks.0.0.weight': [320, 9, 3, 3] };
  const without = (part: string) => Object.fromEntries(Object.entries(names.full.sd1).filter(([name]) => !name.includes(part)));
  const cases: [string, RegExp][] = [
    [goldenPath('vit_token'), /expected a Stable Diffusion with tensors such as model\.diffusion_model\.input_blocks\.0\.0\.weight, found none/],
    [checkpoint(inpainting), /expected a U-Net of 4 channels, found 9/],
  ];
  for (const [path, message] of cases) assert.match((await failure(open(path), 'weights')).message, message);
  assert.match((await failure(open(checkpoint(without('first_stage_model'))), 'weights')).message, 'expected an autoencoder');
  assert.match((await failure(open(checkpoint(without('token_embedding'))), 'weights')).message, /expected a matrix cond_stage_model.*found none/);
  assert.match((await failure(open(join(folder, 'nothing.safetensors')), 'io')).message, 'found nothing');
});

test.run();
