/**
 * What runs on the CPU runs on a GPU as well, with the same result; where there is none this says so and leaves it out.
 * All tests of the core and the parity tests run there with `SPARRING_TEST_DEVICE=cuda npm test native parity`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { buildNetwork, imagenet, networkNamed } from '../../lib/models/catalog.js';
import type { Precision } from '../../lib/native/contract.js';
import { Engine } from '../../lib/native/engine.js';
import { findAddon } from '../../lib/native/load.js';
import { Classifier } from '../../lib/native/models.js';
import { openBoth } from '../support/cuda.js';
import { normals, relativeError } from '../support/numeric.js';
import { batch, classifierSpec, exact, failure, fromNoise, fullAugmentation, generateOptions, pixels, randomImages, temporaryFolder, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';

const engines = await openBoth();
const folder = temporaryFolder();
const classIndices = [0, 1, 1, 0];

/** A small generator and two classifiers, from these seeds the same on every device. */
async function create(engine: Engine, seeds: { denoiser: number; teacher: number; student: number }) {
  return { denoiser: await tinyGenerator(engine, seeds.denoiser), teacher: await tinyClassifier(engine, seeds.teacher), student: await tinyClassifier(engine, seeds.student) };
}

test('auto is a GPU where there is one, else the CPU', async () => {
  const { device, core } = await Engine.open({ threads: 1 });
  assert.is(device, engines ? 'cuda' : 'cpu');
  assert.is(core.info().cuda, engines !== undefined);
});

