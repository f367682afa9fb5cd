/** RandAugment, AugMix and PixMix: what is drawn, and that views are what was drawn for them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { PictureStep, ViewPolicy } from '../../lib/native/contract.js';
import type { Classifier } from '../../lib/native/models.js';
import { logSoftmax, mean, rows } from '../support/numeric.js';
import { plainForward } from '../support/plain-forward.js';
import { readSafetensors } from '../support/safetensors.js';
import { batch, failure, openEngine, pixels, randomImages, size, temporaryFolder, tinyClassifier, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const policies = ['randaugment', 'augmix', 'pixmix'] as const;
const fills = { randaugment: 128, augmix: 0, pixmix: 0 };
const spare = 2; // of pictures for 16 px
const seed = 5, step = 3;

/** Of each version each view, [size, size, 3] in 0..255. */
async function viewsOf(images: Uint8Array, policy: ViewPolicy, { seed: ownSeed = seed, step: ownStep = step, side = size } = {}): Promise<number[][][]> {
  const found = await core.policyViews(images, { policy, size: side, seed: ownSeed, step: ownStep });
  const all = rows(found.pixels, 3 * side * side).map((view) => Array.from(view, (_, i) => 255 * view[(i % 3) * side * side + Math.floor(i / 3)]!));
  const count = images.length / (3 * side * side);
  return Array.from({ length: all.length / count }, (_, version) => all.slice(version * count, (version + 1) * count));
}

/** Pixels of an image after steps. */
async function after(image: Uint8Array, steps: readonly PictureStep[], fill: number): Promise<Uint8Array> {
  let result = image;
  for (const one of steps) result = Uint8Array.from((await core.pictureOp(result, { ...one, fill, size })).pixels);
  return result;
}

function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, name: string): void {
  assert.is(found.length, expected.length);
  const worst = Math.max(...Array.from(found, (value, i) => Math.abs(value - expected[i]!)));
  assert.ok(worst < tolerance, `${name}: off by ${worst}`);
}

const images = randomImages(1, 24);
const each = [...rows(images, pixels)].map((image) => Uint8Array.from(image));

for (const policy of policies) {
  test(`${policy}: a view depends on seed, step and position alone, on no other image and on no number of threads`, async () => {
    const first = await viewsOf(images, policy);
    assert.equal(await viewsOf(images, policy), first);
    assert.equal(await viewsOf(images.subarray(0, 5 * pixels), policy), first.map((version) => version.slice(0, 5)));
    assert.not.equal(await viewsOf(images, policy, { step: 4 }), first);
    assert.not.equal(await viewsOf(images, policy, { seed: 6 }), first);
    await openEngine({ threads: 2 });
    const threaded = await viewsOf(images, policy);
    await openEngine();
    assert.equal(threaded, first);
    assert.ok(first.flat(2).every((value) => value >= 0 && value <= 255 + 1e-4));
  });

  test(`${policy} takes images of any size`, async () => {
    for (const side of [16, 17, 33]) {
      const flat = new Uint8Array(3 * 3 * side * side).map((_, i) => (i * 7919) % 251);
      assert.ok((await viewsOf(flat, policy, { side })).flat(2).every((value) => Number.isFinite(value) && value >= 0 && value <= 255 + 1e-4), `${side} px`);
    }
  });
}

test('without a policy the views stay as they are', async () => {
  const [views, ...more] = await viewsOf(images, 'none');
  assert.is(more.length, 0);
  assertClose(views!.flat(), images, 1e-3, 'views');
});

test('RandAugment does what is drawn', async () => {
  const [views] = await viewsOf(images, 'randaugment');
  for (const [i, view] of views!.entries()) {
    const steps = core.policyPlan({ policy: 'randaugment', size, view: i, seed, step });
    assertClose(view, await after(each[i]!, steps, fills.randaugment), 1e-3, `view ${i}: ${JSON.stringify(steps)}`);
  }
});

