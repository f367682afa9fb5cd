/** What the tensors of a step leave on the CPU serves the next step, and goes back when a model is let go. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { normals } from '../support/numeric.js';
import { batch, openEngine, pixels, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });
/** Once the core has let go of what the last job was given, which it does after its result is there. */
async function memory() {
  await engine.run((core) => core.setThreads(1));
  return engine.core.tensorMemory();
}

test('a step that was made before asks for next to no memory', async () => {
  using teacher = await tinyClassifier(engine, 1);
  using student = await tinyClassifier(engine, 2);
  const trainer = await engine.run((core) => core.createClassifierTrainer(student.handle, teacher.handle, { ...trainerOptions(), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 }));
  const { images, labels } = batch(0);
  const train = (step: number) => engine.run((core) => core.trainStep(trainer, images, labels, { learningRate: 1e-3, step }));
  const before = await memory();
  for (const step of [0, 1]) await train(step);
  const warm = await memory();
  for (const step of [2, 3, 4]) await train(step);
  const after = await memory();
  // Not none: what the last step was given may still be there when the next begins.
  assert.ok(after.asked - warm.asked < (warm.asked - before.asked) / 10, `${after.asked - warm.asked} of ${warm.asked - before.asked}`);
  assert.is(after.inUse, warm.inUse);
  assert.ok(after.kept > 0);
  assert.ok(after.most >= after.inUse);
  engine.core.dispose(trainer);
});

test('what is used again does not change results', async () => {
  using model = await tinyClassifier(engine, 1);
  const gradient = (count: number) => engine.run((core) => core.classifierGradient(model.handle, { x: normals(1, count * pixels), direction: normals(2, count * 2), precision: 'fp32' }));
  const expected = await gradient(3);
  for (const count of [2, 3, 5, 3, 4]) {
    const found = await gradient(count);
    if (count === 3) assert.equal(found, expected);
  }
});

test('what is kept goes back when a model is let go, and is no longer counted', async () => {
  const model = await tinyClassifier(engine, 1);
  await engine.run((core) => core.classifierGradient(model.handle, { x: normals(1, 64 * pixels), direction: normals(2, 64 * 2), precision: 'fp32' }));
  const before = await memory();
  assert.ok(before.kept > 64 * pixels * 4);
  model[Symbol.dispose]();
  const after = engine.core.tensorMemory();
  assert.is(after.kept, 0);
  assert.ok(after.inUse < before.inUse, 'the weights were freed');
  assert.is(after.most, after.inUse);
});

test('what is kept does not grow with the sizes that were asked for', async () => {
  using model = await tinyClassifier(engine, 1);
  let largest = 0;
  for (let count = 40; count > 8; count--) {
    await engine.run((core) => core.classifierGradient(model.handle, { x: normals(1, count * 16 * pixels), direction: normals(2, count * 16 * 2), precision: 'fp32' }));
    const { inUse, kept, most } = await memory();
    largest = Math.max(largest, inUse + kept - most * 9 / 8);
  }
  assert.ok(largest <= 64 * 2 ** 20, `${largest}`);
});

test.run();
