import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { listImageNet } from '../../lib/data/imagenet.js';
import { wordNetIds } from '../../lib/data/ood/wordnet-ids.js';
import { listWordNetSet } from '../../lib/data/ood/wordnet-sets.js';
import { listSpuriousImageNet } from '../../lib/data/spurious-imagenet.js';
import { evaluateSpurious } from '../../lib/methods/evaluate-spurious.js';
import { rememberIn } from '../../lib/methods/remembered.js';
import { spuriousText } from '../../lib/report/spurious-table.js';
import { failure, image, Scratch, spuriousImageNet, text } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

/** Two features; greys stand for what is seen. */
const trees = (split = 'val'): Promise<{ root: string; imageNet: string }> =>
  spuriousImageNet(scratch, [
    { name: 'ab_cd_987_ef_0', label: 987, validation: [250], spurious: [10, 20, 30] },
    { name: 'spurious_class_2_hummingbird_component_7', label: 2, validation: [200, 100], spurious: [150, 50] },
  ], split);

/** Where the centre of an image of 8 px begins. */
const centre = (4 * 8 + 4) * 3;

/** Brighter images are more of every class asked for; `sign` -1: darker ones. */
const judge = (sign = 1, asked: number[] = []): any => ({
  classes: Array.from({ length: 1000 }, (_, k) => String(k)),
  spec: { imageSize: 8 },
  async probabilities(images: Uint8Array, { signal }: { signal?: AbortSignal } = {}) {
    signal?.throwIfAborted();
    const rows = images.length / 192;
    asked.push(rows);
    const probabilities = new Float32Array(rows * 1000);
    for (let row = 0; row < rows; row++) for (const label of [2, 987]) probabilities[row * 1000 + label] = 0.5 + (sign * images[row * 192 + centre]!) / 600;
    return probabilities;
  },
});

test('classes come from the folder names, by number; val with or without the folders above it', async () => {
  const { root, imageNet } = await trees();
  const { pairs, folder } = await listSpuriousImageNet({ root, imageNet });
  assert.is(folder, join(root, 'images'));
  assert.equal(pairs.map(({ label, validation, spurious }) => [label, validation.length, spurious.length]), [[987, 1, 3], [2, 2, 2]]);
  assert.match(pairs[0]!.validation[0]!.path, new RegExp(`val.${wordNetIds[987]}.`));
  assert.equal(await listSpuriousImageNet({ root: join(root, 'images'), imageNet }).then((one) => one.pairs), pairs);
  assert.equal(await listSpuriousImageNet({ root, imageNet: join(imageNet, 'val') }).then((one) => one.pairs), pairs);
});

test('two folders of a class are one class', async () => {
  const { pairs } = await listSpuriousImageNet(await spuriousImageNet(scratch, [
    { name: 'x_class_7_y_0', label: 7, validation: [1, 2], spurious: [3] },
    { name: 'x_class_7_y_1', label: 7, validation: [1, 2], spurious: [4, 5] },
    { name: 'x_class_8_y_0', label: 8, validation: [1], spurious: [6] },
  ]));
  assert.equal(pairs.map(({ name, label, validation, spurious }) => [name, label, validation.length, spurious.length]), [['x_class_7_y_0 and x_class_7_y_1', 7, 2, 3], ['x_class_8_y_0', 8, 1, 1]]);
});

test('val as Kaggle packs it, here and for the out-of-distribution suite', async () => {
  const { root, imageNet } = await trees('ILSVRC/Data/CLS-LOC/val');
  const { pairs } = await listSpuriousImageNet({ root, imageNet });
  assert.equal(pairs.map(({ validation }) => validation.length), [1, 2]);
  const { classes } = await listWordNetSet('val', imageNet);
  assert.equal(classes.map(({ label }) => label), [2, 987]);
  for (const label of [2, 987]) await image(join(imageNet, 'ILSVRC/Data/CLS-LOC/train', wordNetIds[label]!, '1.JPEG'));
  assert.is((await listImageNet({ root: imageNet })).splits.test.length, 3);
});

test('scores of validation images against spurious ones, of a teacher beside them', async () => {
  const { averagePrecision, rocAuc, classes, teacher } = await evaluateSpurious(judge(), await trees(), { teacher: judge(-1) });
  assert.is(rocAuc, (1 + 0.75) / 2);
  assert.ok(Math.abs(averagePrecision - (1 + 5 / 6) / 2) < 1e-9);
  assert.ok(classes[1]!.meanValidation > classes[1]!.meanSpurious);
  assert.equal(classes.map(({ label, validationImages, spuriousImages }) => [label, validationImages, spuriousImages]), [[987, 1, 3], [2, 2, 2]]);
  // Darker first: the validation image comes last of four; of the other class at ranks 2 and 4.
  assert.is(teacher!.rocAuc, (0 + 0.25) / 2);
  assert.ok(Math.abs(teacher!.averagePrecision - (1 / 4 + (1 / 2 + 2 / 4) / 2) / 2) < 1e-9);
  assert.is((await evaluateSpurious(judge(), await trees())).teacher, null);
});

