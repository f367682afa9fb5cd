/** Guidance by prototypes with small random networks in fp32: the energy and its gradient, the move, and what generation does with it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import type { Generated, GenerateOptions, PrototypeGuidance, Prototypes } from '../../lib/native/contract.js';
import { dot, mean, norm, normals, relativeError, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { assertSameImages, denoiserSpec, exact, failure, fromNoise, generateOptions, openEngine, pixels, randomImages, size, tinyClassifier, tinyGenerator, toPixels } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator = await tinyGenerator(engine, 1);
const width = 8;
const teacher = await tinyClassifier(engine, 2, { architecture: { family: 'cnn', width: 4, stages: 2 } });
const opponents = { teacher: teacher.handle };

const unit = (vector: Float32Array): Float32Array => vector.map((value) => value / norm(vector));
/** Unit vectors around those of random images: two classes, three parts each. */
const prototypes: Prototypes = await (async () => {
  const features = rows(await teacher.features(randomImages(9, 8)), width).map((row, i) => unit(row.map((value, d) => value * (1 + 0.5 * normals(50 + i, width)[d]))));
  const flat = (vectors: Float32Array[]) => Float32Array.from(vectors.flatMap((vector) => Array.from(vector)));
  return { global: flat(features.slice(0, 2)), local: flat(features.slice(2)) };
})();
const guide = (options: Partial<PrototypeGuidance> = {}): PrototypeGuidance => ({ kind: 'prototypes', rate: 10, radius: 0.2, remaining: 0.4, span: 2, ...options });
const images = randomImages(6, 8);
const options = (more: Partial<GenerateOptions> = {}): GenerateOptions => generateOptions({ steps: 10, start: { kind: 'image', strength: 0.5 }, images, guidance: guide(), prototypes, ...more });
const generate = (more: Partial<GenerateOptions> = {}): Promise<Generated> => core.generate(generator.handle, opponents, options(more));

/** |f - p| + |f - q| of unit features, [B]. */
async function distances(given: Uint8Array, labels: ArrayLike<number>): Promise<number[]> {
  const [global, local] = [rows(prototypes.global, width), rows(prototypes.local, width)];
  const between = (a: Float32Array, b: Float32Array) => norm(a.map((value, i) => value - b[i]));
  return rows(await teacher.features(given), width).map(unit).map((f, i) => {
    const label = labels[i];
    return between(f, global[label]) + Math.min(...local.slice(3 * label, 3 * label + 3).map((q) => between(f, q)));
  });
}

// The step that is guided has 4 of 10 steps left: trailing timesteps 399, 299, 199, 99.
const here = { classes: [0, 1], ...generateOptions({ steps: 10 }), guidanceScale: 1.5, ...fromNoise };
const evaluate = (x: Float32Array, scale: Float32Array, bias: Float32Array, guidance = guide()) =>
  core.prototypeGradient(generator.handle, opponents, { ...here, classes: [0, 1], x, scale, bias, guidance, prototypes });
const x = normals(5, 2 * pixels).map((value) => 0.5 * value);
const scale = Float32Array.from([0.4, 0.1, 0.8, 0.3, 0.6, 0.2]), bias = Float32Array.from([0.3, -0.2, 0.1, -0.4, 0.2, 0.1]);

for (const span of [1, 2, 3]) {
  test(`gradient of the energy of ${span} steps by s and b, against finite differences`, async () => {
    const guidance = guide({ span });
    const { scaleGradient, biasGradient } = await evaluate(x, scale, bias, guidance);
    const gradient = Float32Array.of(...scaleGradient, ...biasGradient), at = Float32Array.of(...scale, ...bias);
    assert.ok(norm(scaleGradient) > 1e-4 && norm(biasGradient) > 1e-4, `${gradient}`);
    const distance = 0.01;
    for (const [i, direction] of [...[21, 22, 23, 24].map((seed) => normals(seed, at.length)), gradient].entries()) {
      const step = direction.map((value) => value / norm(direction));
      const energy = async (offset: number) => {
        const moved = at.map((value, j) => value + offset * step[j]);
        return (await evaluate(x, moved.slice(0, 6), moved.slice(6), guidance)).energy.reduce((sum, value) => sum + value, 0);
      };
      const expected = ((await energy(distance)) - (await energy(-distance))) / (2 * distance);
      const found = dot(gradient, step);
      assert.ok(Math.abs(found - expected) < 1e-2 * norm(gradient), `direction ${i}: ${found}, by finite differences ${expected}`);
    }
  });
}

