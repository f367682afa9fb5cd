/** Autoencoders against diffusers' AutoencoderKL, VQModel and AutoencoderTiny: the same weights, the same latents, images and
 * gradients; and files with the names of latent-diffusion, taming-transformers and older diffusers. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { autoencoderKeyNames } from '../../lib/config/autoencoder-keys.js';
import type { AutoencoderHandle, AutoencoderShape, AutoencoderSpec, Precision } from '../../lib/native/contract.js';
import { relativeError } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readGolden, readSafetensors, type Tensor } from '../support/safetensors.js';
import { device, failure, openEngine, temporaryFolder } from '../support/tiny.js';

interface Config {
  size: number;
  /** Of the reference itself: [output, gradient]. */
  bf16_errors: { encode: [number, number]; decode: [number, number] };
  block_out_channels: number[];
  down_block_types: string[];
  layers_per_block: number;
  norm_num_groups: number;
  latent_channels: number;
  scaling_factor: number;
  num_vq_embeddings: number;
  vq_embed_dim: number;
  encoder_block_out_channels: number[];
  num_encoder_blocks: number[];
  num_decoder_blocks: number[];
  compvis_names: Record<string, string>;
}

const shape = (config: Config): AutoencoderShape => ({
  blockChannels: config.block_out_channels,
  attention: config.down_block_types.map((type) => (type.startsWith('Attn') ? 1 : 0)),
  layersPerBlock: config.layers_per_block,
  normGroups: config.norm_num_groups,
  latentChannels: config.latent_channels,
});
const specs: Record<string, (config: Config) => AutoencoderSpec> = {
  autoencoder_kl: (config) => ({ kind: 'kl', ...shape(config), scalingFactor: config.scaling_factor }),
  vqgan: (config) => ({ kind: 'vqgan', ...shape(config), numCodes: config.num_vq_embeddings, codeChannels: config.vq_embed_dim }),
  taesd: (config) => ({
    kind: 'taesd', width: config.encoder_block_out_channels[0], encoderBlocks: config.num_encoder_blocks, decoderBlocks: config.num_decoder_blocks,
    latentChannels: config.latent_channels,
  }),
};

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();

const goldens = Object.fromEntries(Object.keys(specs).map((name) => {
  const { config, tensors } = readGolden<Config>(`${name}_case`);
  return [name, { config, spec: specs[name](config), floats: (tensor: string) => tensors[tensor].values as Float32Array }];
}));
const load = async (name: string, path = goldenPath(name)): Promise<AutoencoderHandle> => {
  const model = await core.createAutoencoder({ ...goldens[name].spec, device, seed: 0 });
  const keyNames = autoencoderKeyNames(goldens[name].spec, await core.inspectWeights(path));
  await engine.run(() => core.loadWeights(model, path, { newHead: false, keyNames }));
  return model;
};
const within = (limit: number, found: Record<string, [ArrayLike<number>, ArrayLike<number>]>): void => {
  for (const [what, [values, expected]] of Object.entries(found)) {
    const error = relativeError(values, expected);
    assert.ok(error < limit, `${what}: off by ${error}, at most ${limit}`);
  }
};

for (const [name, { config: { size, bf16_errors }, floats }] of Object.entries(goldens)) {
  const encode = async (precision: Precision) =>
    core.encodeGradient(await load(name), { x: floats('x'), noise: null, direction: floats('d_latents'), size, precision });
  const decode = async (precision: Precision) => core.decodeGradient(await load(name), { x: floats('z'), direction: floats('dy'), size, precision });

  test(`${name}: latents and gradient with respect to the images`, async () => {
    const { latents, gradient } = await encode('fp32');
    within(1e-5, { latents: [latents, floats('latents')], gradient: [gradient, floats('dx')] });
  });

  test(`${name}: images and gradient with respect to the latents`, async () => {
    const { images, gradient } = await decode('fp32');
    within(1e-5, { images: [images, floats('y')], gradient: [gradient, floats('dz')] });
  });

  test(`${name}: in bf16 at most twice as far off as the reference`, async () => {
    const { latents, gradient: dx } = await encode('bf16');
    const { images, gradient: dz } = await decode('bf16');
    within(2 * bf16_errors.encode[0], { latents: [latents, floats('latents')] });
    within(2 * bf16_errors.encode[1], { 'gradient of encode': [dx, floats('dx')] });
    within(2 * bf16_errors.decode[0], { images: [images, floats('y')] });
    within(2 * bf16_errors.decode[1], { 'gradient of decode': [dz, floats('dz')] });
  });

  test(`${name}: weights are saved under the names of diffusers`, async () => {
    const path = join(folder, `${name}.safetensors`);
    await core.saveWeights(await load(name), path, {}, 'fp32');
    assert.equal(readSafetensors(path).tensors, readSafetensors(goldenPath(name)).tensors);
  });
}

test('autoencoder_kl: a draw from the posterior and its gradient', async () => {
  const { config: { size }, floats } = goldens.autoencoder_kl;
  const { latents, gradient } = await core.encodeGradient(await load('autoencoder_kl'), {
    x: floats('x'), noise: floats('noise'), direction: floats('d_drawn'), size, precision: 'fp32',
  });
  within(1e-5, { latents: [latents, floats('drawn')], gradient: [gradient, floats('dx_drawn')] });
});