test('spurious images are seen whole, validation images without their margin', async () => {
  const { root, imageNet } = await trees();
  const seen: number[][] = [];
  const looking = { ...judge(), async probabilities(images: Uint8Array) { seen.push([...images]); return judge().probabilities(images); } };
  await evaluateSpurious(looking, { root, imageNet });
  const [validation, spurious] = [seen[0]!, seen[1]!]; // [1, 8, 8, 3], [3, 8, 8, 3]
  // Of 8 px seen whole the last row and column are the border, which is black; of 9 px the last ones are cut off.
  const last = (pixels: number[]): number => pixels[191]! / pixels[centre]!;
  assert.ok(last(validation) > 0.5, String(last(validation)));
  assert.ok(last(spurious) < 0.2, String(last(spurious)));
});

test('findings: numbers of classes and of images, images that are not square', async () => {
  const { root, imageNet } = await trees();
  await image(join(root, 'images/spurious_class_2_hummingbird_component_7/0.jpg'), { width: 40, height: 30 });
  const { notes } = await listSpuriousImageNet({ root, imageNet });
  assert.is(notes.length, 4);
  assert.is(notes[0], 'Spurious ImageNet: 2 classes instead of the published 100.');
  assert.is(notes[1], 'Spurious ImageNet: other numbers of images than the published 75 of each class: ab_cd_987_ef_0 3, spurious_class_2_hummingbird_component_7 3.');
  assert.is(notes[2], 'ImageNet val: other numbers of images than the published 50 of each class: ab_cd_987_ef_0 1, spurious_class_2_hummingbird_component_7 2.');
  assert.match(notes[3]!, /not square and are seen stretched: .*hummingbird_component_7.0\.jpg 40 x 30 px\.$/);
});

test('as published there is nothing to note', async () => {
  const fifty = new Array<number>(50).fill(200);
  const features = Array.from({ length: 100 }, (_, k) => ({ name: `x_class_${k}_y_0`, label: k, validation: fifty, spurious: [...fifty, ...fifty.slice(25)] }));
  const { pairs, notes } = await listSpuriousImageNet(await spuriousImageNet(scratch, features));
  assert.is(pairs.length, 100);
  assert.equal(notes, []);
});

test('text for people: the means, and the classes of lowest average precision', async () => {
  const { root, imageNet } = await trees();
  const metrics = await evaluateSpurious(judge(), { root, imageNet }, { teacher: judge(-1) });
  const lines = spuriousText(metrics).split('\n');
  assert.is(lines[0], '2 classes: 3 validation images, 5 of spurious features');
  const cells = (start: string): string[] => lines.find((line) => line.startsWith(start))!.slice(start.length).trim().split(/\s{2,}/);
  assert.equal(cells('these weights').slice(0, 2), ['0.917', '0.875']);
  assert.equal(cells('teacher').slice(0, 2), ['0.375', '0.125']);
  assert.equal(cells('constant scores'), ['0.375', '0.500']);
  assert.equal(cells('spurious_class_2_hummingbird_component_7'), ['0.833', '0.500', '0.750', '100.0', '100.0', '2 + 2']);
  assert.ok(lines.findIndex((line) => line.startsWith('spurious_class_2')) < lines.findIndex((line) => line.startsWith('ab_cd')));
  assert.not.match(spuriousText({ ...metrics, teacher: null }), /teacher/);
  const many = spuriousText({ ...metrics, teacher: null, classes: Array.from({ length: 12 }, (_, k) => ({ ...metrics.classes[0]!, name: `c${k}`, averagePrecision: 1 - k / 100 })) });
  assert.match(many, /\nClasses of lowest AP .*\nc11 /);
  assert.not.match(many, /^c1 /m);
  assert.match(many, /^note: Spurious ImageNet: 2 classes/m);
});

