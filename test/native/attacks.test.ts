/** Attacks on small random and trained networks: their steps by hand, the ball, what they achieve, and discrete adversaries. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { MemoryDataset } from '../../lib/data/memory.js';
import { evaluate } from '../../lib/methods/evaluate.js';
import { evaluateAttacked, pgdStepSize } from '../../lib/methods/evaluate-attacked.js';
import type { AttackNorm, AutoencoderSpec, DiscreteAttack, DiscreteVariant, EvaluationAttack } from '../../lib/native/contract.js';
import { Autoencoder, Classifier } from '../../lib/native/models.js';
import { softmax } from '../../lib/metrics/softmax.js';
import { mean, norm, normals, relativeError, rows } from '../support/numeric.js';
import { batch, classes, device, failure, openEngine, pixels, randomImages, size, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const norms: readonly AttackNorm[] = ['l2', 'linf'];
const count = 4;
const images = randomImages(1, count), labels = Int32Array.of(0, 1, 1, 0), seeds = [5, 6, 7, 8];
const random: Classifier = await tinyClassifier(engine, 2);

/** Images in 0..1: [B, size, size, 3] uint8 -> [B, 3, size, size]. */
function planes(images: Uint8Array): Float32Array {
  const plane = size * size;
  return Float32Array.from(images, (_, at) => {
    const image = Math.floor(at / pixels), channel = Math.floor((at % pixels) / plane), place = at % plane;
    return Math.fround(images[image * pixels + place * 3 + channel] / 255);
  });
}

const lengthOf = { l2: norm, linf: (change: ArrayLike<number>) => Math.max(...Array.from(change, Math.abs)) };
const differences = (found: Float32Array, from: Float32Array): Float32Array[] => rows(found.map((value, i) => value - from[i]), pixels);

// ---------------------------------------------------------------- steps

for (const kind of norms) {
  test(`${kind}: a step goes along the gradient, by its length, and back into the ball`, async () => {
    const centre = normals(1, count * pixels).map((value) => 0.5 + 0.05 * value); // far from 0 and 1
    const gradient = normals(2, count * pixels).map((value, i) => value * 10 ** (-8 * Math.floor(i / pixels))); // down to 1e-24, whose squares are 0
    const step = (x: Float32Array, epsilon: number, stepSize: number) => core.attackStep({ x, centre, gradient, norm: kind, epsilon, stepSize, size });
    const stepSize = 0.1;
    const direction = rows(gradient, pixels).map((row) => (kind === 'l2' ? row.map((value) => value / norm(row)) : row.map(Math.sign)));
    const moved = differences((await step(centre, 1, stepSize)).x, centre);
    moved.forEach((change, i) => assert.ok(relativeError(change, direction[i].map((value) => stepSize * value)) < 1e-4, `image ${i}`));

    // Twice as far as the ball goes.
    const epsilon = stepSize / 2;
    const held = differences((await step(centre, epsilon, stepSize)).x, centre);
    held.forEach((change, i) => assert.ok(relativeError(change, direction[i].map((value) => epsilon * value)) < 1e-4, `image ${i}`));
    assert.equal((await step(centre, epsilon, 0)).x, centre);
  });

  test(`${kind}: a projection stays in the ball and in 0..1`, async () => {
    const centre = planes(images), x = normals(3, count * pixels), none = new Float32Array(count * pixels);
    const epsilon = kind === 'l2' ? 2 : 0.1;
    const found = (await core.attackStep({ x, centre, gradient: none, norm: kind, epsilon, stepSize: 1, size })).x;
    assert.ok(found.every((value) => value >= 0 && value <= 1));
    for (const change of differences(found, centre)) assert.ok(lengthOf[kind](change) <= epsilon * (1 + 1e-5));
  });

  test(`${kind}: a random start depends on the seed of the image alone, and reaches the ball with its probability`, async () => {
    const many = 200;
    const centre = new Float32Array(many * pixels).fill(0.5);
    const start = async (seeds: number[], randomStart: number) =>
      rows((await core.attackStart({ centre: centre.subarray(0, seeds.length * pixels), norm: kind, epsilon: 0.25, randomStart, seeds, size })).x, pixels);
    const all = Array.from({ length: many }, (_, i) => 100 + i);
    const moved = await start(all, 1);
    const lengths = moved.map((row) => lengthOf[kind](row.map((value) => value - 0.5)));
    // A Gaussian direction has the length; the largest of 768 uniform values is nearly it.
    assert.ok(lengths.every((length) => length <= 0.25001 && length > 0.24), `${Math.min(...lengths)}`);
    assert.ok(Math.abs(mean(moved.map((row) => mean(row))) - 0.5) < 2e-3);
    assert.ok(Math.max(...Array.from(moved[0])) - 0.5 < (kind === 'l2' ? 0.05 : 0.2501));

    const [alone] = await start([all[7]], 1);
    assert.equal(alone, moved[7]);
    assert.not.equal(moved[7], moved[8]);

    const some = await start(all, 0.8);
    const unmoved = some.filter((row) => row.every((value) => value === 0.5)).length;
    assert.ok(unmoved > 20 && unmoved < 60, `${unmoved} of 200, expected about 40`);
    some.forEach((row, i) => assert.ok(row[0] === 0.5 || row[0] === moved[i][0], 'the same points'));
    assert.ok((await start(all, 0)).every((row) => row.every((value) => value === 0.5)));
  });
}