test('RandAugment draws two of 15 operations, half of which are left out, of magnitude 9 with deviation 1/2, at most 10', () => {
  const count = 6000;
  const plans = Array.from({ length: count }, (_, view) => core.policyPlan({ policy: 'randaugment', size: 100, view, seed, step }));
  for (const [length, share] of [0.25, 0.5, 0.25].entries()) {
    assert.ok(Math.abs(plans.filter((plan) => plan.length === length).length / count - share) < 0.03, `${length} operations`);
  }
  const values = new Map<string, number[]>();
  for (const { op, value } of plans.flat()) values.set(op, [...(values.get(op) ?? []), value]);
  assert.is(values.size, 15);
  for (const [op, drawn] of values) assert.ok(drawn.length > 0.75 * count / 15 && drawn.length < 1.25 * count / 15, `${op}: ${drawn.length} times`);
  // The magnitude that a value has in timm, by its formula.
  const magnitude: Record<string, (value: number) => number> = {
    colour: (value) => Math.abs(value - 1) / 0.09,
    contrast: (value) => Math.abs(value - 1) / 0.09,
    brightness: (value) => Math.abs(value - 1) / 0.09,
    sharpness: (value) => Math.abs(value - 1) / 0.09,
    rotate: (value) => Math.abs(value) / 3,
    'shear-x': (value) => Math.abs(value) / 0.03,
    'shear-y': (value) => Math.abs(value) / 0.03,
    'translate-x': (value) => Math.abs(value) / 4.5,
    'translate-y': (value) => Math.abs(value) / 4.5,
    solarize: (value) => (256 - value + 0.5) / 25.6,
    'solarize-add': (value) => (value + 0.5) / 11,
  };
  for (const [op, of] of Object.entries(magnitude)) {
    const magnitudes = values.get(op)!.map(of), centre = mean(magnitudes);
    const deviation = Math.sqrt(mean(magnitudes.map((one) => (one - centre) ** 2)));
    assert.ok(Math.abs(centre - 9) < 0.1 && Math.abs(deviation - 0.5) < 0.07, `${op}: ${centre}, ${deviation}`);
    assert.ok(Math.max(...magnitudes) < 10.05, `${op}: at most ${Math.max(...magnitudes)}`);
  }
  for (const op of ['rotate', 'shear-x', 'shear-y', 'translate-x', 'translate-y']) {
    const negative = values.get(op)!.filter((value) => value < 0).length / values.get(op)!.length;
    assert.ok(negative > 0.4 && negative < 0.6, `${op}: ${negative} negative`);
  }
  assert.ok(values.get('posterize')!.every((bits) => bits === 1), '4 - int(magnitude 0.4), at least one bit');
});

const weak: Record<string, [low: number, high: number]> = {
  autocontrast: [0, 0], equalize: [0, 0], posterize: [3, 4], solarize: [180, 256], rotate: [-8, 8],
  'shear-x': [-0.09, 0.09], 'shear-y': [-0.09, 0.09], 'translate-x': [-9, 9], 'translate-y': [-9, 9],
};

/** Weak operations in images of 100 px: all of them, and each over its whole range. */
function assertWeak(steps: readonly PictureStep[]): void {
  for (const [op, [low, high]] of Object.entries(weak)) {
    const values = steps.filter((one) => one.op === op).map(({ value }) => value);
    assert.ok(values.length > 0.8 * steps.length / 9 && values.length < 1.2 * steps.length / 9, `${op}: ${values.length} of ${steps.length}`);
    const [least, most] = [Math.min(...values), Math.max(...values)], margin = 0.06 * (high - low);
    assert.ok(least >= low && least <= low + margin && most <= high && most >= high - margin, `${op}: ${least}..${most}`);
  }
  assert.ok(steps.every(({ op }) => op in weak));
}

test('AugMix draws chains of one to three weak operations, weights that sum to 1 and a share of 0..1', () => {
  const plans = Array.from({ length: 1500 }, (_, view) => core.policyPlan({ policy: 'augmix', size: 100, view, seed, step }));
  assertWeak(plans.flatMap(({ chains }) => chains.flat()));
  for (const depth of [1, 2, 3]) {
    const share = plans.flatMap(({ chains }) => chains).filter(({ length }) => length === depth).length / (3 * plans.length);
    assert.ok(Math.abs(share - 1 / 3) < 0.03, `depth ${depth}: ${share}`);
  }
  for (const { weights } of plans) assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 1e-12 && weights.every((weight) => weight >= 0));
  // Uniform on the triangle: a weight exceeds w with probability (1 - w)^2. The share is uniform.
  for (const place of [0, 1, 2]) assert.ok(Math.abs(plans.filter(({ weights }) => weights[place]! > 0.5).length / plans.length - 0.25) < 0.05);
  for (const limit of [0.25, 0.5, 0.75]) assert.ok(Math.abs(plans.filter(({ share }) => share < limit).length / plans.length - limit) < 0.05);
});

