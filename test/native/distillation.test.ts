/** What a student learns on images and their counterparts, against the formulas. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { distillationOf, type Loss } from '../../lib/methods/distillation.js';
import type { DistillationOptions, MixingOptions, TrainerOptions, ViewPolicy } from '../../lib/native/contract.js';
import { logSoftmax, mean, relativeError, rows } from '../support/numeric.js';
import { plainForward } from '../support/plain-forward.js';
import { readSafetensors } from '../support/safetensors.js';
import { batch, failure, fullAugmentation, openEngine, temporaryFolder, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const count = 6, counterpartCount = 4;
const architecture = { family: 'cnn', width: 3, stages: 1 } as const;
const { images, labels } = batch(7, count);
const counterparts = batch(8, counterpartCount).images;
const defaults = { student: { temperature: 1, labelWeight: 0 }, kd: { temperature: 4, weight: 0.5, labelWeight: 1 } } as Parameters<typeof distillationOf>[1];

type Options = Partial<TrainerOptions> & DistillationOptions & { mixing?: MixingOptions; policy?: ViewPolicy };

/** One step without movement, on a new copy of the same student. */
async function run(options: Options, { teacher = true, others = counterparts as Uint8Array | null, given = images, own = labels } = {}) {
  using student = await tinyClassifier(engine, 5, { architecture });
  using guide = await tinyClassifier(engine, 4);
  const { mixing = { cutMix: 0, mixUp: 0 }, policy = 'none', temperature, labelWeight, imageWeight, relation, counterparts: ofCounterparts, ...training } = options;
  const trainer = await core.createClassifierTrainer(student.handle, teacher ? guide.handle : null, {
    ...trainerOptions(training), mixing, policy, temperature, labelWeight,
    ...(imageWeight !== undefined && { imageWeight }), ...(relation && { relation }), ...(ofCounterparts && { counterparts: ofCounterparts }),
  });
  return engine.run((core) => core.trainStep(trainer, given, own, { learningRate: 0, step: 0, losses: true, ...(others && { counterparts: others }) }));
}

/** Logits of the student in training, whose batch norm sees images and counterparts together, and of the teacher. */
async function logits(others: Uint8Array | null) {
  using student = await tinyClassifier(engine, 5, { architecture });
  using guide = await tinyClassifier(engine, 4);
  const path = `${temporaryFolder()}/student.safetensors`;
  await core.saveWeights(student.handle, path, {}, 'fp32');
  const all = Uint8Array.from([...images, ...(others ?? [])]);
  return { f: plainForward(readSafetensors(path).tensors, all, student.spec).map((row) => Array.from(row)), t: rows(await guide.logits(all), 2).map((row) => Array.from(row)) };
}

const softmax = (row: readonly number[], temperature = 1) => logSoftmax(row.map((value) => value / temperature)).map(Math.exp);
const label = (f: readonly number[], i: number) => -logSoftmax(f)[labels[i]!]!;
/** T² (KL(t || f) + entropy of t), as PyTorch's kl_div and the entropy. */
const soft = (f: readonly number[], t: readonly number[], temperature: number) => {
  const target = softmax(t, temperature), log = logSoftmax(f.map((value) => value / temperature));
  const entropy = -target.reduce((sum, p) => sum + p * Math.log(p), 0);
  const divergence = target.reduce((sum, p, k) => sum + p * (Math.log(p) - log[k]!), 0);
  return temperature ** 2 * (divergence + entropy);
};
const correlation = (a: readonly number[], b: readonly number[]) => {
  const [x, y] = [a, b].map((row) => row.map((value) => value - mean(row)));
  const dot = (u: readonly number[], v: readonly number[]) => u.reduce((sum, value, i) => sum + value * v[i]!, 0);
  return dot(x!, y!) / Math.sqrt(dot(x!, x!) * dot(y!, y!));
};
const column = (table: readonly (readonly number[])[], k: number) => table.map((row) => row[k]!);

const close = (found: ArrayLike<number>, expected: readonly number[]) => assert.ok(relativeError(found, expected) < 1e-5, `${Array.from(found)}, expected ${expected}`);

type Formula = (f: (i: number) => number[], t: (i: number) => number[], i: number, hasCounterpart: boolean) => number;
const formulas: Record<Exclude<Loss, 'dist' | 'dad-code'>, Formula> = {
  edrm: (f, t, i, has) => soft(f(i), t(i), 1) + (has ? soft(f(count + i), t(count + i), 1) : 0),
  kd: (f, t, i, has) => label(f(i), i) + 0.5 * soft(f(i), t(i), 4) + (has ? 0.5 * soft(f(count + i), t(count + i), 4) : 0),
  ard: (f, t, i, has) => label(f(i), i) + (has ? 0.5 * soft(f(count + i), t(i), 4) : 0),
  rslad: (f, t, i, has) => soft(f(i), t(i), 1) / 6 + (has ? (5 / 6) * soft(f(count + i), t(i), 1) : 0),
};
for (const [name, formula] of Object.entries(formulas)) {
  test(`${name} is its formula, with the counterparts of some images`, async () => {
    const { f, t } = await logits(counterparts);
    const expected = Array.from(labels, (_, i) => formula((k) => f[k]!, (k) => t[k]!, i, i < counterpartCount));
    const found = await run(distillationOf(name as Loss, defaults));
    close(found.losses!, expected);
    assert.ok(Math.abs(found.loss / mean(expected) - 1) < 1e-5);
  });
}