test('the energy is the distance of the predicted images from both prototypes, the mean of two steps of DDIM', async () => {
  const { alphasCumprod } = await core.noiseSchedule(denoiserSpec.schedule);
  const pair = { ...opponents, student: teacher.handle };
  const plane = size * size;
  let now = x.map((value, i) => (1 + scale[Math.floor(i / plane)]) * value + bias[Math.floor(i / plane)]);
  const expected = [0, 0];
  for (const [timestep, next] of [[399, 299], [299, 199]]) {
    const { x0: predicted } = await core.guidanceGradient(generator.handle, pair, { x: now, timestep, classes: [0, 1], guidanceScale: 1.5, precision: 'fp32', objective: { form: 'difference', gamma: 1, terms: 'both' }, repeat: 1, ...exact });
    const [alpha, after] = [alphasCumprod[timestep], alphasCumprod[next]];
    const epsilon = now.map((value, i) => (value - Math.sqrt(alpha) * predicted[i]) / Math.sqrt(1 - alpha));
    const x0 = predicted.map((value) => Math.min(1, Math.max(-1, value)));
    const seen = Uint8Array.from(rows(x0, pixels).flatMap((image) => Array.from(toPixels(image))));
    (await distances(seen, [0, 1])).forEach((value, i) => (expected[i] += value / 2));
    now = epsilon.map((value, i) => Math.sqrt(after) * x0[i] + Math.sqrt(1 - after) * value);
  }
  const { energy } = await evaluate(x, scale, bias);
  assert.ok(relativeError(energy, expected) < 2e-3, `${energy}, expected ${expected}`); // features of 8-bit images
});

test('x goes one step down the gradient, and no further than the radius', async () => {
  const plane = size * size;
  for (const guidance of [100, 0.2, 0.01].map((radius) => guide({ rate: 2, radius }))) {
    const { x: moved, scaleGradient, biasGradient } = await evaluate(x, scale, bias, guidance);
    const expected = x.map((value, i) => {
      const channel = Math.floor(i / plane);
      const free = (1 + scale[channel] - 2 * scaleGradient[channel]) * value + bias[channel] - 2 * biasGradient[channel];
      return Math.min(value + guidance.radius, Math.max(value - guidance.radius, free));
    });
    assert.ok(relativeError(moved, expected) < 1e-6);
    const shares = moved.filter((value, i) => Math.abs(Math.abs(value - x[i]) - guidance.radius) < 1e-6).length / x.length;
    assert.ok(guidance.radius === 100 ? shares === 0 : guidance.radius === 0.2 ? shares > 0 && shares < 1 : shares > 0.8, `${shares} of x stopped at ${guidance.radius}`);
  }
});

test('s is uniform in 0..1 and b standard normal at first, by the seed of the image alone', async () => {
  const seeds = Array.from({ length: 2000 }, (_, i) => i);
  const drawn = await core.perturbation({ seeds, channels: 4 });
  const moments = (values: Float32Array) => [mean(values), mean(values.map((value) => value ** 2))];
  const [[s, ss], [b, bb]] = [moments(drawn.scale), moments(drawn.bias)];
  assert.ok(Math.min(...drawn.scale) >= 0 && Math.max(...drawn.scale) < 1);
  assert.ok(Math.abs(s - 1 / 2) < 0.02 && Math.abs(ss - 1 / 3) < 0.02 && Math.abs(b) < 0.05 && Math.abs(bb - 1) < 0.1, `${[s, ss, b, bb]}`);
  const alone = await core.perturbation({ seeds: [7], channels: 4 });
  assert.equal([alone.scale, alone.bias], [drawn.scale.slice(28, 32), drawn.bias.slice(28, 32)]);
});

test('a run is moved once, where its share of the steps is left', async () => {
  const { classes, seeds } = options();
  const { alphasCumprod } = await core.noiseSchedule(denoiserSpec.schedule);
  const { noise } = await core.initialNoise({ seeds, size });
  const drawn = await core.perturbation({ seeds, channels: 3 });
  const start = Float32Array.from(images, (_, i) => {
    const plane = size * size, [image, channel, place] = [Math.floor(i / (3 * plane)), Math.floor(i / plane) % 3, i % plane];
    return images[image * 3 * plane + place * 3 + channel] / 127.5 - 1;
  });
  let now = start.map((value, i) => Math.sqrt(alphasCumprod[499]) * value + Math.sqrt(1 - alphasCumprod[499]) * noise[i]);
  const timesteps = [499, 399, 299, 199, 99];
  for (const [i, timestep] of timesteps.entries()) {
    if (timestep === 399) ({ x: now } = await core.prototypeGradient(generator.handle, opponents, { ...options(), ...drawn, x: now, guidance: guide(), prototypes }));
    const { x0 } = await core.guidanceGradient(generator.handle, { ...opponents, student: teacher.handle }, { x: now, timestep, classes, guidanceScale: 1, precision: 'fp32', objective: { form: 'difference', gamma: 1, terms: 'both' }, repeat: 1, ...exact });
    const [alpha, after] = [alphasCumprod[timestep], alphasCumprod[timesteps[i + 1]] ?? 1];
    now = now.map((value, j) => Math.sqrt(after) * Math.min(1, Math.max(-1, x0[j])) + (Math.sqrt(1 - after) * (value - Math.sqrt(alpha) * x0[j])) / Math.sqrt(1 - alpha));
  }
  const expected = rows(now, pixels).map(toPixels);
  rows((await generate()).images, pixels).forEach((image, i) => assertSameImages(image, expected[i], `image ${i}`));
});

