/** Guidance through the chain as in DiG-IN: predictions of the last steps are judged, in parts, and conditions are moved at each step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import type { ChainGuidance, ChainLoss, GenerateOptions, Generated } from '../../lib/native/contract.js';
import { Generator } from '../../lib/native/models.js';
import { dot, mean, norm, normals, relativeError, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { assertSameImages, denoiserSpec, exact, failure, fromNoise, generateOptions, openEngine, pixels, plainChain, size, temporaryFolder, tinyClassifier, tinyGenerator, toPixels } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator = await tinyGenerator(engine, 1);
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
const width = 32; // of a class embedding: four times the channels of the first level
const classes = [0, 1];
const objective = { form: 'log', gamma: 1, terms: 'both' } as const;
const plain: ChainLoss = { cutouts: exact.cutouts, lastPredictions: 1, predictionWeights: 'linear' };
const { noise: x } = await core.initialNoise({ seeds: [31, 32], size });

type ChainRequest = Parameters<typeof core.chainGradient>[2];
const steps = 6;
const request = (options: Partial<ChainRequest> = {}): ChainRequest => ({
  x, classes, steps, sampler: 'ddim', eta: 0, guidanceScale: 1, precision: 'fp32', ...fromNoise, objective, segmentSteps: steps, ...options,
});
const evaluate = (options: Partial<ChainRequest> = {}, model = generator) => core.chainGradient(model.handle, opponents, request(options));
const sum = (values: Float32Array): number => values.reduce((total, value) => total + value, 0);

/** The derivative of `value` along the gradient and two random directions, from central differences. */
async function assertGradient(at: Float32Array, gradient: Float32Array, value: (at: Float32Array) => Promise<number>, distance = 0.01): Promise<void> {
  assert.ok(norm(gradient) > 0);
  for (const direction of [gradient, normals(21, at.length), normals(22, at.length)]) {
    const unit = direction.map((each) => each / norm(direction));
    const found = dot(gradient, unit);
    const expected = ((await value(at.map((each, i) => each + distance * unit[i]))) - (await value(at.map((each, i) => each - distance * unit[i])))) / (2 * distance);
    assert.ok(Math.abs(found - expected) < 1e-2 * norm(gradient), `${found}, by finite differences ${expected}, norm ${norm(gradient)}`);
  }
}

for (const [name, loss] of Object.entries({
  'the last three predictions': { ...plain, lastPredictions: 3 },
  'the last four, weighted equally': { ...plain, lastPredictions: 4, predictionWeights: 'equal' },
  'parts of the last two': { ...plain, lastPredictions: 2, cutouts: { count: 3, leastSide: 0.6, noise: 0.1 } },
} satisfies Record<string, ChainLoss>)) {
  test(`the gradient of ${name}: against finite differences, and the same in segments of any length`, async () => {
    const whole = await evaluate({ loss });
    await assertGradient(x, whole.gradient, async (x) => sum((await evaluate({ x, loss })).objective));
    for (const segmentSteps of [1, 2, 4]) {
      const parts = await evaluate({ loss, segmentSteps });
      assert.ok(relativeError(parts.gradient, whole.gradient) < 1e-5, `${segmentSteps}: ${relativeError(parts.gradient, whole.gradient)}`);
      assert.ok(relativeError(parts.objective, whole.objective) < 1e-5);
    }
    // Whatever is judged, the score is that of the image that comes out, whole.
    const { score, objective, images } = await evaluate();
    assert.equal([whole.images, objective], [images, score]);
    assert.ok(relativeError(whole.score, score) < 1e-6);
    assert.ok(relativeError(whole.objective, score) > 1e-4, 'nothing else is judged: nothing is tested');
  });
}

