/** Runs that start from images (SDEdit, DDIM inversion), with small random networks in pixels and in latents. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { autoencoderConfig } from '../../lib/diffusion/autoencoder-config.js';
import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import type { Generated, GenerateOptions, Guidance, NoiseScheduleSpec, SamplingStart } from '../../lib/native/contract.js';
import { Autoencoder, type Generator } from '../../lib/native/models.js';
import { mean, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { assertSameImages, denoiserSpec, exact, failure, generateOptions, openEngine, pixels, plainChain, randomImages, size, tinyClassifier, tinyGenerator, toPixels } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator = await tinyGenerator(engine, 1);
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
const objective = { form: 'difference', gamma: 1, terms: 'both' } as const;
const step: Guidance = { kind: 'step', objective, scale: 0.4, from: 1, until: 0, schedule: 'constant', ...exact };
const chain: Guidance = { ...plainChain, objective, iterations: 2 };

const images = randomImages(6, 8);
const noNullText = { iterations: 0, learningRate: 0.01 };
/** Either way to start from images. */
const startOf = (kind: 'image' | 'inversion', strength: number): SamplingStart => (kind === 'image' ? { kind, strength } : { kind, strength, nullText: noNullText });
const at = (strength: number, options: Partial<GenerateOptions> = {}): GenerateOptions => generateOptions({ images, start: { kind: 'image', strength }, ...options });
const inverted = (strength: number, options: Partial<GenerateOptions> = {}): GenerateOptions => at(strength, { start: { kind: 'inversion', strength, nullText: noNullText }, ...options });
const generate = (options: GenerateOptions): Promise<Generated> => core.generate(generator.handle, opponents, options);
/** Mean difference in levels. */
const distance = (a: Uint8Array, b: Uint8Array): number => mean(Array.from(a, (value, i) => Math.abs(value - b[i])));

/** The last steps of DDIM with eta 0 in double precision: from `start` with noise to the noise level `last`. All [B, ...]. */
async function ddim(run: { schedule: NoiseScheduleSpec; timesteps: number[]; last: number; clip: number; start: Float32Array; noise: Float32Array }, predict: (x: Float32Array, timestep: number) => Promise<Float32Array>): Promise<Float32Array> {
  const { alphasCumprod } = await core.noiseSchedule(run.schedule);
  const alphas = [...run.timesteps.map((timestep) => alphasCumprod[timestep]), run.last];
  let x = run.start.map((value, i) => Math.sqrt(alphas[0]) * value + Math.sqrt(1 - alphas[0]) * run.noise[i]);
  for (const [i, timestep] of run.timesteps.entries()) {
    const x0 = await predict(x, timestep);
    const epsilon = x.map((value, j) => (value - Math.sqrt(alphas[i]) * x0[j]) / Math.sqrt(1 - alphas[i]));
    x = epsilon.map((value, j) => Math.sqrt(alphas[i + 1]) * Math.min(run.clip, Math.max(-run.clip, x0[j])) + Math.sqrt(1 - alphas[i + 1]) * value);
  }
  return x;
}

/** x0 that the generator predicts. */
async function prediction(model: Generator, judges: typeof opponents, x: Float32Array, timestep: number, { classes, guidanceScale }: GenerateOptions): Promise<Float32Array> {
  return (await core.guidanceGradient(model.handle, judges, { x, timestep, classes, guidanceScale, precision: 'fp32', objective, ...exact, repeat: 1 })).x0;
}

/** uint8 [B, H, W, 3] -> -1..1 [B, 3, H, W] */
function toPlanes(bytes: Uint8Array): Float32Array {
  const plane = size * size;
  return Float32Array.from(bytes, (_, i) => {
    const [image, channel, place] = [Math.floor(i / (3 * plane)), Math.floor(i / plane) % 3, i % plane];
    return bytes[image * 3 * plane + place * 3 + channel] / 127.5 - 1;
  });
}

test('half the strength: the last half of the steps, from the image with the noise of the first of them', async () => {
  const options = at(0.5, { steps: 4 });
  const { noise } = await core.initialNoise({ seeds: options.seeds, size });
  // Trailing: 999, 749, 499, 249.
  const x = await ddim({ schedule: denoiserSpec.schedule, timesteps: [499, 249], last: 1, clip: 1, start: toPlanes(images), noise }, (x, timestep) => prediction(generator, opponents, x, timestep, options));
  const expected = rows(x, pixels);
  for (const [i, image] of rows((await generate(options)).images, pixels).entries()) assertSameImages(image, toPixels(expected[i]), `image ${i}`);
});

