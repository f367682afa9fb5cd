/** Training of VQGANs: when the discriminator takes part, what becomes of dead codes, exact resume, and that they learn. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { birdSplits } from '../../lib/data/birds-dataset.js';
import { batchIndices } from '../../lib/data/order.js';
import { measureDiscretiser } from '../../lib/methods/discretiser-measures.js';
import type { AutoencoderHandle, AutoencoderSpec, StepResult, TrainerHandle, TrainerOptions } from '../../lib/native/contract.js';
import { Lpips } from '../../lib/native/lpips.js';
import { Autoencoder, Classifier } from '../../lib/native/models.js';
import { mean, norm, relativeError, rows } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readSafetensors, type Tensor } from '../support/safetensors.js';
import { batch, failure, fullAugmentation, openEngine, pixels, size, temporaryFolder, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const numCodes = 64, codeChannels = 3, side = size / 2;
const spec: AutoencoderSpec = { kind: 'vqgan', blockChannels: [8, 16], attention: [0, 0], layersPerBlock: 1, normGroups: 4, latentChannels: codeChannels, numCodes, codeChannels };
type Trainer = TrainerHandle<AutoencoderHandle>;
type State = Record<string, Tensor>;

interface Options extends Partial<TrainerOptions> {
  teacher?: Classifier;
  adversarialWeight?: number;
  adversarialFrom?: number;
}

async function trainerOf(autoencoder: Autoencoder, { teacher, adversarialWeight = 0, adversarialFrom = 0, ...options }: Options = {}): Promise<Trainer> {
  const losses = { size, perceptualWeight: teacher ? 1 : 0, adversarialWeight, adversarialFrom };
  return engine.run((core) => core.createAutoencoderTrainer(autoencoder.handle, teacher?.handle ?? null, { ...trainerOptions(options), ...losses }));
}

/** Steps [from, to), each with its own batch or all with that of `always`. */
async function train(trainer: Trainer, from: number, to: number, { learningRate = 0.01, always }: { learningRate?: number; always?: number } = {}): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (let step = from; step < to; step++) {
    const { images, labels } = batch(always ?? step, 8);
    results.push(await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate, step })));
  }
  return results;
}

async function stateOf(trainer: Trainer): Promise<State> {
  return readSafetensors(await saved(trainer)).tensors;
}

async function saved(trainer: Trainer, name = 'state'): Promise<string> {
  const path = join(folder, `${name}.safetensors`);
  await core.saveTrainer(trainer, path);
  return path;
}

async function putState(trainer: Trainer, state: State): Promise<void> {
  const path = join(folder, 'given.safetensors');
  writeFileSync(path, encodeSafetensors(state));
  await core.loadTrainer(trainer, path);
}

/** Whether any tensor whose name begins so differs. */
function changed(before: State, after: State, beginning: string): boolean {
  const names = Object.keys(before).filter((name) => name.startsWith(beginning));
  assert.ok(names.length > 0, beginning);
  return names.some((name) => before[name]!.values.some((value, i) => value !== after[name]!.values[i]));
}

// ---------------------------------------------------------------- the discriminator

test('the discriminator is trained and takes part from its step on', async () => {
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  const trainer = await trainerOf(autoencoder, { adversarialWeight: 0.8, adversarialFrom: 2 });
  const terms = ['absoluteError', 'codebook'], adversarial = ['adversarial', 'adversarialWeight', 'discriminator'];
  for (let step = 0; step < 4; step++) {
    const before = await stateOf(trainer);
    const [result] = await train(trainer, step, step + 1);
    const after = await stateOf(trainer);
    assert.equal(Object.keys(result!.terms!).sort(), [...terms, ...(step < 2 ? [] : adversarial)].sort(), `step ${step}`);
    assert.is(changed(before, after, 'discriminator.model.'), step >= 2, `step ${step}`);
    assert.ok(changed(before, after, 'model.encoder.'));
  }
});

test('without a weight there is no discriminator; the loss is the sum of its terms', async () => {
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  using teacher = await tinyClassifier(engine, 2);
  const trainer = await trainerOf(autoencoder, { teacher });
  assert.not.ok(Object.keys(await stateOf(trainer)).some((name) => name.startsWith('discriminator.')));
  const [{ loss, terms }] = (await train(trainer, 0, 1)) as [StepResult];
  const { absoluteError, perceptual, codebook } = terms!;
  const sum = absoluteError! + perceptual! + (1 + 0.25) * codebook!;
  assert.ok(Math.abs(loss / sum - 1) < 1e-6, `${loss}, expected ${sum}`);
});