test('interrupted and gone on with: the same, and no image again', async () => {
  const data = await trees();
  const plain = await evaluateSpurious(judge(), data, { teacher: judge(-1) });
  const file = join(scratch.folder(), 'results.json');
  const abort = new AbortController();
  const seen: [number, number][] = [];
  const onProgress = (_: string, done: number, total: number): void => {
    seen.push([done, total]);
    if (done === 8) abort.abort(); // the images of the first class, for both
  };
  const stopped = await evaluateSpurious(judge(), data, { teacher: judge(-1), remember: rememberIn(file, {}), signal: abort.signal, onProgress }).then(() => undefined, (error) => error);
  assert.is(stopped?.name, 'AbortError');
  assert.ok(seen.every(([done, total], i) => total === 16 && done >= (seen[i - 1]?.[0] ?? 0)), JSON.stringify(seen));
  assert.equal(Object.keys(JSON.parse(readFileSync(file, 'utf8')).parts).length, 1);
  const asked: number[] = [];
  assert.equal(await evaluateSpurious(judge(1, asked), data, { teacher: judge(-1), remember: rememberIn(file, {}) }), plain);
  assert.equal(asked, [2, 2]);
});

test('damage', async () => {
  const { root, imageNet } = await trees();
  const list = (data: object, code = 'data'): Promise<string> => failure(listSpuriousImageNet({ root, imageNet, ...data }), code).then(({ message, hint }) => `${message}\n${hint}`);
  await failure(evaluateSpurious({ ...judge(), classes: ['a'] }, { root, imageNet }), 'config');
  await failure(evaluateSpurious(judge(), { root, imageNet }, { teacher: { ...judge(), classes: ['a'] } }), 'config');
  const broken = { ...judge(), probabilities: async (images: Uint8Array) => new Float32Array((images.length / 192) * 1000).fill(NaN) };
  assert.match((await failure(evaluateSpurious(broken, { root, imageNet }), 'numeric')).message, /ab_cd_987_ef_0: expected probabilities, found NaN/);
  assert.match(await list({ root: undefined }, 'config'), /^spurious\.root: expected the folder of Spurious ImageNet, found none\.\nSet spurious\.root and spurious\.imageNet/);
  assert.match(await list({ imageNet: undefined }, 'config'), /^spurious\.imageNet: expected the folder of ImageNet, found none/);
  assert.match(await list({ root: join(root, 'nowhere') }), /nowhere: expected class folders such as .*, found nothing at this path\nCheck spurious\.root\./);
  assert.match(await list({ root: scratch.folder() }), /expected class folders such as .*, found an empty folder\nCheck spurious\.root; docs\/ood\.md/);
  assert.match(await list({ root: imageNet }), /expected class folders such as .*, found val\n/);
  const above = scratch.folder();
  await image(join(above, 'spurious_imagenet/images/x_class_5_y_0/1.jpg'));
  assert.match(await list({ root: above }), /found that one level below, in spurious_imagenet\nSet spurious\.root to .*spurious_imagenet\./);
  const loose = scratch.folder();
  await image(join(loose, 'unpacked/x_class_5_y_0/1.jpg'));
  assert.match(await list({ root: loose }), /found that one level below, in unpacked\n/);
  const packed = scratch.folder();
  text(join(packed, 'images_100_classes.zip'), 'PK');
  assert.match(await list({ root: packed }), /found the archive images_100_classes\.zip, not unpacked/);
  assert.match(await list({ imageNet: scratch.folder() }), /expected folders named by WordNet id, such as n01440764, found an empty folder\nCheck spurious\.imageNet;/);
  const training = scratch.folder();
  await image(join(training, 'train', wordNetIds[5]!, '1.JPEG'));
  assert.match(await list({ imageNet: training }), /expected val beside train, found train alone/);
  const flat = scratch.folder();
  await image(join(flat, 'ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.JPEG'));
  assert.match(await list({ imageNet: flat }), /CLS-LOC.val: expected folders named by WordNet id, .*found 1 images directly in it/);
  mkdirSync(join(root, 'images/other'));
  assert.match(await list({}), /images.other: expected a folder name with the number of an ImageNet class/);
  rmSync(join(root, 'images/other'), { recursive: true });
  mkdirSync(join(root, 'images/x_class_1000_y_0'));
  assert.match(await list({}), /images.x_class_1000_y_0: expected a folder name with the number of an ImageNet class/);
  rmSync(join(root, 'images/x_class_1000_y_0'), { recursive: true });
  mkdirSync(join(root, 'images/x_class_5_y_0'));
  assert.match(await list({}), new RegExp(`val: expected the folder ${wordNetIds[5]} of class 5, whose feature x_class_5_y_0 shows, found no such folder`));
  mkdirSync(join(imageNet, 'val', wordNetIds[5]!));
  assert.match(await list({}), /images.x_class_5_y_0: expected images, found none/);
  await image(join(root, 'images/x_class_5_y_0/1.jpg'));
  assert.match(await list({}), new RegExp(`${wordNetIds[5]}: expected images, found none`));
});

test.run();
