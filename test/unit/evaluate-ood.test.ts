import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { commonCorruptions } from '../../lib/data/corruptions.js';
import { sixteenClasses, sixteenClassMembers } from '../../lib/data/ood/sixteen-classes.js';
import { wordNetIds } from '../../lib/data/ood/wordnet-ids.js';
import { evaluateOod, type OodMetrics } from '../../lib/methods/evaluate-ood.js';
import { rememberIn } from '../../lib/methods/remembered.js';
import { alexNetErrors } from '../../lib/metrics/corruption-error.js';
import { oodText } from '../../lib/report/ood-table.js';
import { failure, labelledImage, labelSeen, Scratch, text } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

/** Says `first` most of all and after that what the image says; null: nothing before that. */
function classifier(first: number | null = null, asked: number[] = []): any {
  return {
    classes: wordNetIds,
    spec: { imageSize: 8 },
    async logits(images: Uint8Array, { signal }: { signal?: AbortSignal } = {}) {
      signal?.throwIfAborted();
      const rows = images.length / 192;
      asked.push(rows);
      const logits = new Float32Array(rows * 1000);
      for (let row = 0; row < rows; row++) {
        logits[row * 1000 + labelSeen(images, 8, row)] = 5;
        if (first !== null) logits[row * 1000 + first] = 9;
      }
      return logits;
    },
  };
}

/** Images that say their own class, by folder of a set. */
async function set(folder: string, labels: readonly number[], nameOf: (label: number) => string = (label) => wordNetIds[label]!): Promise<string> {
  const root = scratch.folder();
  for (const label of labels) await labelledImage(join(root, folder, nameOf(label), '0.png'), label);
  return root;
}

async function measure(ood: object, model = classifier(), options = {}): Promise<OodMetrics> {
  return evaluateOod(model, resolveConfig({ ood }).ood, options);
}

test('A and R are predicted among their own classes, the others among all', async () => {
  const [a, r, sketch] = [await set('.', [6, 11, 988]), await set('.', [1, 2, 11]), await set('.', [1, 6, 11])];
  // Class 3 is neither in A nor in R, class 6 in both.
  const three = await measure({ a, r, sketch }, classifier(3));
  assert.equal(three.sets.map(({ name, correct, images, classes }) => [name, correct, images, classes]), [['a', 3, 3, 200], ['r', 3, 3, 200], ['sketch', 0, 3, 1000]]);
  const six = await measure({ a, r, sketch }, classifier(6));
  assert.equal(six.sets.map(({ correct }) => correct), [1, 0, 1]); // 6 is in R too
});

test('V2 is right in every layout for a classifier that is right', async () => {
  const labels = [0, 2, 10, 100, 999];
  for (const nameOf of [String, (label: number) => String(label).padStart(4, '0'), (label: number) => wordNetIds[label]!]) {
    const { sets } = await measure({ v2: await set('.', labels, nameOf) });
    assert.equal(sets.map(({ name, correct, images }) => [name, correct, images]), [['v2', 5, 5]]);
  }
});

test('averages take V2 from the matched-frequency set alone', async () => {
  const v2 = await set('imagenetv2-top-images-format-val', [4]);
  const val = await set('val', [3, 4]);
  assert.is((await measure({ v2, val })).averages.inDistribution, null);
  await labelledImage(join(v2, 'imagenetv2-matched-frequency-format-val/3/0.png'), 7);
  const { sets, averages } = await measure({ v2, val });
  assert.equal(sets.map(({ name, accuracy }) => [name, accuracy]), [['val', 1], ['v2-matched-frequency', 0], ['v2-top-images', 1]]);
  assert.is(averages.inDistribution, 0.5);
});

/** ImageNet-C of `names`: of four images `wrong(name, severity)` are of another class than their folder. */
async function imageNetC(names: readonly string[], wrong: (name: string, severity: number) => number): Promise<string> {
  const root = scratch.folder();
  for (const name of names) for (const severity of [1, 2, 3, 4, 5]) for (let i = 0; i < 4; i++) await labelledImage(join(root, name, String(severity), wordNetIds[9]!, `${i}.png`), i < wrong(name, severity) ? 8 : 9, 8);
  return root;
}