test('the adversarial gradient is as long as that of the reconstruction at the last layer, times its weight', async () => {
  // Gradient descent without the other losses: the step of the last layer tells.
  const optimizer = { kind: 'sgd', beta1: 0, beta2: 0, momentum: 0, weightDecay: 0 } as const;
  const last = 'model.decoder.conv_out.weight';
  const stepOf = async (adversarialWeight: number): Promise<number[]> => {
    using autoencoder = await Autoencoder.create(engine, spec, 1);
    const trainer = await trainerOf(autoencoder, { optimizer, adversarialWeight });
    const before = (await stateOf(trainer))[last]!.values;
    await train(trainer, 0, 1, { learningRate: 1 });
    return Array.from((await stateOf(trainer))[last]!.values, (value, i) => value - before[i]!);
  };
  const plain = await stepOf(0);
  for (const weight of [0.5, 2]) {
    const adversarial = (await stepOf(weight)).map((value, i) => value - plain[i]!);
    assert.ok(Math.abs(norm(adversarial) / norm(plain) / weight - 1) < 0.01, `${norm(adversarial) / norm(plain)}, expected ${weight}`);
  }
});

// ---------------------------------------------------------------- dead codes

const codebookKey = 'model.quantize.embedding.weight', unusedKey = 'codebook.unused_steps';

test('codes that the first batch does not use are put onto its latents, the others stay', async () => {
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  const { images } = batch(0, 8);
  const latents = await autoencoder.encode(images, size);
  const used = new Set((await autoencoder.quantise(latents, size)).indices);
  assert.ok(used.size > 1 && used.size < numCodes, `${used.size} codes used`);
  const trainer = await trainerOf(autoencoder, { emaDecay: 0.9 });
  const before = (await stateOf(trainer))[codebookKey]!.values as Float32Array;
  await train(trainer, 0, 1, { learningRate: 0 });
  const after = await stateOf(trainer);
  const vectors = rows(latents, codeChannels * side ** 2).flatMap((planes) => Array.from({ length: side ** 2 }, (_, i) => Array.from({ length: codeChannels }, (_, c) => planes[c * side ** 2 + i]!)));
  const places = new Set<number>();
  rows(after[codebookKey]!.values as Float32Array, codeChannels).forEach((code, k) => {
    if (used.has(k)) return assert.equal(code, rows(before, codeChannels)[k], `code ${k} is in use`);
    const place = vectors.findIndex((vector) => vector.every((value, c) => Math.abs(value - code[c]!) < 1e-5));
    assert.ok(place >= 0, `code ${k} is no latent of the batch`);
    places.add(place);
  });
  assert.ok(places.size > (numCodes - used.size) / 2, 'they are at different places');
  const average = rows(after['ema.quantize.embedding.weight']!.values as Float32Array, codeChannels);
  rows(after[codebookKey]!.values as Float32Array, codeChannels).forEach((code, k) => used.has(k) || assert.equal(average[k], code, 'the average too'));
});

test('later a code is dead after 50 steps without use; a restart depends on seed and step alone', async () => {
  const far = 100;
  /** One step with code 0 and 1 out of reach, unused for so many steps. */
  const afterStep = async (unused: [number, number], { seed = 0, step = 7 } = {}): Promise<{ state: State; begin: State }> => {
    using autoencoder = await Autoencoder.create(engine, spec, 1);
    const trainer = await trainerOf(autoencoder, { seed });
    const begin = await stateOf(trainer);
    begin[codebookKey]!.values.fill(far, 0, 2 * codeChannels);
    begin[unusedKey]!.values.fill(0).set(unused);
    await putState(trainer, begin);
    await train(trainer, step, step + 1, { learningRate: 0, always: 3 });
    return { state: await stateOf(trainer), begin };
  };
  const { state, begin } = await afterStep([48, 49]);
  const codes = rows(state[codebookKey]!.values as Float32Array, codeChannels);
  assert.equal([...codes[0]!], Array(codeChannels).fill(far), 'one step too early');
  assert.ok(codes[1]!.every((value) => Math.abs(value) < far / 2));
  assert.equal(codes.slice(2), rows(begin[codebookKey]!.values as Float32Array, codeChannels).slice(2));
  const unused = state[unusedKey]!.values;
  assert.equal([unused[0], unused[1]], [49, 0]);
  assert.ok(unused.subarray(2).every((steps) => steps === 0 || steps === 1) && unused.subarray(2).includes(0) && unused.subarray(2).includes(1));

  const again = (await afterStep([48, 49])).state[codebookKey]!.values;
  assert.equal(again, state[codebookKey]!.values);
  for (const other of [{ seed: 1 }, { step: 8 }]) assert.not.equal((await afterStep([48, 49], other)).state[codebookKey]!.values, again);
});