test('AugMix leaves the first view, and blends chains and view for the other two', async () => {
  const [clean, ...mixed] = await viewsOf(images, 'augmix');
  assert.is(mixed.length, 2);
  assertClose(clean!.flat(), images, 1e-3, 'first view');
  for (const [version, views] of mixed.entries()) {
    for (const [i, view] of views.entries()) {
      const { share, weights, chains } = core.policyPlan({ policy: 'augmix', size, view: 2 * i + version, seed, step });
      const changed = await Promise.all(chains.map((chain) => after(each[i]!, chain, fills.augmix)));
      const expected = Array.from(each[i]!, (own, place) => (1 - share) * own + share * changed.reduce((sum, chain, c) => sum + weights[c]! * chain[place]!, 0));
      assertClose(view, expected, 1e-3, `view ${i} of version ${version}`);
    }
  }
});

test('PixMix draws 0 to 4 rounds, half of them with the fractal, half of them products, weights by Beta(3, 1)', () => {
  const plans = Array.from({ length: 3000 }, (_, view) => core.policyPlan({ policy: 'pixmix', size: 100, view, seed, step, spare: 12 }));
  const rounds = plans.flatMap((plan) => plan.rounds);
  const share = (name: string, items: readonly unknown[], where: (item: any) => boolean, expected: number) => {
    const found = items.filter(where).length / items.length;
    assert.ok(Math.abs(found - expected) < 0.03, `${name}: ${found}, expected ${expected}`);
  };
  for (const count of [0, 1, 2, 3, 4]) share(`${count} rounds`, plans, (plan) => plan.rounds.length === count, 0.2);
  share('changed start', plans, ({ start }) => start !== null, 0.5);
  share('mirrored', plans, ({ mirrored }) => mirrored, 0.5);
  share('fractal', rounds, ({ change }) => change === null, 0.5);
  share('product', rounds, ({ product }) => product, 0.5);
  share('less of the view', rounds, ({ own, other }) => own <= 1 && other >= 0, 0.5);
  assert.ok(rounds.every(({ own, other }) => (own <= 1 && own >= 0 && other >= 0 && other <= 1) || (own >= 1 && own <= 2 && other <= 0 && other >= -1)));
  // Of Beta(1, 3), 1/4 is exceeded with probability (3/4)^3.
  share('large weight', rounds, ({ other }) => Math.abs(other) > 0.25, 0.75 ** 3);
  share('far from 1', rounds, ({ own }) => Math.abs(own - 1) > 0.25, 0.75 ** 3);
  assertWeak([...plans.flatMap(({ start }) => start ?? []), ...rounds.flatMap(({ change }) => change ?? [])]);
  const span = (values: number[]) => [Math.min(...values), Math.max(...values)];
  assert.equal(span(plans.map(({ top }) => top)), [0, 12]);
  assert.equal(span(plans.map(({ left }) => left)), [0, 12]);
  assert.ok(new Set(plans.map(({ picture }) => picture)).size === 256);
});

test('PixMix mixes view, changed views and fractal by its formulas', async () => {
  const many = randomImages(2, 60);
  const [views] = await viewsOf(many, 'pixmix');
  const side = size + spare;
  let products = 0, sums = 0;
  for (const [i, view] of views!.entries()) {
    const own = many.subarray(i * pixels, (i + 1) * pixels);
    const plan = core.policyPlan({ policy: 'pixmix', size, view: i, seed, step, spare });
    const fractal = (await core.fractals({ first: plan.picture, count: 1, side })).pixels;
    const part = Array.from({ length: pixels }, (_, place) => {
      const [y, x] = [Math.floor(place / 3 / size), Math.floor(place / 3) % size];
      return fractal[((plan.top + y) * side + plan.left + (plan.mirrored ? size - 1 - x : x)) * 3 + (place % 3)]! / 255;
    });
    let mixed = Array.from(plan.start ? await after(own, [plan.start], fills.pixmix) : own, (value) => value / 255);
    for (const { change, product, own: a, other: b } of plan.rounds) {
      const other = change ? Array.from(await after(own, [change], fills.pixmix), (value) => value / 255) : part;
      product ? products++ : sums++;
      const formula = (x: number, y: number) => (product ? ((2 * x) ** a * Math.max(2 * y, 1e-37) ** b) / 2 : (a * (2 * x - 1) + b * (2 * y - 1) + 1) / 2);
      mixed = mixed.map((value, place) => Math.min(1, Math.max(0, formula(value, other[place]!))));
    }
    assertClose(view, mixed.map((value) => 255 * value), 0.02, `view ${i}: ${JSON.stringify(plan)}`);
  }
  assert.ok(products > 20 && sums > 20);
});