test('C: mCE and relative mCE from the folders; held-out corruptions and missing ones', async () => {
  const c = await imageNetC([...commonCorruptions, 'saturate'], (name, severity) => (name === 'saturate' ? 4 : severity === 5 ? 3 : 1));
  const val = await set('.', [3, 4, 5, 6]);
  await labelledImage(join(val, wordNetIds[6]!, '0.png'), 7);
  const { corruption, notes } = await measure({ c, val });
  const mean = (value: (error: number) => number): number => commonCorruptions.reduce((sum, name) => sum + value(alexNetErrors.mean[name]!), 0) / 15;
  assert.ok(Math.abs(corruption!.meanCorruptionError! - mean((error) => (100 * 0.35) / error)) < 1e-9); // (4 * 1/4 + 3/4) / 5
  assert.ok(Math.abs(corruption!.relativeMeanCorruptionError! - mean((error) => (100 * (0.35 - 0.25)) / (error - alexNetErrors.clean!))) < 1e-9);
  assert.equal(corruption!.corruptions[0]!.bySeverity, [0.25, 0.25, 0.25, 0.25, 0.75]);
  assert.equal(corruption!.heldOut.map(({ name, error }) => [name, error]), [['saturate', 1]]);
  assert.equal(notes.filter((note) => note.includes('ImageNet-C')).length, 1);
  rmSync(join(c, 'fog'), { recursive: true });
  const without = await measure({ c });
  assert.equal([without.corruption!.missing, without.corruption!.meanCorruptionError], [['fog'], null]);
  assert.match(oodText(without), /^no mean: without fog$/m);
});

test('cue conflict: decisions among the sixteen classes', async () => {
  const root = scratch.folder();
  const seen = (name: string): number => sixteenClassMembers[sixteenClasses.indexOf(name)]![0]!;
  for (const [name, says] of [['cat1-dog1', 'cat'], ['cat2-dog2', 'dog'], ['bear1-oven1', 'bear'], ['bear2-bear3', 'bear'], ['truck1-car1', 'knife']] as const) {
    await labelledImage(join(root, name.replace(/\d.*/, ''), `${name}.png`), seen(says));
  }
  const { shapeBias } = await measure({ cueConflict: root });
  assert.equal(shapeBias, { images: 4, shapeCorrect: 2, textureCorrect: 1, shapeAccuracy: 0.5, textureAccuracy: 0.25, shapeBias: 2 / 3 });
});

test('what is printed: a line for each set, averages, notes and what is skipped', async () => {
  const printed = oodText(await measure({ a: await set('.', [6, 11]), r: await set('.', [1, 2]), sketch: await set('.', [1, 2]) }));
  assert.match(printed, /^ImageNet-A +100\.0  34\.2 to 100\.0 +2 +200$/m);
  assert.match(printed, /^Averages, %: R, Sketch and A 100\.0$/m);
  assert.match(printed, /^note: ImageNet-A: 2 of its 200 classes are there; the others are not tested\.$/m);
  assert.match(printed, /^ImageNet val is skipped: ood\.val is not set\.$/m);
  assert.not.match(printed, /NaN|undefined|Infinity/);
});

test('an interrupted evaluation goes on with the next set, and ends with what an uninterrupted one gives', async () => {
  const ood = { a: await set('.', [6, 11]), r: await set('.', [1, 2, 11]), cueConflict: scratch.folder() };
  await labelledImage(join(ood.cueConflict, 'cat/cat1-dog1.png'), 281);
  const whole = await measure(ood);
  const file = join(scratch.folder(), 'new/ood.json');
  const stop = new AbortController();
  const progress: string[] = [];
  const first = measure(ood, classifier(), { remember: rememberIn(file, { weights: 'x' }), signal: stop.signal, onProgress: (set: string, done: number, total: number) => (progress.push(`${set} ${done}/${total}`), done === total && stop.abort()) });
  assert.ok(await first.then(() => false, () => true));
  assert.equal(progress, ['ImageNet-A 0/2', 'ImageNet-A 2/2', 'ImageNet-R 0/3']);
  const asked: number[] = [];
  assert.equal(await measure(ood, classifier(null, asked), { remember: rememberIn(file, { weights: 'x' }) }), whole);
  assert.equal(asked, [3, 1]);
  asked.length = 0;
  assert.equal(await measure(ood, classifier(null, asked), { remember: rememberIn(file, { weights: 'x' }) }), whole);
  assert.equal(asked, []);
  assert.match((await failure(Promise.resolve().then(() => rememberIn(file, { weights: 'y' })), 'usage')).message, /expected results of these weights and sets, found those of others/);
  text(file, readFileSync(file).subarray(0, 20));
  assert.match((await failure(Promise.resolve().then(() => rememberIn(file, { weights: 'x' })))).message, /found no JSON/);
  text(file, '[]');
  assert.match((await failure(Promise.resolve().then(() => rememberIn(file, { weights: 'x' })))).message, /found other JSON/);
});

test('classifiers of other classes, or in another order, are refused', async () => {
  const a = await set('.', [6]);
  assert.match((await failure(measure({ a }, { ...classifier(), classes: ['cat', 'dog'] }), 'config')).message, /expected a classifier of the 1000 classes of ImageNet, found one of 2/);
  const moved = [...wordNetIds];
  [moved[3], moved[8]] = [moved[8]!, moved[3]!];
  assert.match((await failure(measure({ a }, { ...classifier(), classes: moved }), 'config')).message, new RegExp(`expected ${wordNetIds[3]} as class 3, found ${wordNetIds[8]}`));
  assert.is((await measure({ a }, { ...classifier(), classes: wordNetIds.map((_, label) => `class ${label}`) })).sets[0]!.correct, 1);
});

test.run();
