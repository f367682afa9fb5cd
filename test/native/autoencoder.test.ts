/** Autoencoders as JavaScript uses them, the search for the nearest code, and wrong inputs. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { autoencoderSpecs } from '../../lib/config/autoencoders.js';
import type { AutoencoderSpec } from '../../lib/native/contract.js';
import { Autoencoder } from '../../lib/native/models.js';
import { mean, normals, rows } from '../support/numeric.js';
import { encodeSafetensors, readSafetensors, type Tensor } from '../support/safetensors.js';
import { failure, openEngine, randomImages, size, temporaryFolder, tinyClassifier } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const shape = { blockChannels: [4, 8], attention: [0, 1], layersPerBlock: 1, normGroups: 2, latentChannels: 4 } as const;
const tiny = {
  kl: { kind: 'kl', ...shape, scalingFactor: 0.5 },
  vqgan: { kind: 'vqgan', ...shape, numCodes: 32, codeChannels: 3 },
  taesd: { kind: 'taesd', width: 4, encoderBlocks: [1, 1], decoderBlocks: [1, 1], latentChannels: 4 },
} as const satisfies Record<string, AutoencoderSpec>;
const side = size / 2;
const images = randomImages(5, 3);

for (const [kind, spec] of Object.entries(tiny)) {
  test(`${kind}: encodes and decodes, and is the same after saving and loading`, async () => {
    using autoencoder = await Autoencoder.create(engine, spec, 1);
    const latents = await autoencoder.encode(images, size);
    assert.is(latents.length, 3 * (kind === 'vqgan' ? 3 : 4) * side ** 2);
    const decoded = await autoencoder.decode(latents, size);
    assert.is(decoded.length, images.length);
    assert.ok(new Set(decoded).size > 10, 'the image has structure');

    const path = join(folder, `${kind}.safetensors`);
    await autoencoder.save(path);
    using loaded = await Autoencoder.load(engine, path);
    assert.equal(loaded.spec, spec);
    assert.equal(await loaded.encode(images, size), latents);
    assert.equal(await loaded.decode(latents, size), decoded);
  });

  test(`${kind}: an image has the same latents in any batch`, async () => {
    using autoencoder = await Autoencoder.create(engine, spec, 1);
    const together = rows(await autoencoder.encode(images, size), (kind === 'vqgan' ? 3 : 4) * side ** 2);
    for (const [i, image] of rows(images, images.length / 3).entries()) {
      const alone = await autoencoder.encode(image, size);
      assert.ok(alone.every((value, j) => Math.abs(value - together[i][j]) < 1e-5));
    }
  });
}

test('latents are drawn from the posterior with one seed per image', async () => {
  using autoencoder = await Autoencoder.create(engine, tiny.kl, 1);
  const draw = (seeds: number[]) => autoencoder.encode(images, size, { seeds });
  const [mode, first, again, other] = [await autoencoder.encode(images, size), await draw([1, 2, 3]), await draw([1, 2, 3]), await draw([1, 7, 3])];
  assert.equal(first, again);
  const each = mode.length / 3;
  assert.equal(rows(first, each)[0], rows(other, each)[0]);
  assert.not.equal(rows(first, each)[1], rows(other, each)[1]);
  // The random network's posterior is about a standard normal, times the scaling factor 0.5.
  const deviation = Math.sqrt(mean(first.map((value, i) => (value - mode[i]) ** 2)));
  assert.ok(deviation > 0.25 && deviation < 1, `${deviation}`);
});

// ---------------------------------------------------------------- nearest code

/** A VQGAN whose codebook is `codes`, [K, D]. */
async function withCodebook(codes: Float32Array, numCodes: number): Promise<Autoencoder> {
  const spec = { ...tiny.vqgan, numCodes, codeChannels: codes.length / numCodes };
  const path = join(folder, 'codebook.safetensors');
  using random = await Autoencoder.create(engine, spec, 1);
  await random.save(path);
  const { tensors } = readSafetensors(path);
  const codebook: Tensor = { dtype: 'F32', shape: [numCodes, spec.codeChannels], values: codes };
  writeFileSync(path, encodeSafetensors({ ...tensors, 'quantize.embedding.weight': codebook }));
  return Autoencoder.load(engine, path, spec);
}

/** The index of the nearest row of `codes`, in double precision. */
function nearest(vector: number[], codes: Float32Array[]): number {
  const distances = codes.map((code) => code.reduce((sum, value, d) => sum + (value - vector[d]) ** 2, 0));
  return distances.indexOf(Math.min(...distances));
}

/** Latents [1, D, side, side] as vectors. */
const vectors = (latents: Float32Array, dimensions: number) =>
  Array.from({ length: side ** 2 }, (_, i) => Array.from({ length: dimensions }, (_, d) => latents[d * side ** 2 + i]));