test('fractals are the same each time, differ from each other, and none is flat', async () => {
  const count = 256, side = 18;
  const all = [...rows((await core.fractals({ first: 0, count, side })).pixels, 3 * side * side)].map((picture) => Array.from(picture));
  assert.equal(Array.from((await core.fractals({ first: 7, count: 1, side })).pixels), all[7]);
  assert.is(new Set(all.map(String)).size, count);
  const deviation = (values: number[]) => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));
  const deviations = all.map((picture) => Math.max(...[0, 1, 2].map((c) => deviation(picture.filter((_, i) => i % 3 === c)))));
  assert.ok(Math.min(...deviations) > 8, `the flattest has a deviation of ${Math.min(...deviations)}`);
});

async function lossOf(student: Classifier, teacher: Classifier | null, options: { policy: ViewPolicy; cutMix?: number }): Promise<number> {
  const { policy, cutMix = 0 } = options;
  const trainer = await core.createClassifierTrainer(student.handle, teacher?.handle ?? null, { ...trainerOptions({ seed }), mixing: { cutMix, mixUp: 0 }, temperature: 1, labelWeight: 0, policy });
  const { images: given, labels } = batch(7, 6);
  return (await core.trainStep(trainer, given, labels, { learningRate: 0, step })).loss;
}

async function weightsOf(student: Classifier): Promise<Parameters<typeof plainForward>[0]> {
  const path = `${temporaryFolder()}/weights.safetensors`;
  await core.saveWeights(student.handle, path, {}, 'fp32');
  return readSafetensors(path).tensors;
}

test("AugMix's loss: distillation on the plain view, and 12 times the divergence of the three predictions", async () => {
  using teacher = await tinyClassifier(engine, 4);
  using student = await tinyClassifier(engine, 5, { architecture: { family: 'cnn', width: 3, stages: 1 } });
  const { images: given } = batch(7, 6);
  const views = await viewsOf(given, 'augmix');
  // One batch of all three, as far as batch norm is concerned.
  const logs = plainForward(await weightsOf(student), Float32Array.from(views.flat(2)), student.spec).map(logSoftmax);
  const targets = [...rows(await teacher.logits(given), 2)].map((row) => logSoftmax(row).map(Math.exp));
  const distillation = mean(targets.map((target, i) => -target.reduce((sum, t, k) => sum + t * logs[i]![k]!, 0)));
  const divergence = mean(targets.map((_, i) => {
    const three = [logs[i]!, logs[6 + i]!, logs[12 + i]!];
    const mixture = [0, 1].map((k) => mean(three.map((log) => Math.exp(log[k]!))));
    return mean(three.map((log) => log.reduce((sum, value, k) => sum + Math.exp(value) * (value - Math.log(mixture[k]!)), 0)));
  }));
  const loss = await lossOf(student, teacher, { policy: 'augmix' });
  assert.ok(divergence > 5e-5, `divergence ${divergence}`);
  assert.ok(Math.abs((loss - distillation) / (12 * divergence) - 1) < 0.01, `${loss} - ${distillation}, expected 12 times ${divergence}`);
});

test('a policy changes the views before they are mixed', async () => {
  using student = await tinyClassifier(engine, 5, { architecture: { family: 'cnn', width: 3, stages: 1 } });
  const { images: given, labels } = batch(7, 6);
  const [views] = await viewsOf(given, 'randaugment');
  const mixed = await core.mix(Uint8Array.from(views!.flat(), Math.round), { cutMix: 1, mixUp: 0, size, seed, step });
  const bytes = Float32Array.from(rows(mixed.pixels, pixels).flatMap((view) => Array.from(view, (_, i) => 255 * view[(i % 3) * size * size + Math.floor(i / 3)]!)));
  const logs = plainForward(await weightsOf(student), bytes, student.spec).map(logSoftmax);
  const expected = mean(logs.map((log, i) => -(mixed.share[i]! * log[labels[i]!]! + (1 - mixed.share[i]!) * log[labels[mixed.partner[i]!]!]!)));
  const loss = await lossOf(student, null, { policy: 'randaugment', cutMix: 1 });
  assert.ok(Math.abs(loss / expected - 1) < 1e-4, `${loss}, expected ${expected}`);
});

test('an unknown policy or operation is refused', async () => {
  using student = await tinyClassifier(engine, 1);
  assert.match((await failure(() => engine.run(() => lossOf(student, null, { policy: 'x' as ViewPolicy })), 'usage')).message, 'found x');
  assert.match((await failure(() => engine.run((core) => core.pictureOp(images, { op: 'y', value: 0, fill: 0, size })), 'usage')).message, 'found y');
});

test.run();