test('a radius of nothing is no guidance; with little left the last step is moved, with much the first', async () => {
  const unguided = (await generate({ guidance: { kind: 'none' } })).images;
  assert.equal((await generate({ guidance: guide({ radius: 0 }) })).images, unguided);
  const at = async (remaining: number) => (await generate({ guidance: guide({ remaining }) })).images;
  const first = await at(0.5);
  assert.equal(await at(1), first);
  assert.not.equal(await at(0.4), first);
  assert.not.equal(await at(1e-6), unguided);
  assert.equal(await at(1e-6), await at(0.1));
});

test('the images come nearer to their prototypes, and further away with the opposite rate', async () => {
  const classes = Array.from({ length: 16 }, (_, i) => i % 2), seeds = classes.map((_, i) => 100 + i);
  const distance = async (rate: number): Promise<number> => mean(await distances((await generate({ classes, seeds, images: randomImages(7, 16), batchSize: 16, guidance: guide({ rate, radius: 0.5 }) })).images, classes));
  const [towards, nowhere, away] = [await distance(1), await distance(0), await distance(-1)]; // 10 is further than the minimum of networks this small
  assert.ok(towards < nowhere - 0.02 && nowhere < away - 0.02, `${[towards, nowhere, away]}`);
});

for (const sampler of ['ddim', 'ddpm', 'dpm-solver++-2m', 'euler'] as const) {
  for (const start of [fromNoise, { start: { kind: 'image', strength: 0.5 }, images }] as const) {
    test(`the same in any batch, ${sampler}, from ${start.start.kind}`, async () => {
      const whole = (await generate({ sampler, ...start })).images;
      for (const batchSize of [1, 3]) assertSameImages((await generate({ sampler, ...start, batchSize })).images, whole, `batches of ${batchSize}`);
      assert.equal((await generate({ sampler, ...start })).images, whole, 'a repetition is exact');
    });
  }
}

test('in latents, with texts: the same in any batch, and another image than unguided', async () => {
  using latent = await pretrainedGenerator(engine, { path: pipelineFolder(), prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' }, { classes: ['dark', 'bright'], imageSize: 32 });
  using judge = await tinyClassifier(engine, 2, { imageSize: 32 });
  const draw = async (more: Partial<GenerateOptions>) =>
    (await core.generate(latent.handle, { teacher: judge.handle }, options({ classes: [0, 1], seeds: [1, 2], images: randomImages(3, 8), guidanceScale: 2, ...more }))).images;
  const whole = await draw({});
  assertSameImages(await draw({ batchSize: 1 }), whole, 'batches of one');
  assert.not.equal(await draw({ guidance: { kind: 'none' } }), whole);
});

test('what does not fit is refused', async () => {
  const refused = async (more: Partial<GenerateOptions>, expected: RegExp, judges: { teacher?: typeof teacher.handle } = opponents) =>
    assert.match((await failure(() => engine.run((core) => core.generate(generator.handle, judges, options(more))), 'usage')).message, expected);
  await refused({}, /needs a teacher/, {});
  await refused({ prototypes: undefined }, /'prototypes': expected an object/);
  await refused({ prototypes: { global: new Float32Array(6), local: new Float32Array(6) } }, /expected vectors of the 8 features of the teacher, found 3 numbers each/);
  await refused({ prototypes: { global: prototypes.global, local: prototypes.local.slice(1) } }, /as many local ones for each of them, found 16 and 47 numbers/);
  for (const bad of [{ rate: NaN }, { radius: -1 }, { remaining: 0 }, { remaining: 1.1 }, { span: 0 }]) await refused({ guidance: guide(bad) }, /expected a rate, a radius of at least 0/);
});

test.run();