test('a small strength returns nearly the image, a larger one moves further away', async () => {
  const distances = [];
  for (const strength of [0.01, 0.2, 0.6, 1]) distances.push(distance((await generate(at(strength, { steps: 100 }))).images, images));
  assert.ok(distances[0] < 5, `${distances[0]} levels`);
  for (const [i, value] of distances.entries()) if (i > 0) assert.ok(value > 1.2 * distances[i - 1], `${distances}`);
});

test('at full strength the image is lost in the noise: what is left is the run from noise', async () => {
  // At timestep 999 the amplitude of the image is 5e-5.
  assertSameImages((await generate(at(1))).images, (await generate(generateOptions())).images, 'strength 1');
});

test('the image that comes out depends on its start, its seed and its class', async () => {
  const draw = async (options: Partial<GenerateOptions>) => (await generate(at(0.6, { classes: [0], seeds: [1], images: images.slice(0, pixels), ...options }))).images;
  const first = await draw({});
  assert.equal(await draw({}), first);
  assert.not.equal(await draw({ images: images.slice(pixels, 2 * pixels) }), first);
  assert.not.equal(await draw({ seeds: [2] }), first);
  assert.not.equal(await draw({ classes: [1] }), first);
});

test('inversion: DDIM backwards, step by step, then forwards with classifier-free guidance', async () => {
  const options = inverted(0.5, { steps: 4, guidanceScale: 1.5 });
  const { alphasCumprod } = await core.noiseSchedule(denoiserSpec.schedule);
  const alpha = (timestep: number): number => (timestep < 0 ? 1 : alphasCumprod[timestep]);
  const output = async (x: Float32Array, timestep: number, classes: ArrayLike<number>) =>
    (await core.denoiserGradient(generator.handle, { x, timesteps: Array.from(classes, () => timestep), classes, direction: x })).output;
  let x = toPlanes(images);
  // [where it is, what the network is told, where it goes]
  for (const [here, told, there] of [[-1, 249, 249], [249, 499, 499], [499, 499, 249], [249, 249, -1]]) {
    let v = await output(x, told, options.classes);
    if (there < here) {
      const none = await output(x, told, Array.from(options.classes, () => 2)); // the null class
      v = v.map((value, i) => none[i] + 1.5 * (value - none[i]));
    }
    const [signal, noise] = [Math.sqrt(alpha(here)), Math.sqrt(1 - alpha(here))];
    x = x.map((value, i) => {
      const x0 = Math.min(1, Math.max(-1, signal * value - noise * v[i]));
      return Math.sqrt(alpha(there)) * x0 + Math.sqrt(1 - alpha(there)) * (noise * value + signal * v[i]);
    });
  }
  const expected = rows(x, pixels);
  for (const [i, image] of rows((await generate(options)).images, pixels).entries()) assertSameImages(image, toPixels(expected[i]), `image ${i}`);
});

test('an inverted image comes back in many steps, whatever the seed; with noise added it does not', async () => {
  const options = inverted(0.5, { steps: 200 });
  const returned = (await generate(options)).images;
  assert.ok(distance(returned, images) < 3, `${distance(returned, images)} levels`);
  assert.ok(distance((await generate(at(0.5, { steps: 200 }))).images, images) > 30);
  assert.equal((await generate({ ...options, seeds: [1, 2, 3, 4, 5, 6, 7, 8] })).images, returned);
});

for (const kind of ['image', 'inversion'] as const) {
  for (const sampler of ['ddim', 'ddpm', 'dpm-solver++-2m', 'euler'] as const) {
    if (kind === 'inversion' && sampler !== 'ddim') continue;
    for (const [name, guidance] of Object.entries({ unguided: { kind: 'none' } as Guidance, 'guided per step': step, 'guided through the chain': chain })) {
      if (guidance.kind === 'chain' && sampler === 'dpm-solver++-2m') continue;
      test(`the same in any batch, ${kind}, ${sampler}, ${name}`, async () => {
        const draw = async (batchSize: number) => (await generate(at(0.6, { start: startOf(kind, 0.6), sampler, guidance, batchSize }))).images;
        const whole = await draw(8);
        for (const batchSize of [1, 3]) assertSameImages(await draw(batchSize), whole, `batches of ${batchSize}`);
        assert.equal(await draw(8), whole, 'a repetition is exact');
      });
    }
  }
}

