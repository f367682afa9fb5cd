/** Trainers and augmentation, with networks and images that take milliseconds. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { ClassifierHandle, DenoiserHandle, MixingOptions, ModelHandle, StepOptions, StepResult, TrainerHandle, TrainerOptions } from '../../lib/native/contract.js';
import type { Classifier } from '../../lib/native/models.js';
import { logSoftmax, mean, norm, relativeError, rows } from '../support/numeric.js';
import { plainForward } from '../support/plain-forward.js';
import { encodeSafetensors, readSafetensors, type Tensor } from '../support/safetensors.js';
import { batch, failure, fullAugmentation, generateOptions, openEngine, pixels, size, temporaryFolder, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const sgd = { kind: 'sgd', beta1: 0, beta2: 0, momentum: 0, weightDecay: 0 } as const;
const momentumSgd = { ...sgd, momentum: 0.9, weightDecay: 0.01 };

type StudentOptions = Partial<TrainerOptions> & { mixing?: MixingOptions; temperature?: number; labelWeight?: number; headOnly?: boolean };
const noMixing: MixingOptions = { cutMix: 0, mixUp: 0 };
const studentTrainer = (student: Classifier, teacher: Classifier | null, { mixing = noMixing, temperature = 1, labelWeight = 0, headOnly = false, ...options }: StudentOptions = {}) =>
  engine.run((core) => core.createClassifierTrainer(student.handle, teacher?.handle ?? null, { ...trainerOptions(options), mixing, temperature, labelWeight, headOnly }));

/** Steps [from, to), each with its own batch. */
async function train(trainer: TrainerHandle<ModelHandle>, from: number, to: number, learningRate = 0.01): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (let step = from; step < to; step++) {
    const { images, labels } = batch(step);
    results.push(await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate, step })));
  }
  return results;
}

const losses = (results: StepResult[]) => results.map(({ loss }) => loss);

async function weightsOf(model: ModelHandle): Promise<Record<string, Tensor>> {
  const path = join(folder, 'weights.safetensors');
  await core.saveWeights(model, path, {}, 'fp32');
  return readSafetensors(path).tensors;
}

async function stateOf(trainer: TrainerHandle<ModelHandle>): Promise<Buffer> {
  const path = join(folder, 'state.safetensors');
  await core.saveTrainer(trainer, path);
  return readFileSync(path);
}

/** Steps from one set of weights to another, over all trainable tensors. */
function distance(after: Record<string, Tensor>, before: Record<string, Tensor>): number {
  const names = Object.keys(before).filter((name) => /weight|bias/.test(name));
  return norm(names.flatMap((name) => Array.from(before[name].values, (value, i) => after[name].values[i] - value)));
}

test('a linear probe learns, and changes nothing below the head; afterwards all can be trained again', async () => {
  using student = await tinyClassifier(engine, 1);
  const changed = async (headOnly: boolean) => {
    const before = await weightsOf(student.handle);
    const results = await train(await studentTrainer(student, null, { headOnly }), 0, 25, 0.05);
    const after = await weightsOf(student.handle);
    return { results, names: Object.keys(before).filter((name) => norm(before[name].values.map((value, i) => value - after[name].values[i])) > 0) };
  };
  const { results, names } = await changed(true);
  assert.equal(names.sort(), ['fc.bias', 'fc.weight']);
  assert.ok(mean(losses(results).slice(-5)) < 0.8 * results[0].loss, `losses ${losses(results)}`);
  assert.ok((await changed(false)).names.length > 2);
});

for (const precision of ['fp32', 'bf16'] as const) {
  for (const [name, optimizer, learningRate] of [['AdamW', trainerOptions().optimizer, 0.02], ['SGD', momentumSgd, 0.1]] as const) {
    test(`labels are learned with ${name} in ${precision}`, async () => {
      using student = await tinyClassifier(engine, 1);
      const results = await train(await studentTrainer(student, null, { precision, optimizer }), 0, 25, learningRate);
      assert.ok(mean(losses(results).slice(-5)) < 0.5 * results[0].loss, `losses ${losses(results)}`);
      assert.is(results.at(-1)!.correct, 16);
    });
  }

  test(`a teacher is learned in ${precision}`, async () => {
    using teacher = await tinyClassifier(engine, 2);
    await train(await studentTrainer(teacher, null), 0, 25, 0.02);
    using student = await tinyClassifier(engine, 3);
    const results = await train(await studentTrainer(student, teacher, { precision }), 100, 125, 0.02);
    assert.ok(mean(losses(results).slice(-5)) < 0.6 * results[0].loss, `losses ${losses(results)}`);
    assert.is(results.at(-1)!.correct, 16);
  });

  test(`a denoiser learns in ${precision}`, async () => {
    using generator = await tinyGenerator(engine, 1);
    const trainer = await core.createDenoiserTrainer(generator.handle, { ...trainerOptions({ precision }), labelDropout: 0.1 });
    const found = losses(await train(trainer, 0, 40, 0.01));
    assert.ok(mean(found.slice(-8)) < 0.6 * mean(found.slice(0, 4)), `losses ${found}`);
  });
}

