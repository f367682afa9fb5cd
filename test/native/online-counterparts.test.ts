/** A student that learns from discrete adversaries of its teacher, made in each step (DAD online). */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AutoencoderSpec, DiscreteAttack, OnlineAdversary } from '../../lib/native/contract.js';
import { Autoencoder, type Classifier } from '../../lib/native/models.js';
import { Trainer } from '../../lib/training/trainer.js';
import { relativeError, rows } from '../support/numeric.js';
import { batch, failure, noAugmentation, size, tinyClassifier, trainerOptions } from '../support/tiny.js';
import { core, engine, sgd, stateOf, studentTrainer, train } from '../support/training.js';

const count = 12;
const { images, labels } = batch(7, count);
const vqganSpec: AutoencoderSpec = { kind: 'vqgan', blockChannels: [8, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 4, latentChannels: 4, numCodes: 16, codeChannels: 4 };
const vqgan = await Autoencoder.create(engine, vqganSpec, 3);
const attack: DiscreteAttack = { variant: 'adversarial', norm: 'l2', epsilon: 20, stepSize: 8, steps: 2, randomStart: 0 };
const teacher = await tinyClassifier(engine, 4);
await train(await studentTrainer(teacher, null), 0, 8, 0.05); // a random one hardly looks at its images
const online = (change: Partial<DiscreteAttack> = {}): OnlineAdversary => ({ use: 'counterparts', weight: 0, attack: { ...attack, ...change }, discretiser: vqgan.handle });

type Given = { online?: OnlineAdversary; own?: Int32Array; given?: Uint8Array; counterparts?: Uint8Array; guide?: Classifier | null; headOnly?: boolean; mixUp?: number; policy?: 'none' | 'augmix' };

/** One step of the same new student with KD; and the trainer's state after it. */
async function run({ online, own = labels, given = images, counterparts, guide = teacher, headOnly = false, mixUp = 0, policy = 'none' }: Given) {
  using student = await tinyClassifier(engine, 5);
  const trainer = await engine.run((core) =>
    core.createClassifierTrainer(student.handle, guide?.handle ?? null, {
      ...trainerOptions({ optimizer: sgd }), mixing: { cutMix: 0, mixUp }, policy, temperature: 4, labelWeight: 1, imageWeight: 0.5, counterparts: { weight: 0.5, target: 'own' }, headOnly,
      ...(online && { online }),
    }),
  );
  const result = await engine.run((core) => core.trainStep(trainer, given, own, { learningRate: 0.1, step: 2, losses: true, ...(counterparts && { counterparts }) }));
  return { ...result, state: await stateOf(trainer) };
}

/** Some of several rows. */
const taken = (all: Uint8Array, places: readonly number[]): Uint8Array => Uint8Array.from(places.flatMap((place) => Array.from(all.subarray((place * all.length) / count, ((place + 1) * all.length) / count))));

test('they are those that DAD makes beforehand, without those that the teacher takes for another class', async () => {
  const made = await core.discreteAdversarial(teacher.handle, vqgan.handle, images, labels, { ...attack, seeds: Array.from(labels, () => 0), precision: 'fp32' });
  const isKept = rows(made.probabilities, 2).map(([dark, bright], i) => Number(bright! > dark!) === labels[i]);
  const places = [...isKept.keys()];
  const kept = places.filter((i) => isKept[i]), others = places.filter((i) => !isKept[i]);
  assert.ok(kept.length > 1 && others.length > 1, `${kept.length} of ${count} kept: both must occur`);
  const order = [...kept, ...others];

  for (const headOnly of [false, true]) {
    const found = await run({ online: online(), headOnly });
    const stored = await run({ given: taken(images, order), own: Int32Array.from(order, (i) => labels[i]!), counterparts: taken(made.images, kept), headOnly });
    const expected = places.map((i) => stored.losses![order.indexOf(i)]!);
    assert.ok(relativeError(found.losses!, expected) < 5e-3, 'but for the rounding to 8 bits');
    assert.ok(Math.abs(found.gradientNorm / stored.gradientNorm - 1) < 2e-2, `${found.gradientNorm}, ${stored.gradientNorm}`);
  }
  // A linear probe has fixed statistics, so that an image knows nothing of the others.
  const alone = await run({ headOnly: true }), found = await run({ online: online(), headOnly: true });
  for (const i of places) assert.is(found.losses![i] !== alone.losses![i], isKept[i], `image ${i}`);
});

test('of a mixed view those are kept of which the teacher says the label with the larger share', async () => {
  const { pixels, partner, share } = await core.mix(images, { cutMix: 0, mixUp: 1, size, seed: 0, step: 2 });
  const mixed = Uint8Array.from(Array.from({ length: count }, (_, i) => Array.from({ length: size * size * 3 }, (_, at) => Math.round(255 * pixels[i * size * size * 3 + (at % 3) * size * size + Math.floor(at / 3)]!))).flat());
  const wanted = Array.from(labels, (label, i) => (share[i]! >= 0.5 ? label : labels[partner[i]!]!));
  assert.ok(wanted.some((label, i) => label !== labels[i]), 'another than the own one occurs');
  // Without a move the labels do not matter to the images, only to which are kept.
  const { probabilities } = await core.discreteAdversarial(teacher.handle, vqgan.handle, mixed, labels, { ...attack, variant: 'sample-only', seeds: Array.from(labels, () => 0), precision: 'fp32' });
  const isKept = rows(probabilities, 2).map(([dark, bright], i) => Number(bright! > dark!) === wanted[i]);
  assert.ok(isKept.some((one) => one) && isKept.some((one) => !one), `${isKept}`);
  const alone = await run({ mixUp: 1, headOnly: true }), found = await run({ mixUp: 1, headOnly: true, online: online({ variant: 'sample-only' }) });
  assert.equal(Array.from(found.losses!, (loss, i) => loss !== alone.losses![i]), isKept);
});

test('none that is kept leaves the student to the images', async () => {
  const { probabilities } = await core.discreteAdversarial(teacher.handle, vqgan.handle, images, labels, { ...attack, variant: 'sample-only', seeds: Array.from(labels, () => 0), precision: 'fp32' });
  const wrong = Int32Array.from(rows(probabilities, 2), ([dark, bright]) => Number(bright! < dark!));
  const alone = await run({ own: wrong }), found = await run({ own: wrong, online: online({ variant: 'sample-only' }) });
  assert.equal(found.losses, alone.losses);
  assert.ok(found.state.equals(alone.state));
});

test('they need a teacher, single views, and no others beside them', async () => {
  assert.match((await failure(() => run({ guide: null, online: online() }), 'usage')).message, /counterparts with a teacher/);
  assert.match((await failure(() => run({ policy: 'augmix', online: online() }), 'usage')).message, /without AugMix/);
  assert.match((await failure(() => run({ counterparts: images, online: online() }), 'usage')).message, /no counterparts/);
});

for (const use of ['counterparts', 'beside'] as const) {
  test(`a step that is cancelled while it looks for adversaries has changed nothing: ${use}`, async () => {
    using student = await tinyClassifier(engine, 5);
    const training = { optimizer: 'adamw', beta1: 0.9, beta2: 0.999, momentum: 0, weightDecay: 0, clipNorm: 0, emaDecay: 0.9, augment: { ...noAugmentation, policy: 'none' }, mixing: { cutMix: 0, mixUp: 0 }, steps: 1, batchSize: count, learningRate: 1, warmupSteps: 0, schedule: 'constant' } as const;
    using trainer = await Trainer.classifier(student, teacher, training, { seed: 0, online: { ...online({ steps: 100000 }), use } });
    const handle = (trainer as unknown as { handle: Parameters<typeof stateOf>[0] }).handle;
    const before = await stateOf(handle);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const begin = performance.now();
    await failure(() => trainer.step({ images, labels }, 0.1, 0, { signal: controller.signal }), 'aborted');
    assert.ok(performance.now() - begin < 10000);
    assert.ok((await stateOf(handle)).equals(before));
  });
}

test.run();