test('the objective is the weighted sum over x0 as the network predicts it in the last steps', async () => {
  const { alphasCumprod } = await core.noiseSchedule(denoiserSpec.schedule);
  const timesteps = [999, 749, 499, 249]; // of four trailing steps
  const scores: Float32Array[] = [];
  let at = x;
  for (const [i, timestep] of timesteps.entries()) {
    const { score, x0 } = await core.guidanceGradient(generator.handle, opponents, { x: at, timestep, classes, guidanceScale: 1, precision: 'fp32', objective, ...exact, repeat: 1 });
    scores.push(score);
    const [here, there] = [alphasCumprod[timestep], i < 3 ? alphasCumprod[timesteps[i + 1]] : 1];
    at = at.map((value, j) => {
      const epsilon = (value - Math.sqrt(here) * x0[j]) / Math.sqrt(1 - here);
      return Math.sqrt(there) * Math.min(1, Math.max(-1, x0[j])) + Math.sqrt(1 - there) * epsilon;
    });
  }
  for (const [predictionWeights, weights] of [['linear', [1 / 6, 2 / 6, 3 / 6]], ['equal', [1 / 3, 1 / 3, 1 / 3]]] as const) {
    const { objective } = await evaluate({ steps: 4, segmentSteps: 4, loss: { ...plain, lastPredictions: 3, predictionWeights } });
    const expected = scores[0].map((_, b) => weights.reduce((total, weight, j) => total + weight * scores[j + 1][b], 0));
    assert.ok(relativeError(objective, expected) < 1e-4, `${predictionWeights}: ${objective}, expected ${expected}`);
  }
});

const zeros = new Float32Array(steps * classes.length * width);
for (const guidanceScale of [1, 2]) {
  test(`what is added to the class embedding at each step: gradient against finite differences, in segments of any length (guidance scale ${guidanceScale})`, async () => {
    const from = normals(7, zeros.length).map((value) => 0.1 * value);
    const loss = { ...plain, lastPredictions: 2 };
    const of = (ofClass: Float32Array, segmentSteps = steps) => evaluate({ guidanceScale, loss, segmentSteps, shifts: { ofClass, ofNull: null } });
    const whole = await of(from);
    assert.is(whole.nullGradient, null);
    for (const [i, step] of rows(whole.classGradient!, width).entries()) assert.ok(norm(step) > 0, `${i}`);
    await assertGradient(from, whole.classGradient!, async (shift) => sum((await of(shift)).objective));
    for (const segmentSteps of [1, 4]) {
      const parts = await of(from, segmentSteps);
      assert.ok(relativeError(parts.classGradient!, whole.classGradient!) < 1e-5);
      assert.ok(relativeError(parts.gradient, whole.gradient) < 1e-5);
    }
  });
}

test('what is added to the null embedding at each step, likewise, beside that of the class', async () => {
  const [ofClass, from] = [7, 8].map((seed) => normals(seed, zeros.length).map((value) => 0.1 * value));
  const of = (ofNull: Float32Array, segmentSteps = steps) => evaluate({ guidanceScale: 2, segmentSteps, shifts: { ofClass, ofNull } });
  const whole = await of(from);
  await assertGradient(from, whole.nullGradient!, async (shift) => sum((await of(shift)).objective));
  const parts = await of(from, 1);
  assert.ok(relativeError(parts.nullGradient!, whole.nullGradient!) < 1e-5);
  assert.ok(relativeError(parts.classGradient!, whole.classGradient!) < 1e-5);
});