// ---------------------------------------------------------------- learning and resuming

/** Each of a colour of its own. */
function flatImages(count: number): Uint8Array {
  return Uint8Array.from({ length: count * pixels }, (_, i) => 40 + ((Math.floor(i / pixels) * 67 + (i % 3) * 91) % 180));
}

for (const precision of ['fp32', 'bf16'] as const) {
  test(`it learns in ${precision}`, async () => {
    using teacher = await tinyClassifier(engine, 2);
    const errors: number[] = [], perceptual: number[] = []; // after all steps, as a share of what they were
    for (const seed of [1, 2, 3]) { // how fast depends on where the codes lie: 0.3 to 0.9 of the error is left
      using autoencoder = await Autoencoder.create(engine, spec, seed);
      const trainer = await trainerOf(autoencoder, { precision, teacher });
      const results: StepResult[] = [];
      for (let step = 0; step < 60; step++) results.push(await core.trainStep(trainer, flatImages(8), new Int32Array(8), { learningRate: 5e-3, step }));
      const left = (term: string): number => mean(results.slice(-5).map(({ terms }) => terms![term]!)) / results[0]!.terms![term]!;
      errors.push(left('absoluteError'));
      perceptual.push(left('perceptual'));
      assert.ok(results.every(({ loss, gradientNorm }) => Number.isFinite(loss) && gradientNorm > 0));
    }
    assert.ok(mean(errors) < 0.85, `absolute errors ${errors}`);
    assert.ok(mean(perceptual) < 0.95, `perceptual ${perceptual}`);
  });
}

test('features before the head stand for the maps of other families', async () => {
  const architecture = { family: 'vit', patch: 4, dim: 16, depth: 1, heads: 2, mlpDim: 32, registers: 0, distilled: false, layerScale: false, prefixPositions: true, preNorm: false, projection: 0, pool: 'token', activation: 'gelu', normEps: 1e-6 } as const;
  using teacher = await tinyClassifier(engine, 2, { architecture });
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  const { images } = batch(0, 8);
  const { latents } = await autoencoder.quantise(await autoencoder.encode(images, size), size);
  const unit = (vector: Float32Array): number[] => Array.from(vector, (value) => value / norm(vector));
  const [found, expected] = [await teacher.features(await autoencoder.decode(latents, size)), await teacher.features(images)].map((features) => rows(features, 16).map(unit));
  const distance = mean(found!.map((vector, i) => norm(vector.map((value, d) => value - expected![i]![d]!)) ** 2));
  const [{ terms }] = (await train(await trainerOf(autoencoder, { teacher }), 0, 1)) as [StepResult];
  assert.ok(Math.abs(terms!.perceptual! / distance - 1) < 0.02, `${terms!.perceptual}, of the 8-bit images ${distance}`);
});

for (const [name, options] of Object.entries({ 'fp32 with moving average': { emaDecay: 0.9, clipNorm: 1 }, bf16: { precision: 'bf16' } } satisfies Record<string, Options>)) {
  test(`a saved training goes on as if never stopped: ${name}`, async () => {
    const create = async (seed: number): Promise<Trainer> =>
      trainerOf(await Autoencoder.create(engine, spec, seed), { ...options, augment: fullAugmentation, seed: 9, teacher: await tinyClassifier(engine, 2), adversarialWeight: 0.8, adversarialFrom: 2 });
    const uninterrupted = await create(10);
    const begin = await stateOf(uninterrupted);
    begin[codebookKey]!.values.fill(100, 0, 20 * codeChannels); // of no use, and dead after the next step but two
    begin[unusedKey]!.values.fill(46);
    await putState(uninterrupted, begin);
    await train(uninterrupted, 0, 3);
    const path = await saved(uninterrupted, 'half-way');
    const before = await stateOf(uninterrupted);
    const expected = await train(uninterrupted, 3, 6);
    const resumed = await create(11); // other weights, which the file replaces
    await core.loadTrainer(resumed, path);
    assert.equal(await train(resumed, 3, 6), expected);
    assert.ok(before[codebookKey]!.values[0]! > 50 && (await stateOf(resumed))[codebookKey]!.values[0]! < 50, 'a code was dead after the checkpoint');
    const whole = readFileSync(await saved(uninterrupted));
    assert.ok(readFileSync(await saved(resumed)).equals(whole), 'the states differ');
  });
}

