/** What a generator is told of the classes: class embeddings or texts, and learning them from images. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import { checkConditions } from '../../lib/methods/conditions.js';
import type { DenoiserHandle, TrainerHandle, TrainerOptions } from '../../lib/native/contract.js';
import { Generator } from '../../lib/native/models.js';
import { dot, mean, norm, normals, relativeError, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { batch, classes, denoiserSpec, failure, generateOptions, openEngine, pixels, size, temporaryFolder, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const generator = await tinyGenerator(engine, 1);
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
const width = 32; // of a class embedding: four times the channels of the first level
const plainSgd = { kind: 'sgd', beta1: 0, beta2: 0, momentum: 0, weightDecay: 0 } as const;

/** [rows, ...] of a generator, flat. */
async function conditionsOf(model: Generator): Promise<Float32Array> {
  const path = join(folder, 'read.safetensors');
  await model.saveConditions(path);
  return Float32Array.from(readSafetensors(path).tensors.conditions.values);
}

async function setConditions(model: Generator, values: Float32Array): Promise<void> {
  const path = join(folder, 'written.safetensors');
  await model.saveConditions(path);
  const { conditions } = readSafetensors(path).tensors;
  writeFileSync(path, encodeSafetensors({ conditions: { ...conditions, values } }));
  await model.loadConditions(path);
}

async function weightsOf(model: Generator): Promise<Buffer> {
  const path = join(folder, 'weights.safetensors');
  await model.save(path);
  return readFileSync(path);
}

const conditionTrainer = (own: Generator, options: Partial<TrainerOptions> = {}) => core.createConditionTrainer(own.handle, trainerOptions(options));

async function train(trainer: TrainerHandle<DenoiserHandle>, from: number, to: number, learningRate: number): Promise<void> {
  for (let step = from; step < to; step++) {
    const { images, labels } = batch(step);
    await core.trainStep(trainer, images, labels, { learningRate, step });
  }
}

/** The derivative along the gradient and two random directions, which reach all rows, from central differences of `value`. */
async function assertGradient(x: Float32Array, gradient: ArrayLike<number>, value: (x: Float32Array) => Promise<number>): Promise<void> {
  const distance = 0.02;
  for (const direction of [Float32Array.from(gradient), normals(21, x.length), normals(22, x.length)]) {
    const unit = direction.map((each) => each / norm(direction));
    const [above, below] = [await value(x.map((each, i) => each + distance * unit[i])), await value(x.map((each, i) => each - distance * unit[i]))];
    const found = dot(gradient, unit), expected = (above - below) / (2 * distance);
    assert.ok(Math.abs(found - expected) < 1e-2 * norm(gradient), `${found}, by finite differences ${expected}, norm ${norm(gradient)}`);
  }
}

test('a copy with conditions of its own draws the same images until these change; the generator stays as it is', async () => {
  const before = await weightsOf(generator);
  const images = async (model: Generator) => (await core.generate(model.handle, opponents, generateOptions())).images;
  using own = await generator.withOwnConditions();
  const first = await images(generator);
  assert.equal(await images(own), first);
  const values = await conditionsOf(own);
  assert.is(values.length, 3 * width);
  assert.equal(values, await conditionsOf(generator));
  // The two classes change places.
  await setConditions(own, Float32Array.from([...values.subarray(width, 2 * width), ...values.subarray(0, width), ...values.subarray(2 * width)]));
  const swapped = (await core.generate(own.handle, opponents, generateOptions({ classes: [1, 0, 1, 0, 1, 0, 1, 0] }))).images;
  assert.equal(swapped, first);
  assert.not.equal(await images(own), first);
  assert.equal(await images(generator), first);
  assert.ok((await weightsOf(generator)).equals(before));
});

