/** Guidance with small random networks in fp32: gradients against finite differences, and what generation promises. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import type { ChainGuidance, Generated, GenerateOptions, Guidance, ObjectiveOptions } from '../../lib/native/contract.js';
import { Classifier, Generator } from '../../lib/native/models.js';
import { dot, mean, norm, normals, relativeError, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { assertSameImages, exact, failure, fromNoise, generateOptions, openEngine, pixels, plainChain, randomImages, size, temporaryFolder, tinyClassifier, tinyGenerator, toPixels } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator: Generator = await tinyGenerator(engine, 1);
const teacher: Classifier = await tinyClassifier(engine, 2);
const student: Classifier = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };

const difference: ObjectiveOptions = { form: 'difference', gamma: 1, terms: 'both' };
const step = (options: Partial<Extract<Guidance, { kind: 'step' }>> = {}): Guidance => ({
  kind: 'step', objective: difference, scale: 0.4, from: 1, until: 0.4, schedule: 'constant', ...exact, ...options,
});
const chain = (options: Partial<ChainGuidance> = {}): Guidance => ({ ...plainChain, ...options });
const generate = (options: Partial<GenerateOptions>): Promise<Generated> =>
  engine.run((core, control) => core.generate(generator.handle, opponents, generateOptions(options), control));

/** teacher - student probability of each image's class. */
function disagreement({ teacherProbabilities, studentProbabilities }: Generated, classes: ArrayLike<number>): number[] {
  const ofClass = (probabilities: Float32Array) => rows(probabilities, 2).map((row, i) => row[classes[i]]);
  const student = ofClass(studentProbabilities!);
  return ofClass(teacherProbabilities!).map((probability, i) => probability - student[i]);
}

/** The derivative along several directions, from `gradient` and from central differences of the summed `score`. */
async function assertGradient(x: Float32Array, gradient: Float32Array, score: (x: Float32Array) => Promise<Float32Array>, tolerance = 2e-3): Promise<void> {
  const distance = 0.01; // in the L2 norm: far above fp32 rounding, and few ReLUs and clamps lie within it
  const directions = [...[21, 22, 23, 24].map((seed) => normals(seed, x.length)), gradient];
  for (const [i, direction] of directions.entries()) {
    const unit = direction.map((value) => value / norm(direction));
    const at = async (offset: number) => (await score(x.map((value, j) => value + offset * unit[j]))).reduce((sum, value) => sum + value, 0);
    const expected = ((await at(distance)) - (await at(-distance))) / (2 * distance);
    // The last direction is the gradient's own, where the derivative is |gradient|; along random ones it is 1/40 of it.
    const allowed = (i < 4 ? tolerance : 1e-2) * norm(gradient);
    const found = dot(gradient, unit);
    assert.ok(Math.abs(found - expected) < allowed, `direction ${i}: ${found}, by finite differences ${expected} (+-${allowed})`);
  }
}

for (const { name, scale, guidanceScale, timestep } of [
  { name: 'inside the clamp', scale: 0.3, guidanceScale: 1, timestep: 500 },
  { name: 'with a quarter of x0 clamped', scale: 1, guidanceScale: 1, timestep: 200 },
  { name: 'with classifier-free guidance', scale: 0.3, guidanceScale: 2.5, timestep: 500 },
]) {
  test(`gradient through the U-Net, ${name}`, async () => {
    const x = normals(5, 2 * pixels).map((value) => value * scale);
    const options = { classes: [0, 1], timestep, guidanceScale, precision: 'fp32', objective: { form: 'log', gamma: 1, terms: 'both' }, ...exact, repeat: 1 } as const;
    const evaluate = (x: Float32Array) => core.guidanceGradient(generator.handle, opponents, { ...options, x });
    const { gradient } = await evaluate(x);
    await assertGradient(x, gradient, async (x) => (await evaluate(x)).score);
  });
}

