/** A student that learns from adversaries of itself, as it is in each step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AutoencoderSpec, DiscreteAttack, OnlineAdversary } from '../../lib/native/contract.js';
import { Autoencoder, type Classifier } from '../../lib/native/models.js';
import { logSoftmax, mean, relativeError, rows } from '../support/numeric.js';
import { readSafetensors } from '../support/safetensors.js';
import { batch, failure, fullAugmentation, size, tinyClassifier, trainerOptions } from '../support/tiny.js';
import { core, engine, folder, sgd, stateOf, studentTrainer, train } from '../support/training.js';

const { images, labels } = batch(7, 6);
const attack: DiscreteAttack = { variant: 'adversarial', norm: 'linf', epsilon: 0.02, stepSize: 0.01, steps: 3, randomStart: 0 };
const vqganSpec: AutoencoderSpec = { kind: 'vqgan', blockChannels: [8, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 4, latentChannels: 4, numCodes: 16, codeChannels: 4 };

type Given = { online?: OnlineAdversary; seed?: number; step?: number; given?: Uint8Array; own?: Int32Array; model?: Classifier; headOnly?: boolean; mixUp?: number; teacher?: boolean; augment?: typeof fullAugmentation };

/** One step of the same new student; and the trainer's state after it. */
async function run({ online, model, headOnly = false, mixUp = 0, teacher = false, augment, seed = 0, step = 2, given = images, own = labels }: Given, learningRate = 0.1) {
  using student = await (model?.clone() ?? tinyClassifier(engine, 5));
  using guide = await tinyClassifier(engine, 4);
  const trainer = await engine.run((core) =>
    core.createClassifierTrainer(student.handle, teacher ? guide.handle : null, {
      ...trainerOptions({ optimizer: sgd, seed, ...(augment && { augment }) }), mixing: { cutMix: 0, mixUp }, temperature: 1, labelWeight: 0, headOnly,
      ...(online && { online }),
    }),
  );
  const result = await engine.run((core) => core.trainStep(trainer, given, own, { learningRate, step, losses: true }));
  return { ...result, state: await stateOf(trainer) };
}

const plain = (change: Partial<DiscreteAttack> = {}, weight = 1, use: OnlineAdversary['use'] = 'beside'): OnlineAdversary => ({ use, weight, attack: { ...attack, ...change }, discretiser: null });

for (const mixUp of [0, 0.7]) {
  test(`adversaries that may not move are the images again, with their labels: mixUp ${mixUp}`, async () => {
    const alone = await run({ mixUp, augment: fullAugmentation }), twice = await run({ mixUp, augment: fullAugmentation, online: plain({ epsilon: 0 }, 0.5) });
    assert.ok(relativeError(twice.losses!, Array.from(alone.losses!, (loss) => 1.5 * loss)) < 1e-5);
    // What the attack computes leaves no trace: neither in the gradient nor in the statistics of the student.
    assert.ok(Math.abs(twice.gradientNorm / alone.gradientNorm - 1.5) < 1e-4);
    const longer = await run({ mixUp, augment: fullAugmentation, online: plain({ epsilon: 0, steps: 9 }, 0.5) });
    assert.ok(longer.state.equals(twice.state));
  });
}

test('they raise the loss, the more so the larger the ball', async () => {
  const losses = [];
  for (const epsilon of [0, 0.01, 0.03]) losses.push((await run({ online: plain({ epsilon, stepSize: 0.01 }) })).loss);
  assert.ok(losses[1]! > 1.02 * losses[0]! && losses[2]! > 1.02 * losses[1]!, `${losses}`);
});

test('they can take the place of the images, which then leave no trace', async () => {
  const alone = await run({});
  const still = await run({ online: plain({ epsilon: 0 }, 1, 'instead') });
  assert.ok(still.state.equals(alone.state));
  const moved = await run({ online: plain({}, 1, 'instead') });
  assert.ok(moved.loss > 1.02 * alone.loss, `${moved.loss}, ${alone.loss}`);
  // The running means are those of a step on the adversaries alone: with images beside them they lie between.
  const beside = await run({ online: plain() });
  const meansOf = async (state: Buffer) => {
    const path = join(folder, 'state.safetensors');
    writeFileSync(path, state);
    return Object.entries(readSafetensors(path).tensors).filter(([name]) => name.startsWith('model.') && name.endsWith('running_mean')).flatMap(([, { values }]) => Array.from(values));
  };
  const [clean, instead, both] = await Promise.all([alone, moved, beside].map(({ state }) => meansOf(state)));
  assert.ok(relativeError(both!.slice(0, 3), clean!.slice(0, 3).map((value, i) => (value + instead![i]!) / 2)) < 1e-4, 'of the first layer: the mean of both');
  assert.ok(relativeError(instead!, clean!) > 1e-4);
  assert.match((await failure(() => run({ teacher: true, online: plain({}, 1, 'instead') }), 'usage')).message, /without a teacher/);
});