// ---------------------------------------------------------------- attacks for evaluation

/** A classifier that learned to tell dark from bright noise. */
const trained: Classifier = await (async () => {
  const model = await tinyClassifier(engine, 3);
  const trainer = await core.createClassifierTrainer(model.handle, null, { ...trainerOptions(), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 1 });
  for (let step = 0; step < 60; step++) {
    const { images, labels } = batch(step, 32);
    await core.trainStep(trainer, images, labels, { learningRate: 5e-3, step });
  }
  return new Classifier(engine, core.trainedModel(trainer), model.spec, classes);
})();
const held = batch(1000, 128);
const heldOut = new MemoryDataset({ name: 'held out', classes, attributes: ['all'], imageSize: size, labels: held.labels, attributeOf: new Int32Array(128), pixels: held.images });
const attackOf = (kind: EvaluationAttack['kind'], norm: AttackNorm, epsilon: number, steps = 10): EvaluationAttack => ({ kind, norm, epsilon, steps, stepSize: pgdStepSize(epsilon, steps), randomStart: kind === 'fgsm' ? 0 : 1 });

for (const kind of ['fgsm', 'pgd', 'apgd'] as const) {
  for (const norm of norms) {
    test(`${kind}, ${norm}: the images stay in the ball and in 0..1, at a higher loss, the same in any batch`, async () => {
      const epsilon = norm === 'l2' ? 1 : 8 / 255;
      const attacked = (images: Uint8Array, labels: Int32Array, seeds: number[]) => core.attackedImages(random.handle, images, labels, { ...attackOf(kind, norm, epsilon), seeds, precision: 'fp32' });
      const found = await attacked(images, labels, seeds);
      assert.ok(found.images.every((value) => value >= 0 && value <= 1));
      const changes = differences(found.images, planes(images));
      for (const change of changes) assert.ok(lengthOf[norm](change) <= epsilon * (1 + 1e-5) && lengthOf[norm](change) > 0.5 * epsilon);
      const before = await core.attackedImages(random.handle, images, labels, { ...attackOf('fgsm', norm, 0), seeds, precision: 'fp32' });
      found.losses.forEach((loss, i) => assert.ok(loss > before.losses[i] + 0.01, `image ${i}: ${loss} after ${before.losses[i]}`));

      const alone = await attacked(images.subarray(pixels, 2 * pixels), labels.subarray(1, 2), [seeds[1]]);
      assert.ok(relativeError(alone.images, rows(found.images, pixels)[1]) < 1e-4);
    });
  }

  test(`${kind}: an undefended network loses accuracy as the ball grows`, async () => {
    const clean = (await evaluate(trained, heldOut)).accuracy;
    assert.ok(clean > 0.95, `${clean}`);
    const accuracies = [];
    for (const epsilon of [0, 2 / 255, 8 / 255, 24 / 255, 64 / 255]) accuracies.push((await evaluateAttacked(trained, heldOut, attackOf(kind, 'linf', epsilon), 0)).accuracy);
    assert.is(accuracies[0], clean);
    accuracies.slice(1).forEach((accuracy, i) => assert.ok(accuracy <= accuracies[i], `${accuracies}`));
    assert.ok(accuracies.at(-1)! < 0.1, `${accuracies}`);
  });
}

test('fgsm is one step of pgd of the length of the ball', async () => {
  const options = { norm: 'linf', epsilon: 0.05, stepSize: 0.05, steps: 1, randomStart: 0, seeds, precision: 'fp32' } as const;
  const [fgsm, pgd] = await Promise.all((['fgsm', 'pgd'] as const).map((kind) => core.attackedImages(random.handle, images, labels, { ...options, kind })));
  assert.equal(fgsm, pgd);
});

