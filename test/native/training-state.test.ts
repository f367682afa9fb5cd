/** The state of trainers: saved and resumed, its moving average, and that an error leaves it as it was. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { ClassifierHandle, DenoiserHandle, ModelHandle, TrainerHandle, TrainerOptions } from '../../lib/native/contract.js';
import { norm, relativeError } from '../support/numeric.js';
import { encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { batch, failure, fullAugmentation, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';
import { core, distance, engine, folder, momentumSgd, sgd, stateOf, studentTrainer, train, weightsOf } from '../support/training.js';

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