test('the gradient of the denoising loss with respect to the class embeddings, against finite differences', async () => {
  using own = await generator.withOwnConditions();
  const trainer = await conditionTrainer(own, { optimizer: plainSgd });
  const { images, labels } = batch(0);
  const loss = async (learningRate: number) => core.trainStep(trainer, images, labels, { learningRate, step: 5 });
  const path = join(folder, 'trainer.safetensors');
  await core.saveTrainer(trainer, path);
  const state = readSafetensors(path);
  const at = async (values: Float32Array) => {
    const tensors = { ...state.tensors, 'model.classes': { ...state.tensors['model.classes'], values } };
    writeFileSync(path, encodeSafetensors(tensors));
    await core.loadTrainer(trainer, path);
  };
  const x = normals(4, 2 * width); // away from the null class, where both rows are equal
  await at(x);
  const { gradientNorm } = await loss(1);
  const after = await conditionsOf(own);
  const gradient = x.map((value, i) => value - after[i]);
  assert.ok(Math.abs(norm(gradient) / gradientNorm - 1) < 1e-3);
  await assertGradient(x, gradient, async (values) => {
    await at(values);
    return (await loss(0)).loss;
  });
});

test('learning begins at the null class, changes the classes alone, and leaves every weight bit-equal', async () => {
  const before = await weightsOf(generator);
  using own = await generator.withOwnConditions();
  const original = rows(await conditionsOf(own), width);
  const trainer = await conditionTrainer(own);
  for (const label of [0, 1]) assert.equal(rows(await conditionsOf(own), width)[label], original[2]);
  await train(trainer, 0, 20, 0.05);
  const learned = rows(await conditionsOf(own), width);
  assert.equal(learned[2], original[2]);
  for (const label of [0, 1]) assert.ok(relativeError(learned[label], original[2]) > 0.1);
  assert.ok(relativeError(learned[0], learned[1]) > 0.1, 'the classes are told apart');
  assert.ok((await weightsOf(generator)).equals(before));
  assert.equal(rows(await conditionsOf(generator), width), original);
});

test('a generator learns what its classes shall look like: here each other', async () => {
  const colours = [[40, 90, 200], [220, 160, 30]];
  const images = Uint8Array.from({ length: 16 * pixels }, (_, i) => colours[Math.floor(i / pixels) % 2]![i % 3]!);
  const labels = Int32Array.from({ length: 16 }, (_, i) => i % 2), swapped = labels.map((label) => 1 - label);
  using trained = await tinyGenerator(engine, 1);
  const trainer = await core.createDenoiserTrainer(trained.handle, { ...trainerOptions(), labelDropout: 0.2 });
  for (let step = 0; step < 250; step++) await core.trainStep(trainer, images, labels, { learningRate: step < 180 ? 5e-3 : 1e-3, step });
  using own = await trained.withOwnConditions();
  const learner = await conditionTrainer(own);
  for (let step = 0; step < 150; step++) await core.trainStep(learner, images, swapped, { learningRate: 0.05, step });
  const { images: drawn } = await core.generate(own.handle, {}, generateOptions({ steps: 10 }));
  for (const [i, image] of rows(drawn, pixels).entries()) {
    const distanceTo = (colour: number[]) => mean(Array.from(image, (value, at) => Math.abs(value - colour[at % 3])));
    assert.ok(distanceTo(colours[1 - (i % 2)]) < 40, `image ${i}: ${colours.map(distanceTo)} from the two colours`);
  }
});

test('saved learning goes on as if never stopped, and is the same again', async () => {
  const path = join(folder, 'half-way.safetensors');
  const ends = [];
  for (const halves of [false, false, true]) {
    using own = await generator.withOwnConditions();
    let trainer = await conditionTrainer(own, { seed: 9 });
    await train(trainer, 0, 3, 0.05);
    if (halves) {
      await core.saveTrainer(trainer, path);
      trainer = await conditionTrainer(own, { seed: 9 });
      await core.loadTrainer(trainer, path);
    }
    await train(trainer, 3, 6, 0.05);
    ends.push(await conditionsOf(own));
  }
  assert.equal(ends[1], ends[0]);
  assert.equal(ends[2], ends[0]);
});