test('a teacher has no say in them', async () => {
  const [alone, beside] = [await run({ teacher: true }), await run({ teacher: true, online: plain({ epsilon: 0 }, 0.25) })];
  const hard = await run({});
  assert.ok(relativeError(beside.losses!, Array.from(alone.losses!, (loss, i) => loss + 0.25 * hard.losses![i]!)) < 1e-5);
});

test('random starts follow from seed, step and place', async () => {
  const start = (change: Given = {}) => run({ online: plain({ randomStart: 1, steps: 1, stepSize: 0 }, 1, 'instead'), ...change });
  const one = await start();
  assert.ok(one.state.equals((await start()).state));
  assert.not(one.state.equals((await start({ seed: 1 })).state));
  assert.not(one.state.equals((await start({ step: 3 })).state));
  assert.not(one.state.equals((await run({})).state));
  const [image] = rows(images, images.length / 6);
  const same = await start({ given: Uint8Array.from([...image!, ...image!, ...image!, ...image!]), own: Int32Array.of(1, 1, 1, 1) });
  assert.is(new Set(same.losses).size, 4, 'four starts of one image');
});

test('under MixUp they climb the loss of the mixed labels', async () => {
  const many = { ...batch(3, 32), labels: Int32Array.from({ length: 32 }, (_, i) => Number((7 * i) % 5 < 2)) };
  const { share, partner } = await core.mix(many.images, { cutMix: 0, mixUp: 1, size, seed: 0, step: 2 });
  // Where another class has the larger share, to climb the loss of the image's own label is to lower the mixed one.
  const others = Array.from(share.keys()).filter((i) => share[i]! < 0.35 && many.labels[i] !== many.labels[partner[i]!]);
  assert.ok(others.length >= 4, `${others.length}`);
  const given = { mixUp: 1, given: many.images, own: many.labels };
  const mixed = await run(given), moved = await run({ ...given, online: plain({ norm: 'l2', epsilon: 0.5, stepSize: 0.1, steps: 5 }, 1, 'instead') });
  const sum = (losses: Float32Array) => mean(others.map((i) => losses[i]!));
  assert.ok(sum(moved.losses!) > 1.02 * sum(mixed.losses!), `${sum(moved.losses!)}, ${sum(mixed.losses!)}`);
});

test('with a discretiser they are its discrete adversaries', async () => {
  using student = await tinyClassifier(engine, 5);
  await train(await studentTrainer(student, null), 0, 25, 0.05); // a random one hardly looks at its images
  using vqgan = await Autoencoder.create(engine, vqganSpec, 3);
  const discrete: DiscreteAttack = { ...attack, norm: 'l2', epsilon: 20, stepSize: 8, steps: 2 };
  const seeds = Array.from(labels, () => 0);
  const made = await core.discreteSteps(student.handle, vqgan.handle, images, labels, { ...discrete, seeds, precision: 'fp32' });
  const reference = await core.discreteAdversarial(student.handle, vqgan.handle, images, labels, { ...discrete, seeds, precision: 'fp32' });
  assert.ok(relativeError(made.moved, Array.from(made.reconstruction)) > 1e-3);
  // A linear probe trains with fixed statistics, so that the attacked network is the one that classifies. The verb rounds to 8 bits.
  const expected = rows(reference.probabilities, 2).map((row, i) => -Math.log(row[labels[i]!]!));
  const { losses } = await run({ model: student, headOnly: true, online: { use: 'instead', weight: 1, attack: discrete, discretiser: vqgan.handle } });
  assert.ok(relativeError(losses!, expected) < 1e-2, `${losses}, expected ${expected}`);
  const clean = rows(await student.logits(images), 2).map((row, i) => -logSoftmax(Array.from(row))[labels[i]!]!);
  assert.ok(relativeError(losses!, clean) > 0.05, `the images themselves would do: ${clean}`);
});

test('an autoencoder without codes, or one that does not fit the images, is refused', async () => {
  using kl = await Autoencoder.create(engine, { kind: 'kl', blockChannels: [8, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 4, latentChannels: 4, scalingFactor: 1 }, 1);
  assert.match((await failure(() => run({ online: { use: 'beside', weight: 1, attack, discretiser: kl.handle } }), 'usage')).message, /no codes/);
  using deep = await Autoencoder.create(engine, { ...vqganSpec, blockChannels: [8, 8, 8, 8, 8, 8], attention: [0, 0, 0, 0, 0, 0] }, 1);
  assert.match((await failure(() => run({ online: { use: 'beside', weight: 1, attack, discretiser: deep.handle } }), 'config')).message, /multiple of 32 px/);
});

test.run();
