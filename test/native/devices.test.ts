/**
 * What the methods do beyond plain guidance and training: bit for bit the same when done again, and on a GPU (`device` below, where there is
 * one) as on the CPU. cuda.test.ts has the rest.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AutoencoderSpec, DiscreteAttack, DistillationOptions, StepOptions, ViewPolicy } from '../../lib/native/contract.js';
import type { Engine } from '../../lib/native/engine.js';
import { Autoencoder } from '../../lib/native/models.js';
import { openBoth } from '../support/cuda.js';
import { relativeError, rows } from '../support/numeric.js';
import { batch, fullAugmentation, generateOptions, openEngine, pixels, plainChain, randomImages, size, temporaryFolder, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';

const engines = await openBoth();
const cpu = engines?.cpu ?? await openEngine({ on: 'cpu' }), device = engines?.gpu ?? cpu;
const folder = temporaryFolder();
const vqganSpec: AutoencoderSpec = { kind: 'vqgan', blockChannels: [8, 16], attention: [0, 1], layersPerBlock: 1, normGroups: 4, latentChannels: 4, numCodes: 64, codeChannels: 3 };
const adversarial: DiscreteAttack = { variant: 'adversarial', norm: 'l2', epsilon: 5, stepSize: 5, steps: 2, randomStart: 0.5 };
const images = randomImages(1, 8), labels = Int32Array.of(0, 1, 1, 0, 1, 0, 0, 1), seeds = [1, 2, 3, 4, 5, 6, 7, 8];

test('discrete adversaries: those of the CPU up to single codes, the same again', async () => {
  const draw = async (engine: Engine) => {
    using discretiser = await Autoencoder.create(engine, vqganSpec, 1);
    using teacher = await tinyClassifier(engine, 2);
    return teacher.discreteAdversaries(discretiser, images, labels, { ...adversarial, seeds });
  };
  const [expected, first, second] = [await draw(cpu), await draw(device), await draw(device)];
  assert.equal(first, second);
  // A code that rounding turns to its neighbour changes a part of one image.
  const alike = rows(first.images, pixels).filter((image, i) => image.every((value, j) => Math.abs(value - expected.images[i * pixels + j]!) <= 1)).length;
  assert.ok(alike >= 6, `${alike} of 8 images`);
});

for (const kind of ['fgsm', 'pgd', 'apgd'] as const) {
  test(`${kind}: the losses of the CPU, the same images again`, async () => {
    const attack = async (engine: Engine) => {
      using model = await tinyClassifier(engine, 2);
      const options = { kind, norm: 'linf', epsilon: 8 / 255, steps: 5, stepSize: 4 / 255, randomStart: 1, seeds, precision: 'fp32' } as const;
      return engine.run((core) => core.attackedImages(model.handle, images, labels, options));
    };
    const [expected, first, second] = [await attack(cpu), await attack(device), await attack(device)];
    assert.equal(first, second);
    assert.ok(relativeError(first.losses, expected.losses) < 1e-3, `${relativeError(first.losses, expected.losses)}`);
  });
}

/** Losses and saved state of a student on the engine's device. */
const student = async (engine: Engine, name: string, options: DistillationOptions & { policy?: ViewPolicy; clipNorm?: number }, step: Partial<StepOptions> = {}) => {
  using teacher = await tinyClassifier(engine, 8);
  using own = await tinyClassifier(engine, 9);
  using discretiser = await Autoencoder.create(engine, vqganSpec, 1);
  const online = options.online && { ...options.online, discretiser: discretiser.handle };
  const trainer = await engine.run((core) =>
    core.createClassifierTrainer(own.handle, teacher.handle, { ...trainerOptions({ augment: fullAugmentation, emaDecay: 0.9 }), mixing: { cutMix: 0.3, mixUp: 0.3 }, ...options, ...(online && { online }) }));
  const losses: number[] = [];
  for (let at = 0; at < 4; at++) {
    const { images, labels } = batch(at);
    losses.push((await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 2e-3, step: at, ...step }))).loss);
  }
  const path = join(folder, name);
  await engine.run((core) => core.saveTrainer(trainer, path));
  return { losses: Float32Array.from(losses), state: readFileSync(path) };
};