for (const [numCodes, dimensions] of [[1, 3], [1000, 4], [40_000, 2], [70, 64]]) {
  test(`the nearest of ${numCodes} codes of dimension ${dimensions}`, async () => {
    const codes = normals(1, numCodes * dimensions);
    const latents = normals(2, dimensions * side ** 2);
    using autoencoder = await withCodebook(codes, numCodes);
    const { indices, latents: quantised } = await autoencoder.quantise(latents, size);
    const table = rows(codes, dimensions);
    assert.equal(Array.from(indices), vectors(latents, dimensions).map((vector) => nearest(vector, table)));
    // z + (q - z) is q but for rounding.
    for (const [i, vector] of vectors(quantised, dimensions).entries()) {
      assert.ok(vector.every((value, d) => Math.abs(value - table[indices[i]][d]) < 1e-6));
    }
  });
}

test('of codes at the same distance the first is taken', async () => {
  const codes = Float32Array.of(9, 9, 1, 0, -1, 0, 0, 1, 1, 0); // the second and the last are equal
  using autoencoder = await withCodebook(codes, 5);
  const zeros = await autoencoder.quantise(new Float32Array(2 * side ** 2), size); // three codes are at distance 1
  assert.ok(zeros.indices.every((index) => index === 1));
});

test('codes are compared in fp32 also when the engine computes in bf16', async () => {
  const codes = Float32Array.of(1, 1, 1.002, 1.002, 1.004, 1.004); // one and the same in bf16
  using autoencoder = await withCodebook(codes, 3);
  const latents = new Float32Array(2 * side ** 2).fill(1.0022);
  await engine.core.decodeLatents(autoencoder.handle, latents, { size, precision: 'bf16' }); // makes the copy in bf16
  assert.ok((await autoencoder.quantise(latents, size)).indices.every((index) => index === 1));
});

// ---------------------------------------------------------------- wrong inputs

test('every wrong input is one clear error', async () => {
  using kl = await Autoencoder.create(engine, tiny.kl, 1);
  using vqgan = await Autoencoder.create(engine, tiny.vqgan, 1);
  using classifier = await tinyClassifier(engine, 1);
  const latents = await kl.encode(images, size);
  const says = async (work: () => Promise<unknown>, pattern: RegExp, code: 'usage' | 'config' | 'weights' = 'usage') => assert.match((await failure(work, code)).message, pattern);

  await says(() => kl.encode(images, size + 1), /multiple of 2 pixels, found 17/);
  await says(() => kl.encode(images, 0), /multiple of 2 pixels, found 0/);
  await says(() => kl.encode(images.subarray(1), size), /multiple of 768 bytes/);
  await says(() => kl.encode(images, size, { seeds: [1] }), /as many seeds as images/);
  await says(() => vqgan.encode(images, size, { seeds: [1, 2, 3] }), /no posterior/);
  await says(() => kl.decode(latents.subarray(1), size), /Latents: expected a multiple of 256 numbers \(4x8x8\) but received 767/);
  await says(() => kl.decode(new Float32Array(), size), /received 0/);
  await says(() => kl.quantise(latents, size), /no codes/);
  await says(() => engine.run((core) => core.decodeLatents(classifier.handle as never, latents, { size, precision: 'fp32' })), /Expected an autoencoder/);

  const create = (spec: object) => () => Autoencoder.create(engine, spec as AutoencoderSpec, 1);
  await says(create({ ...tiny.kl, normGroups: 3 }), /normGroups must divide/, 'config');
  await says(create({ ...tiny.kl, attention: [0] }), /attention as many/, 'config');
  await says(create({ ...tiny.kl, scalingFactor: 0 }), /scalingFactor/, 'config');
  await says(create({ ...tiny.vqgan, numCodes: 0 }), /numCodes/, 'config');
  await says(create({ ...tiny.taesd, decoderBlocks: [1] }), /decoderBlocks as many/, 'config');
  await says(create({ kind: 'vae' }), /Unknown kind of autoencoder 'vae'/);

  const path = join(folder, 'of-a-classifier.safetensors');
  await classifier.save(path);
  await says(() => Autoencoder.load(engine, path), /expected an autoencoder, found a classifier/, 'weights');
  await says(() => Autoencoder.load(engine, path, tiny.kl), /missing \(\d+\):/, 'weights');
  for (const spec of ['null', '{"kind":"kl"}', '{']) {
    writeFileSync(path, encodeSafetensors({}, { 'sparring.kind': 'autoencoder', 'sparring.spec': spec }));
    await says(() => Autoencoder.load(engine, path), /the description of its network is damaged/, 'weights');
  }
});

test('a disposed autoencoder says so', async () => {
  const autoencoder = await Autoencoder.create(engine, tiny.taesd, 1);
  autoencoder[Symbol.dispose]();
  await failure(() => autoencoder.encode(images, size), 'disposed');
});

test('the published autoencoders have the parameters that they should have', async () => {
  const expected = { sd: 83_653_863, taesd: 2_445_063, 'vqgan-f16-1024': 72_141_699, 'vq-f8': 67_717_295 };
  for (const [name, count] of Object.entries(expected)) {
    using autoencoder = await Autoencoder.create(engine, autoencoderSpecs[name as keyof typeof expected], 1);
    assert.is(await engine.run((core) => core.parameterCount(autoencoder.handle)), count, name);
  }
});

test.run();