test('a denoiser trained on one colour per class draws these colours: target, noise schedule and sampler agree', async () => {
  const colours = [[40, 90, 200], [220, 160, 30]];
  const images = Uint8Array.from({ length: 16 * pixels }, (_, i) => colours[Math.floor(i / pixels) % 2]![i % 3]!);
  const labels = Int32Array.from({ length: 16 }, (_, i) => i % 2);
  using generator = await tinyGenerator(engine, 1);
  const trainer: TrainerHandle<DenoiserHandle> = await core.createDenoiserTrainer(generator.handle, { ...trainerOptions({ emaDecay: 0.98 }), labelDropout: 0 });
  for (let step = 0; step < 300; step++) await core.trainStep(trainer, images, labels, { learningRate: step < 200 ? 5e-3 : 1e-3, step });
  const drawn = await core.generate(core.trainedModel(trainer), {}, generateOptions({ steps: 10 }));
  for (const [image, row] of rows(drawn.images, pixels).entries()) {
    for (const channel of [0, 1, 2]) {
      const found = mean(Array.from(row).filter((_, i) => i % 3 === channel)), expected = colours[image % 2]![channel]!;
      assert.ok(Math.abs(found - expected) < 20, `image ${image}, channel ${channel}: expected ${expected}, found ${found}`);
    }
  }
});

test('the labels of a mixed view count in its shares', async () => {
  const mixing = { cutMix: 0.5, mixUp: 0.5 };
  using student = await tinyClassifier(engine, 5, { architecture: { family: 'cnn', width: 3, stages: 1 } });
  const { images, labels } = batch(7, 6);
  const mixed = await core.mix(images, { ...mixing, size, seed: 0, step: 0 });
  // [B, 3, size, size] in 0..1 -> [B, size, size, 3] in 0..255
  const bytes = Float32Array.from(rows(mixed.pixels, pixels).flatMap((view) => Array.from(view, (_, i) => 255 * view[(i % 3) * size * size + Math.floor(i / 3)])));
  const logits = plainForward(await weightsOf(student.handle), bytes, student.spec);
  const crossEntropy = (i: number, label: number) => -logSoftmax(logits[i])[label];
  const expected = mean(logits.map((_, i) => mixed.share[i] * crossEntropy(i, labels[i]) + (1 - mixed.share[i]) * crossEntropy(i, labels[mixed.partner[i]])));
  assert.ok(mixed.share.some((share, i) => share < 0.8 && labels[i] !== labels[mixed.partner[i]]));
  const trainer = await studentTrainer(student, null, { mixing });
  const { loss } = await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0, step: 0 }));
  assert.ok(Math.abs(loss - expected) < 1e-5 * expected, `${loss}, expected ${expected}`);
});

test("EDRM's loss is its formula", async () => {
  const temperature = 2.5, labelWeight = 0.3;
  using teacher = await tinyClassifier(engine, 4);
  using student = await tinyClassifier(engine, 5, { architecture: { family: 'cnn', width: 3, stages: 1 } });
  const { images, labels } = batch(7, 6);
  const logits = plainForward(await weightsOf(student.handle), images, student.spec);
  const teacherLogits = rows(await teacher.logits(images), 2);
  const softened = (row: ArrayLike<number>) => logSoftmax(Array.from(row, (value) => value / temperature));
  const soft = logits.map((row, i) => {
    const log = softened(row);
    return -softened(teacherLogits[i]).reduce((sum, target, k) => sum + Math.exp(target) * log[k], 0) * temperature ** 2;
  });
  const hard = logits.map((row, i) => -logSoftmax(row)[labels[i]]);

  const run = async (teacher: Classifier | null, options: StudentOptions) => {
    using copy = await student.clone();
    const trainer = await studentTrainer(copy, teacher, options);
    return engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0, step: 0 }));
  };
  const close = (found: number, expected: number) => assert.ok(Math.abs(found - expected) < 1e-5 * expected, `${found}, expected ${expected}`);
  close((await run(teacher, { temperature })).loss, mean(soft));
  close((await run(teacher, { temperature, labelWeight })).loss, mean(soft) + labelWeight * mean(hard));
  close((await run(null, {})).loss, mean(hard));
  assert.is((await run(teacher, {})).correct, logits.filter((row, i) => (row[1] > row[0] ? 1 : 0) === labels[i]).length);
});