test('learning in bf16 keeps the embeddings in fp32: small steps count', async () => {
  const { images, labels } = batch(0);
  const found = [];
  for (const precision of ['fp32', 'bf16'] as const) {
    using own = await generator.withOwnConditions();
    const trainer = await conditionTrainer(own, { precision });
    const { loss } = await core.trainStep(trainer, images, labels, { learningRate: 1e-5, step: 0 });
    const rowsOf = rows(await conditionsOf(own), width);
    found.push({ loss, moved: norm(rowsOf[0].map((value, i) => value - rowsOf[2][i])) });
  }
  assert.ok(Math.abs(found[1].loss / found[0].loss - 1) < 0.02);
  assert.ok(Math.abs(found[1].moved / found[0].moved - 1) < 0.05, JSON.stringify(found));
});

test('a step that fails changes nothing', async () => {
  using own = await generator.withOwnConditions();
  const trainer = await conditionTrainer(own);
  await train(trainer, 0, 2, 0.05);
  const before = await conditionsOf(own);
  const path = join(folder, 'good.safetensors'), bad = join(folder, 'bad.safetensors');
  await core.saveTrainer(trainer, path);
  const { tensors } = readSafetensors(path);
  tensors['model.classes'].values[3] = NaN;
  writeFileSync(bad, encodeSafetensors(tensors));
  await core.loadTrainer(trainer, bad);
  await failure(() => engine.run(() => train(trainer, 2, 3, 0.05)), 'numeric');
  await core.loadTrainer(trainer, path);
  assert.equal(await conditionsOf(own), before);
});

test('learning works for the texts of a latent generator', async () => {
  const folder = pipelineFolder();
  using published = await pretrainedGenerator(engine, { path: folder, prompt: 'a photo of a {}.', negativePrompt: '', names: {}, sampler: 'ddim' }, { classes, imageSize: size });
  using own = await published.withOwnConditions();
  const original = await conditionsOf(published);
  const row = original.length / 3;
  const trainer = await conditionTrainer(own, { optimizer: { ...trainerOptions().optimizer, weightDecay: 0 } });
  assert.equal(rows(await conditionsOf(own), row).map((values) => Array.from(values)), Array(3).fill(Array.from(original.subarray(2 * row))));
  const same = batch(1);
  const losses: number[] = [];
  for (let i = 0; i < 12; i++) losses.push((await core.trainStep(trainer, same.images, same.labels, { learningRate: 0.02, step: 0 })).loss);
  assert.ok(losses.at(-1)! < losses[0], `losses ${losses}`);
  assert.equal(await conditionsOf(published), original);
  assert.equal(rows(await conditionsOf(own), row)[2], original.subarray(2 * row));
});

test('conditions of another generator, or none, are one error', async () => {
  using own = await generator.withOwnConditions();
  const path = join(folder, 'other.safetensors');
  writeFileSync(path, encodeSafetensors({ conditions: { dtype: 'F32', shape: [2, width], values: new Float32Array(2 * width) } }));
  assert.match((await failure(() => engine.run(() => own.loadConditions(path)), 'weights')).message, `expected 'conditions' of shape [3, ${width}], found [2, ${width}]`);
  writeFileSync(path, encodeSafetensors({ other: { dtype: 'F32', shape: [1], values: new Float32Array(1) } }));
  await failure(() => engine.run(() => own.loadConditions(path)), 'weights');
  await failure(() => engine.run(() => generator.loadConditions(path)), 'usage');
  await failure(() => engine.run((core) => core.createConditionTrainer(generator.handle, trainerOptions())), 'usage');
  await failure(() => own.save(join(folder, 'own.safetensors')), 'usage');
  await failure(() => engine.run((core) => core.createDenoiserTrainer(own.handle, { ...trainerOptions(), labelDropout: 0 })), 'usage');
  using unconditional = await Generator.create(engine, { ...denoiserSpec, unet: { ...denoiserSpec.unet, classEmbeddings: 0 } }, classes, 1);
  assert.match((await failure(() => unconditional.withOwnConditions(), 'config')).message, 'draws without a condition');
  for (const row of ['da-fusion', 'gap'] as const) {
    assert.match((await failure(async () => checkConditions(['unguided', row], unconditional), 'config')).message, `methods: ${row}: expected a generator with class embeddings or a text`);
  }
  checkConditions(['unguided', 'sdedit'], unconditional);
});

test.run();