test('gradient at the predicted image: that of the two classifiers there', async () => {
  const x = normals(5, 2 * pixels).map((value) => value * 0.3);
  const options = { x, classes: [0, 1], timestep: 500, guidanceScale: 1, precision: 'fp32', objective: { form: 'log', gamma: 1, terms: 'both' }, repeat: 1 } as const;
  const { gradient, score, x0 } = await core.guidanceGradient(generator.handle, opponents, { ...options, ...exact, gradient: 'x0' });
  const throughUnet = await core.guidanceGradient(generator.handle, opponents, { ...options, ...exact });
  assert.equal([score, x0], [throughUnet.score, throughUnet.x0]);

  const seen = x0.map((value) => (Math.min(1, Math.max(-1, value)) + 1) / 2);
  const of = async (model: Classifier, direction: Float32Array) => core.classifierGradient(model.handle, { x: seen, direction, precision: 'fp32' });
  const none = new Float32Array(4);
  const [teacherLogits, studentLogits] = [(await of(teacher, none)).logits, (await of(student, none)).logits];
  const { teacherGradient, studentGradient } = await core.objectiveGradient({ teacherLogits, studentLogits, classes: [0, 1], objective: options.objective });
  const [fromTeacher, fromStudent] = [(await of(teacher, teacherGradient)).gradient, (await of(student, studentGradient)).gradient];
  // Pixels are (x0 + 1) / 2, and a clamped one does not move.
  const expected = x0.map((value, i) => (Math.abs(value) < 1 ? (fromTeacher[i] + fromStudent[i]) / 2 : 0));
  assert.ok(relativeError(gradient, expected) < 1e-4, `${relativeError(gradient, expected)}`);
});

test('a batch of no images is refused', async () => {
  assert.match((await failure(() => engine.run((core) => core.generate(generator.handle, opponents, generateOptions({ batchSize: 0 }))), 'usage')).message, 'batchSize: expected at least 1, found 0');
});

test('what would guide nothing is refused, and pixels are not pooled', async () => {
  const check = (options: Partial<GenerateOptions>) => engine.run((core) => core.checkSampling(generator.handle, generateOptions(options)));
  const error = await failure(() => check({ steps: 3, start: { kind: 'image', strength: 0.5 }, guidance: step({ until: 0.4 }) }), 'config');
  assert.match(error.message, /expected a step from 0\.4 \(until\) to 1 \(from\), found 1 between 0\.33/);
  await check({ steps: 3, start: { kind: 'image', strength: 0.5 }, guidance: step({ until: 0.3 }) });
  const [plain, pooled] = [await generate({ guidance: step() }), await generate({ guidance: step({ latentPool: 2 }), compareGradients: true })];
  assertSameImages(pooled.images, plain.images, 'a generator of pixels');
  assert.is(pooled.gradientCosines, null, 'it is exact');
});

/** Side of the latents of an image of 32 px. */
const latentSize = 8;