test('the loss is the mean of weight times loss of each image; the losses come back unweighted', async () => {
  const weights = Float32Array.of(0, 2.5, 1, 0.25, 0, 3);
  const { images, labels } = batch(7, 6);
  using teacher = await tinyClassifier(engine, 4);
  using student = await tinyClassifier(engine, 5, { architecture: { family: 'cnn', width: 3, stages: 1 } });
  const logits = plainForward(await weightsOf(student.handle), images, student.spec);
  const teacherLogits = rows(await teacher.logits(images), 2);
  const expected = logits.map((row, i) => {
    const log = logSoftmax(row);
    return -logSoftmax(Array.from(teacherLogits[i])).reduce((sum, target, k) => sum + Math.exp(target) * log[k], 0) - 0.3 * log[labels[i]];
  });
  const trainer = await studentTrainer(student, teacher, { labelWeight: 0.3 });
  const step = (options: Partial<StepOptions>) => engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0, step: 0, ...options }));
  const weighted = await step({ weights, losses: true });
  assert.ok(relativeError(weighted.losses!, expected) < 1e-5, `${weighted.losses}, expected ${expected}`);
  const sum = mean(expected.map((loss, i) => weights[i] * loss));
  assert.ok(Math.abs(weighted.loss - sum) < 1e-5 * sum, `${weighted.loss}, expected ${sum}`);
  const plain = await step({});
  assert.ok(Math.abs(plain.loss - mean(expected)) < 1e-5 * mean(expected));
  assert.not.ok('losses' in plain, 'only when asked for');
  assert.equal(await step({ weights: new Float32Array(6).fill(1) }), plain);
});

test('weights act on the gradient: an image of weight 2 counts like two of weight 1, one of weight 0 not at all', async () => {
  // Without batch norm's statistics over the batch, which see every image whatever it weighs.
  const { images, labels } = batch(3, 4);
  const pick = (...order: number[]) => ({ images: Uint8Array.from(order.flatMap((i) => [...images.subarray(i * pixels, (i + 1) * pixels)])), labels: Int32Array.from(order, (i) => labels[i]) });
  const trained = async (given: { images: Uint8Array; labels: Int32Array }, weights?: Float32Array) => {
    using student = await tinyClassifier(engine, 8);
    const trainer = await studentTrainer(student, null, { optimizer: sgd, headOnly: true });
    const { loss, gradientNorm } = await core.trainStep(trainer, given.images, given.labels, { learningRate: 0.5, step: 0, ...(weights && { weights }) });
    return { loss, gradientNorm, weights: (await weightsOf(student.handle))['fc.weight'].values };
  };
  const repeated = await trained(pick(0, 1, 1, 2));
  const weighted = await trained(pick(0, 1, 2, 3), Float32Array.of(1, 2, 1, 0));
  assert.ok(Math.abs(weighted.loss / repeated.loss - 1) < 1e-6);
  assert.ok(Math.abs(weighted.gradientNorm / repeated.gradientNorm - 1) < 1e-5);
  assert.ok(relativeError(weighted.weights, Array.from(repeated.weights)) < 1e-6);
  assert.ok(relativeError((await trained(pick(0, 1, 2, 3))).weights, Array.from(repeated.weights)) > 1e-4, 'they matter');
});

test('the gradient norm is that of the step, and clipping limits it', async () => {
  const learningRate = 1e-2;
  for (const clipNorm of [0, 1e-2, 1e3]) {
    using student = await tinyClassifier(engine, 6);
    const before = await weightsOf(student.handle);
    const [{ gradientNorm }] = await train(await studentTrainer(student, null, { optimizer: sgd, clipNorm }), 0, 1, learningRate);
    const moved = distance(await weightsOf(student.handle), before) / learningRate;
    assert.ok(gradientNorm > 0.05, `${gradientNorm}`);
    const expected = clipNorm === 1e-2 ? clipNorm : gradientNorm;
    assert.ok(Math.abs(moved / expected - 1) < 1e-3, `clipNorm ${clipNorm}: moved ${moved}, expected ${expected}`);
  }
});