test('vqgan: the codes of the reference, values and indices', async () => {
  const { config: { size }, floats } = goldens.vqgan;
  const { latents, indices } = await core.quantise(await load('vqgan'), floats('latents'), { size });
  assert.equal(Array.from(indices), Array.from(floats('indices')));
  within(1e-6, { latents: [latents, floats('quantised')] });
});

test('vqgan: the gradient of the whole round trip passes straight through the quantiser', async () => {
  const { config: { size }, floats } = goldens.vqgan;
  const model = await load('vqgan');
  const { latents: quantised } = await core.quantise(model, floats('latents'), { size });
  const decoded = await core.decodeGradient(model, { x: quantised, direction: floats('d_round_trip'), size, precision: 'fp32' });
  const passed = await core.quantiseGradient(model, { x: floats('latents'), direction: decoded.gradient, size });
  assert.equal(passed.gradient, decoded.gradient);
  const encoded = await core.encodeGradient(model, { x: floats('x'), noise: null, direction: passed.gradient, size, precision: 'fp32' });
  within(1e-5, { images: [decoded.images, floats('round_trip')], gradient: [encoded.gradient, floats('dx_round_trip')] });
});

// ---------------------------------------------------------------- names of other projects

type Tensors = Record<string, Tensor>;
const rename = (tensors: Tensors, name: (key: string) => string): Tensors => Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [name(key), tensor]));
const asConvolution = (tensor: Tensor): Tensor => ({ ...tensor, shape: [...tensor.shape, 1, 1] });
const extra: Tensor = { dtype: 'F32', shape: [2], values: Float32Array.of(1, 2) };

/** The golden weights as CompVis stores them: projections of attention are 1x1 convolutions. */
const compvis = (name: string, section = ''): Tensors => {
  const { tensors } = readSafetensors(goldenPath(name));
  const isProjection = (key: string): boolean => /\.to_(q|k|v|out\.0)\.weight$/.test(key);
  const stored = Object.fromEntries(Object.entries(tensors).map(([key, tensor]) => [key, isProjection(key) ? asConvolution(tensor) : tensor]));
  return rename(stored, (key) => section + goldens[name].config.compvis_names[key]);
};
const olderDiffusers = (name: string): Tensors =>
  rename(readSafetensors(goldenPath(name)).tensors, (key) =>
    key.replace('.to_q.', '.query.').replace('.to_k.', '.key.').replace('.to_v.', '.value.').replace('.to_out.0.', '.proj_attn.'));
const write = (file: string, tensors: Tensors): string => {
  const path = join(folder, `${file}.safetensors`);
  writeFileSync(path, encodeSafetensors(tensors));
  return path;
};

const sources: Record<string, [name: string, tensors: () => Tensors]> = {
  'latent-diffusion': ['autoencoder_kl', () => ({ ...compvis('autoencoder_kl'), 'loss.logvar': extra })],
  'a whole latent diffusion model': [
    'autoencoder_kl',
    () => ({ ...compvis('autoencoder_kl', 'first_stage_model.'), 'model.diffusion_model.out.2.bias': extra, 'cond_stage_model.encoder.bias': extra, betas: extra }),
  ],
  'diffusers before 0.18': ['autoencoder_kl', () => olderDiffusers('autoencoder_kl')],
  'taming-transformers': ['vqgan', () => ({ ...compvis('vqgan'), 'loss.discriminator.main.0.weight': extra, 'loss.perceptual_loss.lin0.model.1.weight': extra })],
};
for (const [source, [name, tensors]] of Object.entries(sources)) {
  test(`${name}: takes the names of ${source}`, async () => {
    const path = join(folder, 'converted.safetensors');
    await core.saveWeights(await load(name, write('other-names', tensors())), path, {}, 'fp32');
    assert.equal(readSafetensors(path).tensors, readSafetensors(goldenPath(name)).tensors);
  });
}

test("missing, misshapen and unexpected weights are listed under the file's own names", async () => {
  const { 'encoder.mid.attn_1.q.weight': _, ...tensors } = compvis('autoencoder_kl');
  const path = write('wrong', { ...tensors, 'encoder.conv_in.weight': extra, 'decoder.up.3.block.0.conv1.weight': extra });
  const { message } = await failure(() => load('autoencoder_kl', path), 'weights');
  assert.match(message, /missing \(1\):\n  encoder\.mid\.attn_1\.q\.weight: Float \[(\d+), \1, 1, 1\]/);
  assert.match(message, 'encoder.conv_in.weight: expected Float [8, 3, 3, 3], found Float [2]');
  assert.match(message, 'unexpected (1):\n  decoder.up.3.block.0.conv1.weight: Float [2]');
});

test('of a whole latent diffusion model only what is missing of the autoencoder is listed', async () => {
  const { 'first_stage_model.decoder.up.0.block.0.conv1.bias': _, ...tensors } = compvis('autoencoder_kl', 'first_stage_model.');
  const { message } = await failure(() => load('autoencoder_kl', write('wrong-section', { ...tensors, betas: extra })), 'weights');
  assert.match(message, /missing \(1\):\n  first_stage_model\.decoder\.up\.0\.block\.0\.conv1\.bias: Float/);
  assert.not.match(message, 'unexpected');
});

test('a file that mixes the names of two projects is refused', async () => {
  const path = write('twice', { ...compvis('vqgan'), 'encoder.conv_norm_out.bias': extra });
  const { message } = await failure(() => load('vqgan', path), 'weights');
  assert.match(message, 'unexpected (1):\n  encoder.conv_norm_out.bias: Float [2]');
});

test.run();