for (const norm of norms) {
  test(`${norm}: apgd finds a higher loss than pgd in as many steps, on average`, async () => {
    const epsilon = norm === 'l2' ? 0.5 : 4 / 255;
    const { images, labels } = batch(2000, 64);
    const seeds = Array.from({ length: 64 }, (_, i) => i);
    for (const model of [random, trained]) {
      const [pgd, apgd] = await Promise.all((['pgd', 'apgd'] as const).map((kind) => core.attackedImages(model.handle, images, labels, { ...attackOf(kind, norm, epsilon, 20), seeds, precision: 'fp32' })));
      assert.ok(mean(apgd.losses) >= mean(pgd.losses), `${mean(apgd.losses)} against ${mean(pgd.losses)}`);
    }
  });
}

test('an attack is cancelled between its steps, and wrong options are named', async () => {
  const options = { ...attackOf('pgd', 'l2', 1, 100_000), seeds };
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  await failure(() => random.attack(images, labels, options, { signal: controller.signal }), 'aborted');
  for (const [wrong, message] of [
    [{ epsilon: -1 }, /epsilon of at least 0/],
    [{ stepSize: NaN }, /stepSize/],
    [{ steps: 0 }, /1 to 100000 steps/],
    [{ randomStart: 2 }, /randomStart from 0 to 1/],
    [{ norm: 'l1' }, /Unknown norm 'l1'; expected l2 or linf/],
    [{ kind: 'cw' }, /Unknown attack 'cw'; expected fgsm, pgd or apgd/],
    [{ seeds: [1] }, /one seed for each of 4 images, found 4 and 1/],
  ] as const) {
    assert.match((await failure(() => random.attack(images, labels, { ...options, ...(wrong as object) }), 'usage')).message, message);
  }
  assert.match((await failure(() => random.attack(images, Int32Array.of(0, 1, 2, 0), options), 'usage')).message, /Label 2 at position 2/);
});

// ---------------------------------------------------------------- discrete adversaries

const vqganSpec: AutoencoderSpec = { kind: 'vqgan', blockChannels: [4, 8], attention: [0, 1], layersPerBlock: 1, normGroups: 2, latentChannels: 4, numCodes: 64, codeChannels: 3 };
const vqgan = await Autoencoder.create(engine, vqganSpec, 1);
const defaults: DiscreteAttack = { variant: 'adversarial', norm: 'l2', epsilon: 0.1, stepSize: 0.1, steps: 1, randomStart: 0 };
const stepsOf = (options: Partial<DiscreteAttack> = {}, model = random) => core.discreteSteps(model.handle, vqgan.handle, images, labels, { ...defaults, ...options, seeds, precision: 'fp32' });
const discretised = async (x: Float32Array) => (await core.discretise(vqgan.handle, { x, seeds, size, precision: 'fp32' })).images;

/** A GPU divides 8-bit values by 255 a little differently. */
function assertSame(found: Float32Array, expected: Float32Array): void {
  if (device === 'cpu') assert.equal(found, expected);
  else assert.ok(relativeError(found, expected) < 1e-6);
}

/** The classifier's gradient of the cross-entropy at images [B, 3, size, size]. */
async function gradientAt(x: Float32Array): Promise<Float32Array> {
  const { logits } = await core.classifierGradient(random.handle, { x, direction: new Float32Array(2 * count), precision: 'fp32' });
  const direction = softmax(logits, 2).map((value, i) => value - (i % 2 === labels[Math.floor(i / 2)] ? 1 : 0));
  return (await core.classifierGradient(random.handle, { x, direction, precision: 'fp32' })).gradient;
}

test('the gradient is that at Q(x) with respect to Q(x), and takes no part in Q', async () => {
  const stepSize = 2, epsilon = 10;
  const { reconstruction, moved, images: found } = await stepsOf({ stepSize, epsilon });
  assertSame(reconstruction, await discretised(planes(images)));
  const gradient = rows(await gradientAt(reconstruction), pixels);
  const expected = rows(reconstruction, pixels).flatMap((row, i) => {
    const scale = (stepSize * size) / 224 / norm(gradient[i]);
    return Array.from(row, (value, j) => Math.min(1, Math.max(0, value + scale * gradient[i][j])));
  });
  assert.ok(relativeError(moved, expected) < 1e-5);
  assert.equal(found, await discretised(moved));
});