for (const [name, options] of Object.entries({
  'AdamW with moving average': { emaDecay: 0.9, clipNorm: 1 },
  'SGD with momentum': { optimizer: momentumSgd },
  'AdamW in bf16': { precision: 'bf16' },
} satisfies Record<string, Partial<TrainerOptions>>)) {
  const full = { ...options, augment: fullAugmentation, seed: 9 };

  test(`a saved student goes on as if never stopped: ${name}`, async () => {
    using teacher = await tinyClassifier(engine, 2);
    await assertResumes(async (seed) => studentTrainer(await tinyClassifier(engine, seed), teacher, full));
  });

  test(`a saved denoiser goes on as if never stopped: ${name}`, async () => {
    await assertResumes(async (seed) => {
      const { handle } = await tinyGenerator(engine, seed);
      return core.createDenoiserTrainer(handle, { ...trainerOptions(full), labelDropout: 0.3 });
    });
  });
}

/** Six steps, and three steps, a file, a new trainer and three more: bitwise the same losses and state. */
async function assertResumes(create: (seed: number) => Promise<TrainerHandle<ModelHandle>>): Promise<void> {
  const path = join(folder, 'half-way.safetensors');
  const uninterrupted = await create(10);
  await train(uninterrupted, 0, 3);
  await core.saveTrainer(uninterrupted, path);
  const expected = await train(uninterrupted, 3, 6);
  const resumed = await create(11); // other weights, which the file replaces
  await core.loadTrainer(resumed, path);
  assert.equal(await train(resumed, 3, 6), expected);
  assert.ok((await stateOf(resumed)).equals(await stateOf(uninterrupted)), 'the states differ');
}

test('a state of another model or optimizer is refused and changes nothing', async () => {
  const path = join(folder, 'other.safetensors');
  using wide = await tinyClassifier(engine, 1, { architecture: { family: 'cnn', width: 8, stages: 2 } });
  using student = await tinyClassifier(engine, 1);
  const trainer = await studentTrainer(student, null);
  const before = await stateOf(trainer);
  for (const other of [await studentTrainer(wide, null), await studentTrainer(student, null, { optimizer: sgd }), await studentTrainer(student, null, { emaDecay: 0.9 })]) {
    await core.saveTrainer(other, path);
    const error = await failure(() => engine.run((core) => core.loadTrainer(trainer, path)), 'weights');
    assert.match(error.message, path);
    assert.ok((await stateOf(trainer)).equals(before));
  }
  // The state of AdamW has all names that SGD asks for, and more.
  await core.saveTrainer(trainer, path);
  const plain = await studentTrainer(student, null, { optimizer: momentumSgd });
  await failure(() => engine.run((core) => core.loadTrainer(plain, path)), 'weights');
});

test('the moving average lags behind the weights; without one the weights are the result', async () => {
  const { images } = batch(50);
  using averaged = await tinyClassifier(engine, 12);
  const trainer = await studentTrainer(averaged, null, { emaDecay: 0.95 });
  const initial = await weightsOf(averaged.handle);
  const average: ClassifierHandle = core.trainedModel(trainer);
  assert.equal(await weightsOf(average), initial);
  await train(trainer, 0, 10);
  const early = await core.predict(average, images, { precision: 'fp32' });
  const raw = await weightsOf(averaged.handle), lagging = await weightsOf(average);
  assert.ok(distance(lagging, initial) > 0, 'it moves');
  assert.ok(distance(lagging, raw) > 0, 'it differs from the weights');
  assert.ok(distance(lagging, initial) < distance(raw, initial), 'it lags');
  assert.not.equal(early, await averaged.logits(images));
  await train(trainer, 10, 20);
  assert.not.equal(await core.predict(average, images, { precision: 'fp32' }), early, 'predictions follow the new average');

  using plain = await tinyClassifier(engine, 12);
  const without = await studentTrainer(plain, null);
  await train(without, 0, 2);
  const result = core.trainedModel(without);
  assert.equal(await core.predict(result, images, { precision: 'fp32' }), await plain.logits(images));
});