if (engines) {
  const { cpu, gpu } = engines;

  for (const name of ['resnet18', 'mobilenetv3_small_100', 'vit_tiny_patch16', 'tiny_vit_5m', 'convnext_tiny', 'efficientnet_b0']) {
    test(`${name}: logits and gradient to the image, fp32 and bf16`, async () => {
      const path = join(folder, `${name}.safetensors`);
      using onCpu = await buildNetwork(cpu, networkNamed(name), { ...imagenet, imageSize: 64 }, 3) as Classifier;
      await onCpu.save(path);
      using onGpu = await Classifier.load(gpu, path);
      const options = { x: normals(1, 2 * 3 * 64 * 64), direction: normals(2, 2 * onCpu.classes.length) };
      const pass = (model: Classifier, precision: Precision) => model.engine.run((core) => core.classifierGradient(model.handle, { ...options, precision }));
      const expected = await pass(onCpu, 'fp32');
      const found = await pass(onGpu, 'fp32');
      assert.ok(relativeError(found.logits, expected.logits) < 1e-4, `${relativeError(found.logits, expected.logits)}`);
      assert.ok(relativeError(found.gradient, expected.gradient) < 1e-3, `${relativeError(found.gradient, expected.gradient)}`);
      const rounded = await pass(onGpu, 'bf16');
      assert.ok(relativeError(rounded.logits, expected.logits) < 0.1, `${relativeError(rounded.logits, expected.logits)}`);
    });
  }

  test('guidance per step and through the chain', async () => {
    const roles = { denoiser: 1, teacher: 2, student: 3 };
    const x = normals(3, classIndices.length * pixels);
    const gradients = async (engine: Engine) => {
      const models = await create(engine, roles);
      const opponents = { teacher: models.teacher.handle, student: models.student.handle };
      const shared = { ...exact, x, classes: classIndices, guidanceScale: 2, precision: 'fp32' as const, objective: { form: 'difference' as const, gamma: 1, terms: 'both' as const } };
      return [
        await engine.run((core) => core.guidanceGradient(models.denoiser.handle, opponents, { ...shared, timestep: 599, repeat: 1 })),
        await engine.run((core) => core.chainGradient(models.denoiser.handle, opponents, { ...shared, ...fromNoise, steps: 4, sampler: 'ddim', eta: 0, segmentSteps: 2 })),
      ];
    };
    const expected = await gradients(cpu);
    for (const [i, { gradient, score }] of (await gradients(gpu)).entries()) {
      assert.ok(relativeError(score, expected[i].score) < 1e-4, `score ${i}: ${relativeError(score, expected[i].score)}`);
      assert.ok(relativeError(gradient, expected[i].gradient) < 1e-3, `gradient ${i}: ${relativeError(gradient, expected[i].gradient)}`);
    }
  });

  // Without libsparring_cuda.so nothing is recorded, and these hold all the same.
  const graphs = findAddon().loader.kernels().loaded;

  for (const precision of ['fp32', 'bf16'] as const) {
    test(`recorded steps in ${precision}: the bits of those that are not`, async () => {
      const { denoiser, teacher, student } = await create(gpu, { denoiser: 1, teacher: 2, student: 3 });
      const opponents = { teacher: teacher.handle, student: student.handle };
      const shared = { ...exact, timesteps: [999, 799, 599, 300, 20], precision, objective: { form: 'difference' as const, gamma: 1, terms: 'both' as const }, repeat: 1 };
      for (const count of [1, 4]) {
        const batch = { x: normals(3, count * pixels), classes: classIndices.slice(0, count) };
        for (const scale of [0, 0.3]) {
          for (const more of [{ guidanceScale: 1 }, { guidanceScale: 2 }, { guidanceScale: 1, gradient: 'x0' as const }]) {
            const predict = (recorded: boolean) => gpu.run((core) => core.guidedPredictions(denoiser.handle, opponents, { ...shared, ...batch, ...more, scale, recorded }));
            const [expected, found] = [await predict(false), await predict(true)];
            assert.equal([expected.graphs[0], found.graphs[0]], [0, graphs ? 1 : 0]);
            const what = `${count} images, scale ${scale}, ${JSON.stringify(more)}`;
            assert.ok(found.epsilon.every(Number.isFinite), what);
            assert.equal(found.x0, expected.x0, what);
            assert.equal(found.epsilon, expected.epsilon, what);
          }
        }
      }
    });
  }

  test('steps with cutouts, which the host draws, are not recorded', async () => {
    const { denoiser, teacher, student } = await create(gpu, { denoiser: 1, teacher: 2, student: 3 });
    const options = { ...exact, cutouts: { count: 2, leastSide: 0.7, noise: 0.1 }, x: normals(3, 2 * pixels), classes: [0, 1], timesteps: [600, 500, 400], guidanceScale: 1, scale: 0.1, precision: 'fp32' as const, objective: { form: 'difference' as const, gamma: 1, terms: 'both' as const }, repeat: 1 };
    const { graphs: count } = await gpu.run((core) => core.guidedPredictions(denoiser.handle, { teacher: teacher.handle, student: student.handle }, { ...options, recorded: true }));
    assert.is(count[0], 0);
  });

  test('images do not depend on the batch that they are recorded in, also where the last one is smaller', async () => {
    const { denoiser, teacher, student } = await create(gpu, { denoiser: 4, teacher: 5, student: 6 });
    const guidance = { kind: 'step', objective: { form: 'difference', gamma: 1, terms: 'both' }, scale: 0.1, from: 1, until: 0.4, schedule: 'constant', ...exact } as const;
    const draw = (batchSize: number) => denoiser.generate({ teacher, student }, generateOptions({ guidance, batchSize }));
    const [whole, parts, again] = [await draw(8), await draw(3), await draw(3)];
    assert.equal(again, parts);
    const worst = whole.images.reduce((most, value, i) => Math.max(most, Math.abs(value - parts.images[i])), 0);
    assert.ok(worst <= 1, `levels differ by up to ${worst}`);
  });

  for (const sampler of ['ddim', 'dpm-solver++-2m'] as const) {
    test(`guided images, ${sampler}: those of the CPU, and bit for bit the same again`, async () => {
      const draw = async (engine: Engine) => {
        const { denoiser, teacher, student } = await create(engine, { denoiser: 4, teacher: 5, student: 6 });
        const guidance = { kind: 'step', objective: { form: 'difference', gamma: 1, terms: 'both' }, scale: 0.1, from: 1, until: 0.4, schedule: 'constant', ...exact } as const;
        return denoiser.generate({ teacher, student }, generateOptions({ sampler, guidance }));
      };
      const [expected, first, second] = [await draw(cpu), await draw(gpu), await draw(gpu)];
      assert.equal(first, second);
      const worst = expected.images.reduce((most, value, i) => Math.max(most, Math.abs(value - first.images[i])), 0);
      assert.ok(worst <= 2, `levels differ by up to ${worst}`);
      assert.ok(relativeError(first.teacherProbabilities!, expected.teacherProbabilities!) < 1e-2);
    });
  }

  for (const precision of ['fp32', 'bf16'] as const) {
    test(`training in ${precision}: the losses of the CPU, and bit for bit the same weights again`, async () => {
      const train = async (engine: Engine, type: Precision, file: string) => {
        const { denoiser, teacher, student } = await create(engine, { denoiser: 7, teacher: 8, student: 9 });
        const options = trainerOptions({ precision: type, augment: fullAugmentation, emaDecay: 0.9, clipNorm: 1 });
        const trainers = [
          await engine.run((core) => core.createClassifierTrainer(student.handle, teacher.handle, { ...options, mixing: { cutMix: 0.3, mixUp: 0.3 }, temperature: 1, labelWeight: 0.5 })),
          await engine.run((core) => core.createDenoiserTrainer(denoiser.handle, { ...options, labelDropout: 0.1 })),
        ];
        const losses: number[] = [];
        for (const trainer of trainers) {
          for (let step = 0; step < 4; step++) {
            const { images, labels } = batch(step);
            losses.push((await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 2e-3, step }))).loss);
          }
        }
        for (const [i, trainer] of trainers.entries()) await engine.run((core) => core.saveTrainer(trainer, `${file}-${i}`));
        return Float32Array.from(losses);
      };
      const files = [join(folder, `${precision}-1`), join(folder, `${precision}-2`)];
      const expected = await train(cpu, 'fp32', join(folder, `${precision}-cpu`));
      const found = await train(gpu, precision, files[0]);
      assert.ok(relativeError(found, expected) < (precision === 'fp32' ? 1e-3 : 0.05), `${relativeError(found, expected)}`);
      assert.equal(await train(gpu, precision, files[1]), found);
      for (const i of [0, 1]) assert.ok(readFileSync(`${files[0]}-${i}`).equals(readFileSync(`${files[1]}-${i}`)), `trainer ${i}`);
    });
  }

  for (const precision of ['fp32', 'bf16'] as const) {
    test(`recorded training steps in ${precision}: the bits of those that are not, with mixing and weights too`, async () => {
      const path = join(folder, `recorded-${precision}`);
      const options = trainerOptions({ precision, augment: fullAugmentation, emaDecay: 0.9, clipNorm: 0.1 });
      const kinds = {
        plain: (teacher: Classifier, student: Classifier) => gpu.run((core) => core.createClassifierTrainer(student.handle, teacher.handle, { ...options, mixing: { cutMix: 0, mixUp: 0 }, temperature: 2, labelWeight: 0 })),
        full: (teacher: Classifier, student: Classifier) => gpu.run((core) => core.createClassifierTrainer(student.handle, teacher.handle, { ...options, mixing: { cutMix: 0.3, mixUp: 0.3 }, temperature: 1, labelWeight: 0.5 })),
        generator: (_: Classifier, __: Classifier, denoiser: Generator) => gpu.run((core) => core.createDenoiserTrainer(denoiser.handle, { ...options, labelDropout: 0.1 })),
      };
      for (const [kind, make] of Object.entries(kinds)) {
        const trainer = async () => {
          const { denoiser, teacher, student } = await create(gpu, { denoiser: 7, teacher: 8, student: 9 });
          return make(teacher, student, denoiser);
        };
        const train = async (handle: Awaited<ReturnType<typeof trainer>>, step: number) => {
          // The fourth has another size, and is run as it is.
          const count = step === 3 ? 5 : 8;
          const { images, labels } = batch(step, count);
          const more = kind === 'full' ? { weights: Float32Array.from({ length: count }, (_, i) => i / 4), losses: true } : {};
          return gpu.run((core) => core.trainStep(handle, images, labels, { learningRate: 2e-3, step, ...more }));
        };
        const whole = await trainer();
        for (let step = 0; step < 6; step++) {
          const found = await train(whole, step);
          assert.is(gpu.core.trainerIsRecorded(whole), graphs && step > 0, `${kind}, step ${step}`);
          // The first step of a trainer is never a recording.
          const single = await trainer();
          if (step > 0) await gpu.run((core) => core.loadTrainer(single, path));
          assert.equal(found, await train(single, step), `${kind}, step ${step}`);
          await gpu.run((core) => core.saveTrainer(single, path));
        }
        await gpu.run((core) => core.saveTrainer(whole, `${path}-whole`));
        assert.ok(readFileSync(path).equals(readFileSync(`${path}-whole`)), kind);
      }
    });
  }

  for (const name of ['resnet18', 'mobilenetv3_small_100', 'vit_tiny_patch16', 'tiny_vit_5m', 'convnext_tiny', 'efficientnet_b0']) {
    test(`${name}: its training steps are recorded, also after another use of the teacher and once weights were loaded`, async () => {
      const make = async (seed: number) => await buildNetwork(gpu, networkNamed(name), { ...imagenet, imageSize: 64 }, seed) as Classifier;
      using teacher = await make(1);
      const images = randomImages(1, 2 * (64 / size) ** 2), labels = Int32Array.of(3, 5);
      const path = join(folder, `recorded-${name}`);
      const trainer = async () => {
        const student = await make(2);
        return gpu.run((core) => core.createClassifierTrainer(student.handle, teacher.handle, { ...trainerOptions({ precision: 'bf16' }), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 }));
      };
      const [whole, single] = [await trainer(), await trainer()];
      const train = (handle: typeof whole, step: number) => gpu.run((core) => core.trainStep(handle, images, labels, { learningRate: 1e-3, step }));
      const found: unknown[] = [];
      for (let step = 0; step < 6; step++) {
        // Its frozen copy is made anew, in another precision.
        if (step === 3) await gpu.run((core) => core.classifierGradient(teacher.handle, { x: normals(1, 3 * 64 * 64), direction: normals(2, teacher.classes.length), precision: 'fp32' }));
        found.push(await train(whole, step));
        assert.is(gpu.core.trainerIsRecorded(whole), graphs && step !== 0 && step !== 3, `step ${step}`);
        if (step === 1) await gpu.run((core) => core.saveTrainer(whole, path));
      }
      for (const handle of [single, whole]) {
        await gpu.run((core) => core.loadTrainer(handle, path));
        for (let step = 2; step < 6; step++) assert.equal(await train(handle, step), found[step], `step ${step}`);
      }
    });
  }

  test('training goes on on the CPU from what a GPU saved', async () => {
    const path = join(folder, 'half-way');
    const losses = async (engine: Engine, from: number, to: number): Promise<number[]> => {
      const { teacher, student } = await create(engine, { denoiser: 1, teacher: 8, student: 9 });
      const options = { ...trainerOptions({ augment: fullAugmentation, emaDecay: 0.9 }), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 };
      const trainer = await engine.run((core) => core.createClassifierTrainer(student.handle, teacher.handle, options));
      if (from > 0) await engine.run((core) => core.loadTrainer(trainer, path));
      const found: number[] = [];
      for (let step = from; step < to; step++) {
        const { images, labels } = batch(step);
        found.push((await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 1e-3, step }))).loss);
      }
      if (to === 3) await engine.run((core) => core.saveTrainer(trainer, path));
      return found;
    };
    const whole = await losses(gpu, 0, 6);
    assert.equal(await losses(gpu, 0, 3), whole.slice(0, 3));
    assert.equal(await losses(gpu, 3, 6), whole.slice(3));
    assert.ok(relativeError(await losses(cpu, 3, 6), whole.slice(3)) < 1e-3);
  });

  test('a classifier judges uint8 images alike', async () => {
    const images = randomImages(1, 8);
    const [onCpu, onGpu] = [await create(cpu, { denoiser: 1, teacher: 2, student: 3 }), await create(gpu, { denoiser: 1, teacher: 2, student: 3 })];
    assert.ok(relativeError(await onGpu.teacher.logits(images), await onCpu.teacher.logits(images)) < 1e-4);
  });

  test('a device that is not there', async () => {
    const device = `cuda:${gpu.core.info().cudaDevices}`;
    const error = await failure(() => gpu.run((core) => core.createClassifier({ ...classifierSpec, device, seed: 0 })), 'environment');
    assert.match(error.message, device);
  });
}

test.run();