test('on pooled latents: the gradient of what the classifiers see then', async () => {
  using latent = await pretrainedGenerator(engine, { path: pipelineFolder(), prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' }, { classes: ['dark', 'bright'], imageSize: 32 });
  const judges = { teacher: (await tinyClassifier(engine, 2, { imageSize: 32 })).handle, student: (await tinyClassifier(engine, 3, { imageSize: 32 })).handle };
  const x = normals(6, latent.spec.unet.channels * latentSize ** 2);
  const options = { classes: [1], timestep: 500, guidanceScale: 1, precision: 'fp32', objective: { form: 'log', gamma: 1, terms: 'both' }, repeat: 1 } as const;
  const evaluate = (x: Float32Array, latentPool: number) => core.guidanceGradient(latent.handle, judges, { ...options, ...exact, latentPool, x });
  const [full, pooled] = [await evaluate(x, 1), await evaluate(x, 2)];
  await assertGradient(x, pooled.gradient, async (x) => (await evaluate(x, 2)).score, 1e-2); // images of 32 px have more kinks
  assert.equal(pooled.x0, full.x0);
  await failure(() => engine.run(() => evaluate(x, 3)), 'config'); // of 8
  assert.ok(Math.abs(pooled.score[0] - full.score[0]) > 1e-4, 'pooling changes nothing');
});

test('the gradients of the first batch are compared with the exact ones, which changes no image', async () => {
  const options = { steps: 1, batchSize: 4, guidance: step({ gradient: 'x0', until: 0 }) };
  const compared = await generate({ ...options, compareGradients: true });
  assertSameImages(compared.images, (await generate(options)).images, 'compared');
  const { classes, seeds } = generateOptions();
  const { noise: x } = await core.initialNoise({ seeds, size });
  const gradients = async (gradient: 'unet' | 'x0') => (await core.guidanceGradient(generator.handle, opponents, { x, classes, timestep: 999, guidanceScale: 1, precision: 'fp32', objective: difference, ...exact, gradient, repeat: 1 })).gradient;
  const [exactOnes, others] = [rows(await gradients('unet'), pixels), rows(await gradients('x0'), pixels)];
  const expected = exactOnes.map((own, i) => dot(own, others[i]) / (norm(own) * norm(others[i])));
  assert.is(compared.gradientCosines!.length, 4);
  for (const [i, cosine] of compared.gradientCosines!.entries()) assert.ok(Math.abs(cosine - expected[i]) < 1e-3, `image ${i}: ${cosine}, expected ${expected[i]}`);
  assert.ok(Math.min(...expected) < 0.999, 'the two gradients are the same: nothing is tested');

  assert.is((await generate(options)).gradientCosines, null);
  assert.is((await generate({ ...options, guidance: step(), compareGradients: true })).gradientCosines, null);
});

for (const start of [fromNoise, { start: { kind: 'image', strength: 0.7 }, images: randomImages(8, 2) }] as const) {
  test(`gradient through the chain from ${start.start.kind}: against finite differences, and the same in segments of any length`, async () => {
    const { noise: x } = await core.initialNoise({ seeds: [31, 32], size });
    const steps = start === fromNoise ? 6 : 9; // of which 6 are taken
    const options = { classes: [0, 1], steps, sampler: 'ddim', eta: 0, guidanceScale: 1.5, precision: 'fp32', ...start, objective: { form: 'log', gamma: 1, terms: 'both' } } as const;
    const evaluate = (x: Float32Array, segmentSteps: number) => core.chainGradient(generator.handle, opponents, { ...options, x, segmentSteps });
    const whole = await evaluate(x, 6);
    await assertGradient(x, whole.gradient, async (x) => (await evaluate(x, 6)).score);
    for (const segmentSteps of [1, 3, 4]) {
      const parts = await evaluate(x, segmentSteps);
      assert.ok(relativeError(parts.gradient, whole.gradient) < 1e-5, `${segmentSteps}: ${relativeError(parts.gradient, whole.gradient)}`);
      assert.ok(relativeError(parts.images, whole.images) < 1e-6);
      assert.ok(relativeError(parts.score, whole.score) < 1e-5);
    }
  });
}

test('initial noise depends on the seed of its image alone, and is standard normal', async () => {
  const seeds = [3, 2 ** 52 + 1, 7, 0];
  const { noise } = await core.initialNoise({ seeds, size });
  for (const [i, row] of rows(noise, pixels).entries()) {
    const alone = await core.initialNoise({ seeds: [seeds[i]], size });
    assert.equal(row, alone.noise);
  }
  const { noise: large } = await core.initialNoise({ seeds: [1], size: 128 });
  assert.ok(Math.abs(mean(large)) < 0.02);
  assert.ok(Math.abs(norm(large) ** 2 / large.length - 1) < 0.02);
});

for (const [name, guidance] of Object.entries({ unguided: { kind: 'none' }, 'guided per step': step(), 'guided through the chain': chain() } satisfies Record<string, Guidance>)) {
  test(`the same seed gives the same image in any batch, ${name}`, async () => {
    const whole = await generate({ guidance, batchSize: 8 });
    for (const batchSize of [1, 3]) {
      const parts = await generate({ guidance, batchSize });
      assertSameImages(parts.images, whole.images, `batches of ${batchSize}`);
      assert.ok(relativeError(parts.teacherProbabilities!, whole.teacherProbabilities!) < 1e-3);
    }
    assert.equal((await generate({ guidance, batchSize: 8 })).images, whole.images, 'a repetition is exact');
  });
}

test('the same seed gives the same image on any number of threads', async () => {
  const single = await generate({ guidance: step() });
  await core.setThreads(2);
  const double = await generate({ guidance: step() });
  await core.setThreads(1);
  assertSameImages(double.images, single.images, 'two threads');
});

test('images of different seeds and of different classes differ', async () => {
  const { images } = await generate({ classes: [0, 0, 1], seeds: [1, 2, 1] });
  const [first, otherSeed, otherClass] = rows(images, pixels);
  assert.not.equal(first, otherSeed);
  assert.not.equal(first, otherClass);
});

test('probabilities are those of the 8-bit images', async () => {
  const { images, teacherProbabilities, studentProbabilities } = await generate({});
  assert.ok(relativeError(await teacher.probabilities(images), teacherProbabilities!) < 1e-5);
  assert.ok(relativeError(await student.probabilities(images), studentProbabilities!) < 1e-5);
  const alone = await core.generate(generator.handle, {}, generateOptions());
  assert.equal(alone.images, images);
  assert.is(alone.teacherProbabilities, null);
  assert.is(alone.studentProbabilities, null);
});

test('guidance per step raises the objective', async () => {
  const classes = Array.from({ length: 16 }, (_, i) => i % 2), seeds = classes.map((_, i) => 100 + i);
  const unguided = mean(disagreement(await generate({ classes, seeds }), classes));
  const guided = mean(disagreement(await generate({ classes, seeds, guidance: step() }), classes));
  const opposite = mean(disagreement(await generate({ classes, seeds, guidance: step({ scale: -0.4 }) }), classes));
  assert.ok(guided > unguided + 0.001, `unguided ${unguided}, guided ${guided}`);
  assert.ok(opposite < unguided - 0.001, `unguided ${unguided}, guided the other way ${opposite}`);
});

test('guidance acts within its interval only, with the weight of its schedule', async () => {
  // Five steps lie at t = 1, 0.8, 0.6, 0.4 and 0.2.
  const images = async (options: Parameters<typeof step>[0]) => (await generate({ guidance: step(options) })).images;
  const unguided = (await generate({})).images;
  assert.equal(await images({ from: 0.55, until: 0.45 }), unguided);
  assert.equal(await images({ scale: 0 }), unguided);
  const first = await images({ from: 1, until: 0.9 });
  assert.not.equal(first, unguided);
  assert.not.equal(await images({ from: 0.6, until: 0.6 }), unguided); // both ends belong to it
  assert.equal(await images({ from: 1, until: 0.8, schedule: 'linear' }), first, 'linear: weight 1 at its start, 0 at its end');
});

test('guidance fades where the two already disagree as wished, and not where they agree', async () => {
  // Classifiers of one opinion: the teacher always says 0, the student always 1.
  const folder = temporaryFolder();
  const convinced = async (source: Classifier, label: number): Promise<Classifier> => {
    const path = join(folder, `${label}.safetensors`);
    await source.save(path);
    const { tensors, metadata } = readSafetensors(path);
    tensors['fc.bias'].values[label] += 50;
    writeFileSync(path, encodeSafetensors(tensors, metadata));
    return Classifier.load(engine, path);
  };
  using says0 = await convinced(teacher, 0);
  using says1 = await convinced(student, 1);
  const pair = { teacher: says0.handle, student: says1.handle };
  const images = async (label: number, guidance: Guidance) =>
    (await core.generate(generator.handle, pair, generateOptions({ classes: [label], seeds: [11], guidance }))).images;
  // Both are saturated. The log form has a gradient even so, of class 0 from the student and of class 1 from the teacher.
  const levels = async (label: number, terms: ObjectiveOptions['terms']): Promise<number> => {
    const unguided = await images(label, { kind: 'none' });
    const guided = await images(label, step({ objective: { form: 'log', gamma: 1, terms } }));
    return Math.max(...guided.map((value, i) => Math.abs(value - unguided[i])));
  };
  const [wished, opposite] = [await levels(0, 'both'), await levels(1, 'both')];
  assert.ok(wished <= 1, `t_y = 1 and f_y = 0: ${wished} levels`);
  assert.ok(opposite > 20, `t_y = 0 and f_y = 1: ${opposite} levels`);
  // The student's term alone fades where f_y = 0, the teacher's pushes where t_y = 0.
  const [student0, teacher1] = [await levels(0, 'student'), await levels(1, 'teacher')];
  assert.ok(student0 <= 1, `f_y = 0: ${student0} levels`);
  assert.ok(teacher1 > 20, `t_y = 0: ${teacher1} levels`);
});

test('one term alone raises the teacher or lowers the student, and the other network has no say', async () => {
  const classes = Array.from({ length: 16 }, (_, i) => i % 2), seeds = classes.map((_, i) => 100 + i);
  using other = await tinyClassifier(engine, 5);
  const ofClass = (probabilities: Float32Array | null) => mean(rows(probabilities!, 2).map((row, i) => row[classes[i]]));
  const unguided = await generate({ classes, seeds });
  for (const guide of [step, chain]) {
    const guided = async (terms: ObjectiveOptions['terms'], pair = opponents): Promise<Generated> =>
      core.generate(generator.handle, pair, generateOptions({ classes, seeds, batchSize: 16, guidance: guide({ objective: { ...difference, terms } }) }));
    const teacherOnly = await guided('teacher'), studentOnly = await guided('student');
    assert.ok(ofClass(teacherOnly.teacherProbabilities) > ofClass(unguided.teacherProbabilities) + 0.001);
    assert.ok(ofClass(studentOnly.studentProbabilities) < ofClass(unguided.studentProbabilities) - 0.001);
    assert.equal((await guided('teacher', { ...opponents, student: other.handle })).images, teacherOnly.images);
    assert.equal((await guided('student', { ...opponents, teacher: other.handle })).images, studentOnly.images);
    assert.not.equal((await guided('both', { ...opponents, student: other.handle })).images, (await guided('both')).images);
  }
});

test('the chain keeps the best iterate of each image', async () => {
  const options = generateOptions();
  const { noise: x } = await core.initialNoise({ seeds: options.seeds, size });
  const { score: before } = await core.chainGradient(generator.handle, opponents, { ...options, x, objective: difference, segmentSteps: 5 });
  // A learning rate this large overshoots on some images, which then keep an earlier iterate.
  for (const learningRate of [0.05, 5]) {
    const after = disagreement(await generate({ guidance: chain({ learningRate, iterations: 4 }) }), options.classes);
    after.forEach((score, i) => assert.ok(score >= before[i] - 1e-3, `image ${i}: ${before[i]} before, ${score} after`)); // 1e-3: 8-bit images
    assert.ok(mean(after) > mean(before) + 0.001, `${mean(before)} before, ${mean(after)} after`);
  }
});

test('one iteration of the chain is a step of Adam, rescaled to the norm of the noise', async () => {
  const options = generateOptions();
  const learningRate = 0.5;
  const { noise } = await core.initialNoise({ seeds: options.seeds, size });
  const evaluate = (x: Float32Array) => core.chainGradient(generator.handle, opponents, { ...options, x, objective: difference, segmentSteps: 5 });
  const start = await evaluate(noise);
  const moved = rows(noise, pixels).flatMap((z, i) => {
    const gradient = start.gradient.subarray(i * pixels, (i + 1) * pixels);
    const next = z.map((value, j) => value + (learningRate * gradient[j]) / (Math.abs(gradient[j]) + 1e-8));
    const rescale = norm(z) / norm(next);
    return Array.from(next, (value) => value * rescale);
  });
  const end = await evaluate(Float32Array.from(moved));
  const best = rows(start.images, pixels).map((image, i) => (end.score[i] > start.score[i] ? rows(end.images, pixels)[i] : image));
  const { images } = await generate({ guidance: chain({ learningRate, iterations: 1 }) });
  assert.ok(end.score.some((score, i) => score > start.score[i]), 'the step improves some image');
  for (const [i, image] of rows(images, pixels).entries()) {
    assertSameImages(image, toPixels(best[i]), `image ${i}`);
  }
});

test('a chain without iterations is unguided, and little memory changes nothing', async () => {
  assert.equal((await generate({ guidance: chain({ iterations: 0 }) })).images, (await generate({})).images);
  const roomy = await generate({ guidance: chain() });
  const tight = await generate({ guidance: chain({ memoryBytes: 1 }) });
  assertSameImages(tight.images, roomy.images, 'one step per segment');
});

test('guidance changes no network', async () => {
  const folder = temporaryFolder();
  const images = randomImages(4, 4);
  const snapshot = async (name: string) => {
    const files = await Promise.all(
      [generator, teacher, student].map(async (model, i) => {
        const path = join(folder, `${name}-${i}.safetensors`);
        await model.save(path);
        return readFileSync(path);
      }),
    );
    return { files, logits: [await teacher.logits(images), await student.logits(images)] };
  };
  const before = await snapshot('before');
  await generate({ guidance: step() });
  await generate({ guidance: chain() });
  assert.equal(await snapshot('after'), before);
});

test('what cannot be generated is refused', async () => {
  const run = (options: Partial<GenerateOptions>, pair = opponents) => () =>
    engine.run((core) => core.generate(generator.handle, pair, generateOptions(options)));
  assert.match((await failure(run({ classes: [2], seeds: [1] }), 'usage')).message, 'class 2');
  assert.match((await failure(run({ seeds: [1] }), 'usage')).message, 'seeds');
  assert.match((await failure(run({ classes: [], seeds: [] }), 'usage')).message, 'at least one');
  for (const guidance of [step(), chain()]) {
    const error = await failure(run({ guidance }, { teacher: teacher.handle } as typeof opponents), 'usage');
    assert.match(error.message, 'student');
  }
  using large = await tinyClassifier(engine, 4, { imageSize: 32 });
  assert.match((await failure(run({}, { teacher: large.handle, student: student.handle }), 'config')).message, '32 px');
});

test.run();