test('the average of one step is a known mixture', async () => {
  using generator = await tinyGenerator(engine, 5);
  const trainer: TrainerHandle<DenoiserHandle> = await core.createDenoiserTrainer(generator.handle, { ...trainerOptions({ emaDecay: 0.999 }), labelDropout: 0 });
  const initial = await weightsOf(generator.handle);
  await train(trainer, 0, 1);
  const decay = 0.1; // (1 + step) / (10 + step), below emaDecay at first
  const raw = await weightsOf(generator.handle), average = await weightsOf(core.trainedModel(trainer));
  for (const [name, { values }] of Object.entries(average)) {
    const expected = Array.from(values, (_, i) => decay * initial[name].values[i] + (1 - decay) * raw[name].values[i]);
    assert.ok(relativeError(values, expected) < 1e-6 || norm(expected) === 0, name);
  }
});

test('a loss that is not a number is one error and changes nothing', async () => {
  using student = await tinyClassifier(engine, 13);
  const trainer = await studentTrainer(student, null, { emaDecay: 0.9 });
  await train(trainer, 0, 1, 1e30); // the step itself is finite, its result useless
  const before = await stateOf(trainer);
  const error = await failure(() => train(trainer, 1, 2), 'numeric');
  assert.match(error.message, /loss at step 1 is -?(nan|inf)/);
  assert.match(error.hint!, 'learning rate');
  assert.ok((await stateOf(trainer)).equals(before), 'weights, statistics or moments changed');
});

test('a gradient that is not finite is one error, changes nothing, and training goes on from a checkpoint', async () => {
  const good = join(folder, 'good.safetensors'), bad = join(folder, 'bad.safetensors');
  const create = async () => studentTrainer(await tinyClassifier(engine, 14), null, { optimizer: momentumSgd });
  const trainer = await create();
  await train(trainer, 0, 1);
  await core.saveTrainer(trainer, good);
  // Logits of 1e25 give a finite loss, whose gradient's square overflows.
  const { tensors } = readSafetensors(good);
  tensors['model.fc.weight'].values.forEach((_, i, values) => (values[i] = i < values.length / 2 ? 1e25 : -1e25));
  writeFileSync(bad, encodeSafetensors(tensors));
  await core.loadTrainer(trainer, bad);
  const before = await stateOf(trainer);
  const error = await failure(() => train(trainer, 1, 2), 'numeric');
  assert.match(error.message, 'gradient norm at step 1');
  assert.ok((await stateOf(trainer)).equals(before), 'weights, statistics or moments changed');

  const expected = await create();
  for (const each of [trainer, expected]) await core.loadTrainer(each, good);
  assert.equal(await train(trainer, 1, 3), await train(expected, 1, 3));
});

test('an infinite weight is a numeric error', async () => {
  using generator = await tinyGenerator(engine, 6);
  const tensors = await weightsOf(generator.handle);
  tensors['conv_out.bias'].values[1] = Infinity;
  const path = join(folder, 'infinite.safetensors');
  writeFileSync(path, encodeSafetensors(tensors));
  await core.loadWeights(generator.handle, path, { newHead: false });
  const trainer = await core.createDenoiserTrainer(generator.handle, { ...trainerOptions(), labelDropout: 0 });
  await failure(() => train(trainer, 0, 1), 'numeric');
  assert.equal(await weightsOf(generator.handle), tensors);
});

test('batches that do not fit are refused', async () => {
  using student = await tinyClassifier(engine, 1);
  const trainer = await studentTrainer(student, null);
  const { images, labels } = batch(0, 4);
  const step = (images: Uint8Array, labels: Int32Array) => () =>
    engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0.1, step: 0 }));
  await failure(step(images, labels.subarray(1)), 'usage');
  await failure(step(images.subarray(1), labels), 'usage');
  await failure(step(new Uint8Array(0), new Int32Array(0)), 'usage');
  assert.match((await failure(step(images, Int32Array.of(0, 1, 2, 0)), 'usage')).message, 'Label 2 at position 2');
  const weighted = (weights: Float32Array) => () => engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0.1, step: 0, weights }));
  assert.match((await failure(weighted(new Float32Array(3)), 'usage')).message, 'as many weights as images');
  for (const value of [-1, NaN, Infinity]) assert.match((await failure(weighted(Float32Array.of(1, value, 1, 1)), 'usage')).message, 'finite and not negative');
  using generator = await tinyGenerator(engine, 1);
  const denoiser = await core.createDenoiserTrainer(generator.handle, { ...trainerOptions(), labelDropout: 0 });
  await failure(() => engine.run((core) => core.trainStep(denoiser, images, labels, { learningRate: 0.1, step: 0, losses: true })), 'usage');
  using other = await tinyClassifier(engine, 1, { numClasses: 3 });
  await failure(() => studentTrainer(student, other), 'config');
});

test.run();
