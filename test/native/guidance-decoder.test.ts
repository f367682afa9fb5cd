/** Guidance whose gradient comes through a small autoencoder, while the images come from the generator's own. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { autoencoderSpecs } from '../../lib/config/autoencoders.js';
import { openGuidanceDecoder } from '../../lib/diffusion/guidance-decoder.js';
import { pretrainedGenerator, pretrainedIdentity, type PretrainedOptions } from '../../lib/diffusion/pretrained.js';
import type { GenerateOptions, Guidance } from '../../lib/native/contract.js';
import { Autoencoder } from '../../lib/native/models.js';
import { dot, norm, normals, relativeError, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { assertSameImages, exact, failure, generateOptions, openEngine, plainChain, temporaryFolder, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder(), model = pipelineFolder();
const small = join(folder, 'small.safetensors');
/** For the latents of that pipeline: four channels, a quarter of the side. */
const taesd = { kind: 'taesd', width: 8, encoderBlocks: [1, 1, 1], decoderBlocks: [1, 1, 1], latentChannels: 4 } as const;
{
  using autoencoder = await Autoencoder.create(engine, taesd, 9);
  await autoencoder.save(small);
}
const inputs = { classes: ['dark', 'bright'], imageSize: 32 };
const options: PretrainedOptions = { path: model, prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' };
const generator = await pretrainedGenerator(engine, { ...options, guidanceDecoder: small }, inputs);
const opponents = { teacher: (await tinyClassifier(engine, 2, { imageSize: 32 })).handle, student: (await tinyClassifier(engine, 3, { imageSize: 32 })).handle };
const objective = { form: 'log', gamma: 1, terms: 'both' } as const;
const x = normals(6, 4 * 8 * 8);

for (const decoder of [undefined, small]) {
  test(`the gradient of what is judged ${decoder ? 'through the small one' : 'through its own'}, by finite differences`, async () => {
    const evaluate = (x: Float32Array) => core.guidanceGradient(generator.handle, opponents, { x, classes: [1], timestep: 500, guidanceScale: 1, precision: 'fp32', objective, ...exact, decoder, repeat: 1 });
    const { gradient } = await evaluate(x);
    const distance = 0.01; // less, and fp32 leaves too few digits of the difference of the scores; more, and kinks lie in between
    for (const direction of [gradient, normals(21, x.length)]) {
      const unit = direction.map((value) => value / norm(direction));
      const at = async (offset: number) => (await evaluate(x.map((value, i) => value + offset * unit[i]))).score[0];
      const expected = ((await at(distance)) - (await at(-distance))) / (2 * distance);
      assert.ok(Math.abs(dot(gradient, unit) - expected) < 0.05 * norm(gradient), `${dot(gradient, unit)}, by finite differences ${expected}`);
    }
  });
}

test('what is judged is what the small one decodes', async () => {
  const evaluate = (decoder?: string) => core.guidanceGradient(generator.handle, opponents, { x, classes: [1], timestep: 500, guidanceScale: 1, precision: 'fp32', objective, ...exact, decoder, repeat: 1 });
  const judged = await evaluate(small);
  using replaced = await pretrainedGenerator(engine, options, inputs);
  using decoder = await openGuidanceDecoder(engine, small);
  const image = await decoder.decode(judged.x0, 32);
  const probabilities = async (handle: typeof opponents.teacher) => (await core.predict(handle, image, { precision: 'fp32' }));
  const log = (logits: Float32Array) => logits[1] - Math.log(Math.exp(logits[0]) + Math.exp(logits[1]));
  const expected = log(await probabilities(opponents.teacher)) - log(await probabilities(opponents.student));
  assert.ok(Math.abs(judged.score[0] - expected) < 5e-3, `${judged.score[0]}, expected ${expected}`); // of the 8-bit image
  const own = await evaluate();
  assert.ok(Math.abs(own.score[0] - judged.score[0]) > 1e-3, 'both decode the same: nothing is tested');
  assert.equal(own.score, (await core.guidanceGradient(replaced.handle, opponents, { x, classes: [1], timestep: 500, guidanceScale: 1, precision: 'fp32', objective, ...exact, repeat: 1 })).score);
});

const step = (decoder?: string): Guidance => ({ kind: 'step', objective, scale: 0.3, from: 1, until: 0, schedule: 'constant', ...exact, decoder });
const generate = (guidance: Guidance, more: Partial<GenerateOptions> = {}) => core.generate(generator.handle, opponents, generateOptions({ guidance, ...more }));

test('guided per step: other images, decoded by its own, and the cosine with the exact gradient', async () => {
  const compared = await generate(step(small), { compareGradients: true, steps: 1 });
  const gradient = async (decoder?: string) => {
    const { seeds, classes } = generateOptions();
    const { noise } = await core.initialNoise({ seeds, size: 32 });
    const own = Float32Array.from(rows(noise, 3 * 32 * 32).flatMap((row) => Array.from(row.subarray(0, x.length)))); // the same numbers, whatever the shape
    return rows((await core.guidanceGradient(generator.handle, opponents, { x: own, classes, timestep: 1, guidanceScale: 1, precision: 'fp32', objective, ...exact, decoder, repeat: 1 })).gradient, x.length);
  };
  const [exactOnes, others] = [await gradient(), await gradient(small)];
  exactOnes.forEach((own, i) => {
    const expected = dot(own, others[i]) / (norm(own) * norm(others[i]));
    assert.ok(Math.abs(compared.gradientCosines![i] - expected) < 1e-2, `image ${i}: ${compared.gradientCosines![i]}, expected ${expected}`);
    assert.ok(expected < 0.99, 'the two gradients are the same: nothing is tested');
  });
  assert.is((await generate(step(), { compareGradients: true })).gradientCosines, null);
  assert.not.equal((await generate(step(small))).images, (await generate(step())).images);
  // Guided by nothing, both end in the same image: it is the generator's own.
  const still = (decoder?: string): Guidance => ({ ...step(decoder), scale: 0 }) as Guidance;
  assert.equal((await generate(still(small))).images, (await generate(still())).images);
});

test('through the chain: the gradient of the small one, the image and its score of its own', async () => {
  const evaluate = (decoder?: string) => core.chainGradient(generator.handle, opponents, { ...generateOptions({ steps: 3 }), x, classes: [1], objective, segmentSteps: 3, loss: { cutouts: exact.cutouts, lastPredictions: 1, predictionWeights: 'linear', decoder } });
  const [own, other] = [await evaluate(), await evaluate(small)];
  assert.equal(other.images, own.images);
  assert.ok(relativeError(other.score, own.score) < 1e-6);
  assert.ok(relativeError(other.objective, own.objective) > 1e-3);
  assert.ok(relativeError(other.gradient, own.gradient) > 1e-2);
  const chain = { ...plainChain, iterations: 2, decoder: small };
  const compared = await generate(chain, { compareGradients: true });
  assert.is(compared.gradientCosines!.length, 8);
  assert.ok(compared.gradientCosines!.every((cosine) => Math.abs(cosine) < 0.999));
  assertSameImages((await generate(chain)).images, compared.images, 'compared');
  assert.is((await generate(plainChain, { compareGradients: true })).gradientCosines, null);
  assert.equal((await generate({ ...chain, iterations: 0 })).images, (await generate({ kind: 'none' })).images);
});

test('a folder of diffusers, a file of sparring or one with the names of TAESD; the identity of the generator has it', async () => {
  const diffusers = join(folder, 'diffusers');
  mkdirSync(diffusers);
  cpSync(small, join(diffusers, 'diffusion_pytorch_model.safetensors'));
  writeFileSync(join(diffusers, 'config.json'), JSON.stringify({
    _class_name: 'AutoencoderTiny', encoder_block_out_channels: [8, 8, 8], decoder_block_out_channels: [8, 8, 8], num_encoder_blocks: [1, 1, 1], num_decoder_blocks: [1, 1, 1], latent_channels: 4, scaling_factor: 1,
  }));
  using opened = await openGuidanceDecoder(engine, diffusers);
  assert.equal(opened.spec, taesd);
  const published = join(folder, 'taesd.safetensors');
  {
    using whole = await Autoencoder.create(engine, autoencoderSpecs.taesd, 1);
    await core.saveWeights(whole.handle, published, {}, 'fp32');
  }
  using known = await openGuidanceDecoder(engine, published);
  assert.equal(known.spec, autoencoderSpecs.taesd);
  const { weights } = await pretrainedIdentity(engine, { ...options, guidanceDecoder: small });
  assert.ok(weights.includes(small));
});

test('what does not fit is one error', async () => {
  assert.match((await failure(() => openGuidanceDecoder(engine, join(folder, 'none')), 'io')).message, 'expected an autoencoder, found nothing');
  // TAESD itself is for latents of an eighth of the side.
  const error = await failure(() => pretrainedGenerator(engine, { ...options, guidanceDecoder: join(folder, 'taesd.safetensors') }, inputs), 'config');
  assert.match(error.message, 'decoder for guidance of 4 channels that are 4 times smaller than the image, found 4 and 8');
  using pixels = await tinyGenerator(engine, 1);
  using decoder = await openGuidanceDecoder(engine, small);
  assert.match((await failure(() => pixels.setGuidanceDecoder(decoder), 'config')).message, 'found one of pixels');
  using without = await pretrainedGenerator(engine, options, inputs);
  assert.match((await failure(() => engine.run((core) => core.generate(without.handle, opponents, generateOptions({ guidance: step(small) }))), 'usage')).message, 'found one without');
});

test.run();