test('texts take it too: the gradient reaches every token, through decoder and classifiers', async () => {
  using latent = await pretrainedGenerator(engine, { path: pipelineFolder(), prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' }, { classes: ['dark', 'bright'], imageSize: 32 });
  const pair = { teacher: (await tinyClassifier(engine, 2, { imageSize: 32 })).handle, student: (await tinyClassifier(engine, 3, { imageSize: 32 })).handle };
  const { channels, textChannels } = latent.spec.unet;
  const z = normals(6, channels * 8 * 8), count = 3;
  const of = (shifts: ChainRequest['shifts'], segmentSteps = count) =>
    core.chainGradient(latent.handle, pair, request({ x: z, classes: [1], steps: count, guidanceScale: 2, segmentSteps, loss: { ...plain, lastPredictions: 2 }, ...(shifts && { shifts }) }));
  const own = await latent.withOwnConditions();
  const path = join(temporaryFolder(), 'texts.safetensors');
  await own.saveConditions(path);
  const [, tokens] = readSafetensors(path).tensors.conditions.shape;
  const none = new Float32Array(count * tokens * textChannels);
  const whole = await of({ ofClass: none, ofNull: none });
  const unmoved = await of(undefined);
  assert.equal([whole.images, unmoved.classGradient], [unmoved.images, null]);
  const value = (shifts: ChainRequest['shifts']) => of(shifts).then(({ objective }) => sum(objective));
  const distance = 0.2; // a text of a network this small matters little, so that rounding would count
  await assertGradient(none, whole.classGradient!, (ofClass) => value({ ofClass, ofNull: none }), distance);
  await assertGradient(none, whole.nullGradient!, (ofNull) => value({ ofClass: none, ofNull }), distance);
  for (const row of rows(whole.classGradient!, textChannels)) assert.ok(norm(row) > 0);
  const parts = await of({ ofClass: none, ofNull: none }, 1);
  assert.ok(relativeError(parts.classGradient!, whole.classGradient!) < 1e-4);
  assert.ok(relativeError(parts.nullGradient!, whole.nullGradient!) < 1e-4);
});

test('the same added at every step is a generator that is told something else', async () => {
  using own = await generator.withOwnConditions();
  const path = join(temporaryFolder(), 'conditions.safetensors');
  await own.saveConditions(path);
  const { conditions } = readSafetensors(path).tensors;
  const [ofClass, ofNull] = [normals(3, width), normals(4, width)];
  const told = Float32Array.from(conditions.values, (value, i) => value + (i < 2 * width ? ofClass : ofNull)[i % width]);
  writeFileSync(path, encodeSafetensors({ conditions: { ...conditions, values: told } }));
  await own.loadConditions(path);
  const everywhere = (shift: Float32Array) => zeros.map((_, i) => shift[i % width]);
  const expected = (await evaluate({ guidanceScale: 2 }, own)).images;
  const { images } = await evaluate({ guidanceScale: 2, shifts: { ofClass: everywhere(ofClass), ofNull: everywhere(ofNull) } });
  assert.ok(relativeError(images, expected) < 1e-5);
  assert.ok(relativeError((await evaluate({ guidanceScale: 2 })).images, expected) > 1e-2, 'the conditions do not matter: nothing is tested');
});

const generate = (guidance: ChainGuidance, options: Partial<GenerateOptions> = {}): Promise<Generated> => core.generate(generator.handle, opponents, generateOptions({ guidanceScale: 2, guidance, ...options }));
const disagreement = ({ teacherProbabilities, studentProbabilities }: Generated, labels: ArrayLike<number>): number[] =>
  Array.from(labels, (label, i) => teacherProbabilities![2 * i + label] - studentProbabilities![2 * i + label]);
const still = 1e-30; // a rate that moves nothing

test('one iteration on the conditions is a step of Adam with their own rate', async () => {
  const options = generateOptions({ guidanceScale: 2 });
  const { noise } = await core.initialNoise({ seeds: options.seeds, size });
  const none = new Float32Array(options.steps * options.classes.length * width);
  const at = (ofClass: Float32Array, ofNull: Float32Array) => core.chainGradient(generator.handle, opponents, { ...options, x: noise, objective: plainChain.objective, segmentSteps: options.steps, shifts: { ofClass, ofNull } });
  const start = await at(none, none);
  const learningRate = 0.3;
  const adam = (gradient: Float32Array): Float32Array => gradient.map((value) => (learningRate * value) / (Math.abs(value) + 1e-8));
  for (const moved of ['class', 'null', 'both'] as const) {
    const end = await at(moved === 'null' ? none : adam(start.classGradient!), moved === 'class' ? none : adam(start.nullGradient!));
    assert.ok(end.score.some((score, i) => score > start.score[i]), `${moved}: the step improves some image`);
    const best = rows(start.images, pixels).map((image, i) => (end.score[i] > start.score[i] ? rows(end.images, pixels)[i] : image));
    const { images } = await generate({ ...plainChain, learningRate: still, iterations: 1, conditions: { moved, learningRate } });
    for (const [i, image] of rows(images, pixels).entries()) assertSameImages(image, toPixels(best[i]), `${moved}, image ${i}`);
  }
});

test('conditions that are moved raise the objective by themselves, and beside the noise further', async () => {
  const { classes: labels } = generateOptions();
  const reached = async (guidance: Partial<ChainGuidance>) => mean(disagreement(await generate({ ...plainChain, iterations: 6, ...guidance }), labels));
  const unguided = await reached({ iterations: 0 }), noise = await reached({});
  for (const moved of ['class', 'null', 'both'] as const) {
    const alone = await reached({ learningRate: still, conditions: { moved, learningRate: 0.1 } });
    assert.ok(alone > unguided + 0.001, `${moved}: ${unguided} unguided, ${alone}`);
  }
  const all = await reached({ conditions: { moved: 'both', learningRate: 0.1 } });
  assert.ok(all > noise + 0.001, `${noise} by the noise, ${all} with the conditions`);
});

test('an image never ends worse than it began, however much else is judged', async () => {
  const { classes: labels } = generateOptions();
  const before = disagreement(await generate({ ...plainChain, iterations: 0 }), labels);
  const guidance: ChainGuidance = { ...plainChain, lastPredictions: 3, cutouts: { count: 2, leastSide: 0.3, noise: 0.5 }, learningRate: 1, iterations: 4, conditions: { moved: 'both', learningRate: 1 } };
  const after = disagreement(await generate(guidance), labels);
  after.forEach((score, i) => assert.ok(score >= before[i] - 1e-3, `image ${i}: ${before[i]} before, ${score} after`)); // 1e-3: 8-bit images
  assert.ok(mean(after) > mean(before) + 0.001);
});

test('the same in any batch and with any memory, everything moved and in parts', async () => {
  const guidance: ChainGuidance = { ...plainChain, lastPredictions: 2, cutouts: { count: 2, leastSide: 0.6, noise: 0.1 }, conditions: { moved: 'both', learningRate: 0.05 } };
  const { images } = await generate(guidance);
  for (const batchSize of [1, 3]) assertSameImages((await generate(guidance, { batchSize })).images, images, `batches of ${batchSize}`);
  assertSameImages((await generate({ ...guidance, memoryBytes: 1 })).images, images, 'one step per segment');
  for (const other of [{ lastPredictions: 1 }, { predictionWeights: 'equal' as const }, { cutouts: exact.cutouts }, { conditions: { moved: 'class' as const, learningRate: 0.05 } }]) {
    assert.not.equal((await generate({ ...guidance, ...other })).images, images, JSON.stringify(other));
  }
});

test('guidance leaves what the generator is told of the classes as it is', async () => {
  const plainImages = async (model: Generator) => (await core.generate(model.handle, opponents, generateOptions())).images;
  const before = await plainImages(generator);
  await generate({ ...plainChain, conditions: { moved: 'both', learningRate: 0.1 } });
  assert.equal(await plainImages(generator), before);
});

test('what cannot be is refused', async () => {
  const message = async (guidance: Partial<ChainGuidance>, options: Partial<GenerateOptions>, code: 'config' | 'usage') => (await failure(() => engine.run(() => generate({ ...plainChain, ...guidance }, options)), code)).message;
  assert.match(await message({ lastPredictions: 6 }, {}, 'config'), 'lastPredictions: expected 1 to 5, the steps that are taken, found 6');
  assert.match(await message({ conditions: { moved: 'both', learningRate: 0.1 } }, { guidanceScale: 1 }, 'config'), 'expected a guidance scale other than 1 to move the null condition, found 1');
  assert.match(await message({ conditions: { moved: 'some' as never, learningRate: 0.1 } }, {}, 'usage'), "Unknown conditions 'some'");
  assert.match(await message({ predictionWeights: 'falling' as never }, {}, 'usage'), "Unknown weights of predictions 'falling'");
  using untold = await Generator.create(engine, { ...denoiserSpec, unet: { ...denoiserSpec.unet, classEmbeddings: 0 } }, ['dark', 'bright'], 1);
  const guidance: ChainGuidance = { ...plainChain, conditions: { moved: 'class', learningRate: 0.1 } };
  assert.match((await failure(() => engine.run((core) => core.generate(untold.handle, opponents, generateOptions({ guidance }))), 'config')).message, 'found one that draws without a condition');
  const { precision, sampler, eta, guidanceScale, start } = generateOptions();
  const error = await failure(() => engine.run((core) => core.checkSampling(generator.handle, { precision, steps: 2, sampler, eta, guidanceScale, start, guidance: { ...plainChain, lastPredictions: 3 } })), 'config');
  assert.match(error.message, 'expected 1 to 2');
});

test.run();