test('a state without the discriminator is refused and changes nothing', async () => {
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  const path = await saved(await trainerOf(autoencoder), 'without');
  const trainer = await trainerOf(autoencoder, { adversarialWeight: 1 });
  const before = await stateOf(trainer);
  assert.match((await failure(() => engine.run((core) => core.loadTrainer(trainer, path)), 'weights')).message, /expected a training state of \d+ tensors, found \d+/);
  assert.equal(await stateOf(trainer), before);
});

test('a loss that is not a number is one error and changes nothing', async () => {
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  const trainer = await trainerOf(autoencoder, { adversarialWeight: 1 });
  await train(trainer, 0, 1, { learningRate: 1e30 }); // the step itself is finite, its result useless
  const before = readFileSync(await saved(trainer));
  assert.match((await failure(() => train(trainer, 1, 2), 'numeric')).message, /at step 1 is -?(nan|inf)/);
  assert.ok(readFileSync(await saved(trainer)).equals(before));
});

test('it learns birds: far nearer to them than their mean colours, with most of the codes', async () => {
  const { broad, test: images } = birdSplits({ sizes: { broad: 512, test: 128 } });
  using autoencoder = await Autoencoder.create(engine, { ...spec, blockChannels: [12, 24, 32], latentChannels: 4, codeChannels: 4, attention: [0, 0, 0], numCodes: 128 }, 1);
  const trainer = await engine.run((core) => core.createAutoencoderTrainer(autoencoder.handle, null, { ...trainerOptions({ emaDecay: 0.98 }), size: 32, perceptualWeight: 0, adversarialWeight: 0, adversarialFrom: 0 }));
  for (let step = 0; step < 300; step++) {
    const indices = batchIndices(broad.length, 16, step, 0);
    await core.trainStep(trainer, await broad.read(indices), new Int32Array(16), { learningRate: step < 200 ? 4e-3 : 1e-3, step });
  }
  using teacher = await Classifier.create(engine, { architecture: { family: 'cnn', width: 4, stages: 2 }, numClasses: 2, imageSize: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] }, images.classes, 0);
  const { psnr, psnrOfMeanColour, codesUsed } = await measureDiscretiser(new Autoencoder(engine, core.trainedModel(trainer), autoencoder.spec), teacher, images);
  assert.ok(psnr > psnrOfMeanColour + 4, `${psnr} dB, mean colour ${psnrOfMeanColour} dB`);
  assert.ok(codesUsed > 64, `${codesUsed} codes`);
});

// ---------------------------------------------------------------- wrong inputs

test('every wrong input is one clear error', async () => {
  using autoencoder = await Autoencoder.create(engine, spec, 1);
  using kl = await Autoencoder.create(engine, { kind: 'kl', blockChannels: [4, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 2, latentChannels: 4, scalingFactor: 1 }, 1);
  using teacher = await tinyClassifier(engine, 2);
  const create = (model: Autoencoder, classifier: Classifier | null, losses: object) => () =>
    engine.run((core) => core.createAutoencoderTrainer(model.handle, classifier?.handle ?? null, { ...trainerOptions(), size, perceptualWeight: 0, adversarialWeight: 0, adversarialFrom: 0, ...losses }));
  const says = async (work: () => Promise<unknown>, pattern: RegExp, code: 'usage' | 'config'): Promise<void> => assert.match((await failure(work, code)).message, pattern);
  await says(create(kl, null, {}), /expected one with a codebook/, 'usage');
  await says(create(autoencoder, null, { size: 15 }), /multiple of 2 pixels, found 15/, 'config');
  await says(create(autoencoder, null, { size: 8, adversarialWeight: 1 }), /images of at least 12 pixels, found 8/, 'config');
  await says(create(autoencoder, null, { perceptualWeight: 1 }), /a classifier or LPIPS where the perceptual weight is above 0/, 'usage');
  await says(create(autoencoder, teacher, {}), /and none otherwise/, 'usage');
  await says(create(autoencoder, teacher, { perceptualWeight: 1, size: 32 }), /takes images of 16 px, the autoencoder 32 px/, 'config');
  using lpips = await Lpips.load(engine, goldenPath('lpips'));
  await says(() => engine.run((core) => core.createAutoencoderTrainer(autoencoder.handle, lpips.handle, { ...trainerOptions(), size: 8, perceptualWeight: 1, adversarialWeight: 0, adversarialFrom: 0 })), /LPIPS needs images of at least 16 px, found 8 px/, 'config');
  const trainer = await trainerOf(autoencoder);
  const { images, labels } = batch(0, 4);
  await failure(() => engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 0.1, step: 0, losses: true })), 'usage');
});

test.run();
