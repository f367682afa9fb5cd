/** Class embeddings that are moved against a classifier, through the chain: the gradient, and what the search promises. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { OpposeOptions } from '../../lib/native/contract.js';
import type { Generator } from '../../lib/native/models.js';
import { dot, mean, norm, normals, relativeError, rows } from '../support/numeric.js';
import { encodeSafetensors, readSafetensors, type Tensor } from '../support/safetensors.js';
import { failure, fromNoise, generateOptions, openEngine, size, temporaryFolder, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const generator = await tinyGenerator(engine, 1);
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
const width = 32; // of a class embedding: four times the channels of the first level

async function conditionsOf(model: Generator): Promise<Tensor> {
  const path = join(folder, 'read.safetensors');
  await model.saveConditions(path);
  return readSafetensors(path).tensors.conditions;
}

const oppose = (own: Generator, options: Partial<OpposeOptions> = {}) =>
  own.oppose(student, { steps: 4, sampler: 'ddim', eta: 0, guidanceScale: 1, start: { kind: 'noise' }, seeds: [1, 2, 3, 4, 5, 6], iterations: 6, learningRate: 0.04, batchSize: 64, memoryBytes: 2 ** 30, ...options });

for (const guidanceScale of [1, 1.5]) {
  test(`the gradient through the chain with respect to the class embeddings, against finite differences, in segments of any length (guidance scale ${guidanceScale})`, async () => {
    using own = await generator.withOwnConditions();
    const { noise: x } = await core.initialNoise({ seeds: [31, 32, 33], size });
    const options = { classes: [0, 1, 0], x, steps: 6, sampler: 'ddim', eta: 0, guidanceScale, precision: 'fp32', ...fromNoise, objective: { form: 'log', gamma: 1, terms: 'student' } } as const;
    const evaluate = (segmentSteps = 6) => core.chainGradient(own.handle, opponents, { ...options, segmentSteps });
    const whole = await evaluate();
    const gradient = whole.conditionGradient!;
    assert.is(gradient.length, 3 * width);
    for (const [row, values] of rows(gradient, width).entries()) assert.is(norm(values) > 0, row < 2 || guidanceScale !== 1, `row ${row}`);
    for (const segmentSteps of [1, 4]) {
      const parts = await evaluate(segmentSteps);
      assert.ok(relativeError(parts.conditionGradient!, gradient) < 1e-5);
      assert.ok(relativeError(parts.gradient, whole.gradient) < 1e-5);
    }
    assert.is((await core.chainGradient(generator.handle, opponents, { ...options, segmentSteps: 6 })).conditionGradient, null);

    const { values, ...tensor } = await conditionsOf(own);
    const path = join(folder, 'moved.safetensors'), distance = 0.005; // more, and clamps and ReLUs lie within it
    const score = async (offset: number, direction: Float32Array) => {
      writeFileSync(path, encodeSafetensors({ conditions: { ...tensor, values: Float32Array.from(values, (value, i) => value + offset * direction[i]) } }));
      await own.loadConditions(path);
      return (await evaluate()).score.reduce((sum, value) => sum + value, 0);
    };
    for (const direction of [gradient, normals(21, 3 * width), normals(22, 3 * width)]) {
      const unit = direction.map((value) => value / norm(direction));
      const found = dot(gradient, unit), expected = ((await score(distance, unit)) - (await score(-distance, unit))) / (2 * distance);
      assert.ok(Math.abs(found - expected) < 1e-2 * norm(gradient), `${found}, by finite differences ${expected}, norm ${norm(gradient)}`);
    }
  });
}

test('one iteration is a step of Adam along the sign of the gradient', async () => {
  using own = await generator.withOwnConditions();
  const seeds = [1, 2, 3, 4];
  const { noise: x } = await core.initialNoise({ seeds, size });
  const { conditionGradient } = await core.chainGradient(own.handle, opponents, { classes: [0, 0, 1, 1], x, steps: 4, sampler: 'ddim', eta: 0, guidanceScale: 1, precision: 'fp32', ...fromNoise, objective: { form: 'log', gamma: 1, terms: 'student' }, segmentSteps: 4 });
  const before = (await conditionsOf(own)).values;
  await oppose(own, { seeds, iterations: 1 });
  const after = (await conditionsOf(own)).values;
  for (let i = 0; i < 2 * width; i++) {
    const gradient = conditionGradient![i];
    if (Math.abs(gradient) > 1e-5) assert.ok(Math.abs(after[i] - before[i] - Math.sign(gradient) * 0.04) < 1e-4, `${i}: ${after[i] - before[i]} with gradient ${gradient}`);
  }
});

test('the student fails more often on new images; null class, generator and student stay as they are', async () => {
  const files = ['generator', 'student'].map((name) => join(folder, `${name}.safetensors`));
  const saved = async () => {
    await generator.save(files[0]);
    await student.save(files[1]);
    return files.map((file) => readFileSync(file, 'base64'));
  };
  const before = await saved();
  using own = await generator.withOwnConditions();
  const original = rows(Float32Array.from((await conditionsOf(own)).values), width);
  const classes = Array.from({ length: 32 }, (_, i) => i % 2), seeds = classes.map((_, i) => 100 + i);
  const loss = async (model: Generator) => {
    const { studentProbabilities } = await core.generate(model.handle, opponents, generateOptions({ classes, seeds, batchSize: 32, steps: 4 }));
    return mean(classes.map((label, i) => -Math.log(studentProbabilities![2 * i + label])));
  };
  const first = await loss(own);
  await oppose(own, { iterations: 80 });
  assert.ok((await loss(own)) > first + 0.015, `${first} before, ${await loss(own)} after`);
  const moved = rows(Float32Array.from((await conditionsOf(own)).values), width);
  assert.equal(moved[2], original[2]);
  for (const label of [0, 1]) assert.ok(relativeError(moved[label], original[label]) > 0.01);
  assert.equal(await saved(), before);
});

test('the same seeds find the same; batches and memory do not matter, the noise does', async () => {
  const found = async (options: Partial<OpposeOptions> = {}) => {
    using own = await generator.withOwnConditions();
    await oppose(own, { guidanceScale: 1.5, ...options });
    return (await conditionsOf(own)).values;
  };
  const first = await found();
  assert.equal(await found(), first);
  // Adam's first steps are the signs of gradients, where rounding may count: equal up to a few of them.
  for (const options of [{ batchSize: 1 }, { memoryBytes: 1 }]) assert.ok(relativeError(await found(options), first) < 1e-3, JSON.stringify(options));
  assert.ok(relativeError(await found({ seeds: [7, 8, 9, 10, 11, 12] }), first) > 1e-3);
});

test('progress is told, and what does not fit is one error', async () => {
  using own = await generator.withOwnConditions();
  const told: number[] = [];
  const options: OpposeOptions = { steps: 4, sampler: 'ddim', eta: 0, guidanceScale: 1, start: { kind: 'noise' }, precision: 'fp32', seeds: [1, 2], iterations: 3, learningRate: 0.04, batchSize: 1, memoryBytes: 2 ** 30 };
  await engine.run((core, control) => core.opposeClassifier(own.handle, student.handle, options, control), { onProgress: (done, total) => told.push(done / total) });
  assert.is(told.at(-1), 1);
  assert.equal([...told].sort((a, b) => a - b), told);
  await failure(() => oppose(own, { sampler: 'dpm-solver++-2m' }), 'config');
  await failure(() => oppose(own, { start: { kind: 'image', strength: 0.5 } }), 'usage');
  assert.match((await failure(() => oppose(own, { seeds: [1, 2, 3] }), 'usage')).message, 'as many seeds for each of 2 classes, found 3');
  await failure(() => oppose(generator), 'usage');
  using wide = await tinyClassifier(engine, 1, { numClasses: 3 });
  await failure(() => own.oppose(wide, options), 'config');
  await failure(() => oppose(own, { learningRate: Infinity }), 'numeric');
});

test.run();