const plain: DistillationOptions = { temperature: 4, labelWeight: 0.5 };
const cases: Record<string, { options: DistillationOptions & { policy?: ViewPolicy }; step?: Partial<StepOptions> }> = {
  'views of RandAugment': { options: { ...plain, policy: 'randaugment' } },
  'views of AugMix': { options: { ...plain, policy: 'augmix' } },
  'DIST': { options: { ...plain, relation: 'correlations' } },
  'counterparts': { options: { ...plain, counterparts: { weight: 0.5, target: 'own' } }, step: { counterparts: batch(77, 6).images } },
  'adversaries in each step': { options: { ...plain, online: { weight: 1, use: 'beside', attack: adversarial, discretiser: null } } },
};
for (const [name, { options, step }] of Object.entries(cases)) {
  test(`${name}: the losses of the CPU, and bit for bit the same weights again`, async () => {
    const [expected, first, second] = [await student(cpu, 'cpu', options, step), await student(device, 'first', options, step), await student(device, 'second', options, step)];
    assert.equal(first.losses, second.losses);
    assert.ok(first.state.equals(second.state));
    // The first step; later ones magnify what a code or a kink made of rounding.
    assert.ok(Math.abs(first.losses[0]! / expected.losses[0]! - 1) < (options.online ? 0.05 : 1e-3), `${first.losses}, on the CPU ${expected.losses}`);
  });
}

test('training of a VQGAN: the loss of the CPU, and bit for bit the same weights again', async () => {
  const train = async (engine: Engine, name: string) => {
    using autoencoder = await Autoencoder.create(engine, vqganSpec, 1);
    using teacher = await tinyClassifier(engine, 2);
    const options = { ...trainerOptions({ augment: fullAugmentation, emaDecay: 0.9 }), size, perceptualWeight: 1, adversarialWeight: 0.8, adversarialFrom: 2 };
    const trainer = await engine.run((core) => core.createAutoencoderTrainer(autoencoder.handle, teacher.handle, options));
    const losses: number[] = [];
    for (let step = 0; step < 5; step++) {
      const { images, labels } = batch(step, 8);
      losses.push((await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 5e-3, step }))).loss);
    }
    const path = join(folder, name);
    await engine.run((core) => core.saveTrainer(trainer, path));
    return { losses, state: readFileSync(path) };
  };
  const [expected, first, second] = [await train(cpu, 'vqgan-cpu'), await train(device, 'vqgan-1'), await train(device, 'vqgan-2')];
  assert.equal(first.losses, second.losses);
  assert.ok(first.state.equals(second.state));
  assert.ok(Math.abs(first.losses[0]! / expected.losses[0]! - 1) < 1e-3, `${first.losses}, on the CPU ${expected.losses}`);
});

for (const [name, options] of Object.entries({
  'cut-outs and moved conditions through the chain': {
    guidanceScale: 2,
    guidance: { ...plainChain, lastPredictions: 2, cutouts: { count: 3, leastSide: 0.6, noise: 0.05 }, conditions: { moved: 'both', learningRate: 0.01 } },
  },
  'null-text optimisation': { guidanceScale: 3, images, start: { kind: 'inversion', strength: 0.6, nullText: { iterations: 3, learningRate: 0.05 } } },
} as const)) {
  test(`${name}: near the images of the CPU, and the same again`, async () => {
    const draw = async (engine: Engine) => {
      using generator = await tinyGenerator(engine, 4);
      using teacher = await tinyClassifier(engine, 5);
      using opponent = await tinyClassifier(engine, 6);
      return generator.generate({ teacher, student: opponent }, generateOptions(options));
    };
    const [expected, first, second] = [await draw(cpu), await draw(device), await draw(device)];
    assert.equal(first, second);
    const error = relativeError(Float32Array.from(first.images), Float32Array.from(expected.images));
    assert.ok(error < 0.02, `${error}`);
  });
}

test.run();