for (const kind of ['image', 'inversion'] as const) test(`guidance raises the objective from where the image stands, ${kind}`, async () => {
  const disagreement = async (guidance: Guidance): Promise<number> => {
    const options = at(0.6, { start: startOf(kind, 0.6), guidance, steps: 10 });
    const { teacherProbabilities, studentProbabilities } = await generate(options);
    return mean(Array.from(options.classes, (label, i) => teacherProbabilities![2 * i + label] - studentProbabilities![2 * i + label]));
  };
  const unguided = await disagreement({ kind: 'none' });
  for (const guidance of [step, { ...chain, iterations: 5 }]) assert.ok((await disagreement(guidance)) > unguided + 0.001, guidance.kind);
});

test('in latents: the mode of the image, with the noise and the steps of half the strength', async () => {
  const folder = pipelineFolder();
  using latent = await pretrainedGenerator(engine, { path: folder, prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' }, { classes: ['dark', 'bright'], imageSize: 32 });
  using autoencoder = await Autoencoder.load(engine, join(folder, 'vae/diffusion_pytorch_model.safetensors'), autoencoderConfig(JSON.parse(readFileSync(join(folder, 'vae/config.json'), 'utf8')), folder));
  const [one, other] = [await tinyClassifier(engine, 2, { imageSize: 32 }), await tinyClassifier(engine, 3, { imageSize: 32 })];
  const pair = { teacher: one.handle, student: other.handle };
  const photographs = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * 7 + Math.floor(i / 96) * 5) % 256);
  const options = generateOptions({ classes: [0, 1], seeds: [5, 6], images: photographs, start: { kind: 'image', strength: 0.5 }, steps: 4, guidanceScale: 2 });

  const start = await autoencoder.encode(photographs, 32);
  const { noise } = await core.initialNoise({ seeds: options.seeds, size: 32 });
  const own = Float32Array.from(rows(noise, 3 * 32 * 32).flatMap((row) => Array.from(row.subarray(0, start.length / 2)))); // the same numbers, whatever the shape
  const { alphasCumprod } = await core.noiseSchedule(latent.spec.schedule);
  // Leading with an offset of 1: 751, 501, 251, 1. The last step ends at the noise of timestep 0.
  const run = { schedule: latent.spec.schedule, timesteps: [251, 1], last: alphasCumprod[0], clip: Infinity, start, noise: own };
  const x = await ddim(run, (x, timestep) => prediction(latent, pair, x, timestep, options));
  const { images: drawn } = await core.generate(latent.handle, pair, options);
  assertSameImages(drawn, await autoencoder.decode(x, 32), 'latents');
});

test('what does not fit is refused', async () => {
  const message = async (options: GenerateOptions): Promise<string> => (await failure(() => engine.run((core) => core.generate(generator.handle, opponents, options)), 'usage')).message;
  assert.match(await message(at(0.5, { images: null })), 'expected one to start from for each sample, found none');
  assert.match(await message(at(0.5, { images: images.slice(pixels) })), 'each of 8 samples, found 7');
  assert.match(await message(at(0.5, { images: images.slice(1) })), 'expected a multiple of 768 bytes');
  assert.match(await message(generateOptions({ images })), 'expected null where sampling starts from noise');
  assert.match(await message(at(0.5, { start: { kind: 'video' } as never })), "Unknown start 'video'; expected noise, image or inversion");
  for (const strength of [0, 1.5]) assert.match(await message(at(strength)), 'strength must be above 0 and at most 1');
  for (const options of [{ sampler: 'euler' as const }, { eta: 0.5 }]) {
    const error = await failure(() => engine.run((core) => core.generate(generator.handle, opponents, inverted(0.5, options))), 'config');
    assert.match(error.message, 'expected the sampler ddim with eta 0');
  }
  const { precision, steps, sampler, eta, guidanceScale, start, guidance } = at(0.1);
  const error = await failure(() => engine.run((core) => core.checkSampling(generator.handle, { precision, steps, sampler, eta, guidanceScale, start, guidance })), 'usage');
  assert.match(error.message, 'steps and strength leave no step');
});

test.run();
