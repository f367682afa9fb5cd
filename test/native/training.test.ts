/** What trainers learn, and their losses and gradients, with networks and images that take milliseconds. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import type { DenoiserHandle, StepOptions, TrainerHandle } from '../../lib/native/contract.js';
import type { Classifier } from '../../lib/native/models.js';
import { Trainer } from '../../lib/training/trainer.js';
import { logSoftmax, mean, norm, relativeError, rows } from '../support/numeric.js';
import { plainForward } from '../support/plain-forward.js';
import { batch, failure, generateOptions, pixels, size, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';
import { core, distance, engine, losses, momentumSgd, sgd, studentTrainer, train, weightsOf, type StudentOptions } from '../support/training.js';

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

test('a learning rate or a step that makes no sense changes nothing', async () => {
  using student = await tinyClassifier(engine, 6);
  const before = await weightsOf(student.handle);
  const { student: { training } } = resolveConfig({});
  using trainer = await Trainer.classifier(student, null, training, { seed: 0 });
  for (const [learningRate, step] of [[NaN, 0], [-1e-3, 0], [1e-3, -1], [1e-3, 0.5]] as const) {
    assert.match((await failure(async () => trainer.step(batch(0), learningRate, step), 'usage')).message, /^Trainer\.step: (learningRate|step): expected/);
  }
  assert.is(distance(await weightsOf(student.handle), before), 0);
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

test.run();