test('the ball is that of 224 px times side / 224, around Q(x)', async () => {
  for (const [norm, epsilon, radius] of [['l2', 7, (7 * size) / 224], ['linf', 0.03, 0.03]] as const) {
    const { reconstruction, moved } = await stepsOf({ norm, epsilon, stepSize: epsilon, steps: 3, randomStart: 1 });
    for (const change of differences(moved, reconstruction)) assert.ok(lengthOf[norm](change) <= radius * (1 + 1e-4) && lengthOf[norm](change) > radius / 4, norm);
    assert.ok(moved.every((value) => value >= 0 && value <= 1));
  }
});

test('with a step of 0, and with sample-only, the image is discretised twice and no more', async () => {
  const twice = await discretised(await discretised(planes(images)));
  assertSame((await stepsOf({ stepSize: 0 })).images, twice);
  assertSame((await stepsOf({ variant: 'sample-only', epsilon: 10, randomStart: 1 })).images, twice);
  assert.ok(relativeError((await stepsOf({ stepSize: 10, epsilon: 10 })).images, twice) > 1e-3);
});

test('noise-only is a random start of every image, without a gradient', async () => {
  const options = { variant: 'noise-only' as DiscreteVariant, epsilon: 10 };
  const noise = await stepsOf(options);
  const { x } = await core.attackStart({ centre: noise.reconstruction, norm: 'l2', epsilon: (10 * size) / 224, randomStart: 1, seeds, size });
  assert.equal(noise.moved, x);
  using other = await tinyClassifier(engine, 9);
  assert.equal((await stepsOf(options, other)).moved, noise.moved, 'whatever the classifier');
});

test('the 8-bit images come with what the classifier says of them, the same in any batch', async () => {
  const options = { ...defaults, epsilon: 10, stepSize: 5, steps: 2, randomStart: 0.5 };
  const { images: found, probabilities } = await random.discreteAdversaries(vqgan, images, labels, { ...options, seeds });
  assert.is(found.length, images.length);
  assert.ok(relativeError(probabilities, await random.probabilities(found)) < 1e-6);
  const exact = (await stepsOf(options)).images;
  planes(found).forEach((value, i) => assert.ok(Math.abs(value - exact[i]) < 0.5 / 255 + 1e-5));
  const alone = await random.discreteAdversaries(vqgan, images.subarray(2 * pixels, 3 * pixels), labels.subarray(2, 3), { ...options, seeds: seeds.slice(2, 3) });
  const differing = alone.images.filter((value, i) => value !== found[2 * pixels + i]).length;
  assert.ok(differing < pixels / 200, `${differing} values`);
});

test('bf16 changes some codes, not the ball', async () => {
  const options = { ...defaults, epsilon: 7, stepSize: 7, seeds, precision: 'bf16' } as const;
  const { reconstruction, moved, images: found } = await core.discreteSteps(random.handle, vqgan.handle, images, labels, options);
  for (const change of differences(moved, reconstruction)) assert.ok(norm(change) <= 0.5 * (1 + 1e-5) && norm(change) > 0.3, `${norm(change)}`);
  const exact = await stepsOf({ epsilon: 7, stepSize: 7 });
  for (const [what, error] of [['Q(x)', relativeError(reconstruction, exact.reconstruction)], ['x', relativeError(found, exact.images)]] as const) {
    assert.ok(error > 1e-4 && error < (device === 'cpu' ? 0.2 : 0.4), `${what}: off by ${error}`);
  }
});

test('what is no discretiser, or does not fit the images, is named', async () => {
  using taesd = await Autoencoder.create(engine, { kind: 'taesd', width: 4, encoderBlocks: [1, 1], decoderBlocks: [1, 1], latentChannels: 4 }, 1);
  const run = (model: Autoencoder, options: object = {}) => random.discreteAdversaries(model, images, labels, { ...defaults, ...options, seeds });
  assert.match((await failure(() => run(taesd), 'usage')).message, /no codes/);
  const deep = { ...vqganSpec, blockChannels: Array(6).fill(4), attention: Array(6).fill(0) };
  using coarse = await Autoencoder.create(engine, deep, 1);
  assert.match((await failure(() => run(coarse), 'config')).message, /multiple of 32 px, which its codes stand for, found 16/);
  assert.match((await failure(() => run(vqgan, { variant: 'fgsm' }), 'usage')).message, /Unknown variant 'fgsm'; expected adversarial, noise-only or sample-only/);
});

test.run();