test('kd without counterparts is labels and soft labels', async () => {
  const { f, t } = await logits(null);
  close((await run(distillationOf('kd', defaults), { others: null })).losses!, f.map((row, i) => label(row, i) + 0.5 * soft(row, t[i]!, 4)));
});

test('dad-code is three quarters of the labels and one of the soft labels, of images and adversaries alike, in loss and gradient', async () => {
  const joint = Uint8Array.from([...images, ...counterparts]);
  const own = Int32Array.from([...labels, ...labels.subarray(0, counterpartCount)]);
  const { f, t } = await logits(counterparts);
  const expected = f.map((row, i) => 0.75 * -logSoftmax(row)[own[i]!]! + 0.25 * soft(row, t[i]!, 4));
  const found = await run(distillationOf('dad-code', defaults), { others: null, given: joint, own });
  close(found.losses!, expected);
  assert.ok(Math.abs(found.loss / mean(expected) - 1) < 1e-5);
  // Labels of the adversaries have a gradient of their own.
  const flipped = own.map((label, i) => (i < count ? label : 1 - label));
  const other = await run(distillationOf('dad-code', defaults), { others: null, given: joint, own: flipped });
  assert.ok(Math.abs(other.gradientNorm / found.gradientNorm - 1) > 1e-3, `${other.gradientNorm}, ${found.gradientNorm}`);
});

test('dist adds correlations over the classes and over the batch', async () => {
  const { f, t } = await logits(null);
  const [p, q] = [f, t].map((table) => table.map((row) => softmax(row)));
  const within = mean([0, 1].map((k) => 1 - correlation(column(p!, k), column(q!, k))));
  close((await run(distillationOf('dist', defaults), { others: null })).losses!, f.map((row, i) => label(row, i) + 1 - correlation(p![i]!, q![i]!) + within));
});

test('without a teacher, counterparts learn the labels of their images', async () => {
  const { f } = await logits(counterparts);
  const expected = Array.from(labels, (_, i) => label(f[i]!, i) + (i < counterpartCount ? 0.25 * -logSoftmax(f[count + i]!)[labels[i]!]! : 0));
  close((await run({ temperature: 1, labelWeight: 0, counterparts: { weight: 0.25, target: 'own' } }, { teacher: false })).losses!, expected);
});

test('with a teacher the labels of images with counterparts count once', async () => {
  const flipped = labels.map((label) => 1 - label);
  const weight = 0.7, base = { temperature: 1, labelWeight: 0 };
  const change = async (labelWeight: number) => {
    const [one, other] = [await run({ ...base, labelWeight }), await run({ ...base, labelWeight }, { own: flipped })];
    return one.losses!.map((loss, i) => loss - other.losses![i]!);
  };
  assert.ok((await change(0)).every((difference) => difference === 0));
  const { f } = await logits(counterparts);
  close(await change(weight), Array.from(labels, (_, i) => weight * (label(f[i]!, i) + logSoftmax(f[i]!)[1 - labels[i]!]!)));
});

for (const mixing of [{ cutMix: 0, mixUp: 0 }, { cutMix: 0.5, mixUp: 0.5 }]) {
  for (const policy of ['none', 'randaugment', 'pixmix'] as const) {
    test(`a counterpart is changed as its image is: ${policy}, mixing ${JSON.stringify(mixing)}`, async () => {
      const options: Options = { ...distillationOf('edrm', defaults), augment: fullAugmentation, mixing, policy, seed: 3 };
      const same = images.slice(0, (images.length / count) * counterpartCount);
      // Batch norm of one network sees some images twice, so counts are made equal: all images are their own counterparts.
      const alone = await run(options, { others: null }), twice = await run(options, { others: images });
      close(twice.losses!, Array.from(alone.losses!, (loss) => 2 * loss));
      // Of a part of them: the teacher, which has fixed statistics, says the same of both.
      const ofImage = await run({ ...options, counterparts: { weight: 1, target: 'image' } }, { others: same });
      const ofOwn = await run({ ...options, counterparts: { weight: 1, target: 'own' } }, { others: same });
      close(ofImage.losses!, Array.from(ofOwn.losses!));
    });
  }
}

test('counterparts count in the gradient', async () => {
  const norms = await Promise.all([null, counterparts].map(async (others) => (await run(distillationOf('kd', defaults), { others })).gradientNorm));
  const none = await run({ ...distillationOf('kd', defaults), counterparts: { weight: 0, target: 'own' } });
  assert.ok(Math.abs(norms[1]! / none.gradientNorm - 1) > 1e-3, `${norms}, ${none.gradientNorm}`);
});

test('more counterparts than images, and AugMix with counterparts, are refused', async () => {
  const options = distillationOf('kd', defaults);
  assert.match((await failure(() => run(options, { others: batch(8, count + 1).images }), 'usage')).message, /more counterparts than images/);
  assert.match((await failure(() => run({ ...options, policy: 'augmix' }), 'usage')).message, /AugMix/);
});

test.run();
