import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { classImages } from '../../lib/data/ood/class-folders.js';
import { listCueConflict, openCueConflict } from '../../lib/data/ood/cue-conflict.js';
import { listImageNetC } from '../../lib/data/ood/imagenet-c.js';
import { listImageNetV2 } from '../../lib/data/ood/imagenet-v2.js';
import { openOodSet, type OodSet } from '../../lib/data/ood/ood-set.js';
import { sixteenClassDecisions, sixteenClasses, sixteenClassMembers } from '../../lib/data/ood/sixteen-classes.js';
import { imageNetAClasses, imageNetRClasses } from '../../lib/data/ood/subsets.js';
import { listOodSuite } from '../../lib/data/ood/suite.js';
import { listWordNetSet } from '../../lib/data/ood/wordnet-sets.js';
import { wordNetIds } from '../../lib/data/ood/wordnet-ids.js';
import { transforms } from '../../lib/data/transform.js';
import { shapeBias } from '../../lib/metrics/shape-bias.js';
import { failure, image, labelledImage, labelSeen, Scratch, text } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

/** Class folders with images of the given names. */
async function tree(root: string, folders: readonly string[], names: readonly string[] = ['0.jpeg']): Promise<string> {
  for (const folder of folders) for (const name of names) await image(join(root, folder, name), { width: 8, height: 8 });
  return root;
}

/** All 1000 class folders, links to the folder `all` of `images`. */
function wholeTree(images: string): string {
  const root = scratch.folder();
  for (const id of wordNetIds) symlinkSync(join(images, 'all'), join(root, id));
  return root;
}

/** Folder name by label, as it was listed. */
function labels({ classes }: OodSet): [string, number][] {
  return classes.map(({ path, label }) => [path.split('/').at(-1)!, label]);
}

// Classes -------------------------------------------------------------------------------------------------

test('class numbers are ranks of the WordNet ids; A and R have 200 classes each, 86 of them in both', () => {
  assert.equal([wordNetIds.length, wordNetIds[0], wordNetIds[999]], [1000, 'n01440764', 'n15075141']);
  assert.equal([...wordNetIds].sort(), wordNetIds);
  for (const subset of [imageNetAClasses, imageNetRClasses]) {
    assert.is(new Set(subset).size, 200);
    assert.equal([...subset].sort((a, b) => a - b), subset);
  }
  assert.is(imageNetAClasses.filter((label) => imageNetRClasses.includes(label)).length, 86);
  // Folders that everybody knows of them.
  assert.equal([imageNetAClasses.indexOf(wordNetIds.indexOf('n01498041')), imageNetRClasses.indexOf(wordNetIds.indexOf('n01443537'))], [0, 0]);
  assert.equal([wordNetIds[imageNetAClasses.at(-1)!], wordNetIds[imageNetRClasses.at(-1)!]], ['n12267677', 'n12267677']);
});

// V2 ------------------------------------------------------------------------------------------------------

test('V2: the label of a folder is its number, and never its rank among strings', async () => {
  const [set] = await listImageNetV2(await tree(scratch.folder(), ['0', '1', '10', '100', '2', '999']));
  assert.equal(labels(set!), [['0', 0], ['1', 1], ['2', 2], ['10', 10], ['100', 100], ['999', 999]]);
  assert.equal([set!.name, set!.images, set!.columns], ['v2', 'cropped', undefined]);
});

test('V2: zero-padded numbers and WordNet ids give the same labels', async () => {
  const [padded] = await listImageNetV2(await tree(scratch.folder(), ['0000', '0010', '0100', '0999']));
  assert.equal(labels(padded!), [['0000', 0], ['0010', 10], ['0100', 100], ['0999', 999]]);
  const [named] = await listImageNetV2(await tree(scratch.folder(), [wordNetIds[10]!, wordNetIds[0]!, wordNetIds[999]!]));
  assert.equal(labels(named!).map(([, label]) => label), [0, 10, 999]);
});

test('V2: each of its sets under its own name, from one folder that holds them', async () => {
  const root = scratch.folder();
  for (const name of ['imagenetv2-matched-frequency-format-val', 'imagenetv2-threshold0.7-format-val', 'imagenet-top-images-format-val']) await tree(join(root, name), ['7']);
  assert.equal((await listImageNetV2(root)).map(({ name }) => name), ['v2-matched-frequency', 'v2-threshold-0.7', 'v2-top-images']);
  assert.is((await listImageNetV2(join(root, 'imagenetv2-threshold0.7-format-val')))[0]!.name, 'v2-threshold-0.7');
  await tree(join(root, 'imagenet-threshold-0.7-format-val'), ['7']);
  assert.match((await failure(listImageNetV2(root))).message, /expected one folder of threshold-0\.7, found imagenet-threshold-0\.7-format-val and imagenetv2-threshold0\.7-format-val/);
});

test('V2: 20 files in each class are those of a withdrawn archive; labels hold, and it is said', async () => {
  const root = wholeTree(await tree(scratch.folder(), ['all'], Array.from({ length: 20 }, (_, file) => `${file}.jpeg`)));
  const [set] = await listImageNetV2(root);
  const { dataset, notes } = await openOodSet(set!, 8, transforms.imagenet);
  assert.equal([dataset.length, dataset.labels[20 * 500]], [20_000, 500]);
  assert.equal(notes.length, 1);
  assert.match(notes[0]!, /ImageNet-V2: 20000 images instead of the published 10000\. Archives of December 2020 had 20 images/);
});

test('V2: damage', async () => {
  const both = await tree(scratch.folder(), ['7', '0007']);
  assert.match((await failure(listImageNetV2(both))).message, /expected one folder of each class, found 0007 and 7 of class 7/);
  const beyond = await tree(scratch.folder(), ['7', '1000']);
  assert.match((await failure(listImageNetV2(beyond))).message, /expected the 1000 class folders of ImageNet-V2 and nothing else, found 1000/);
  const high = scratch.folder();
  await tree(join(high, 'unpacked'), ['0', '1']);
  const { message, hint } = await failure(listImageNetV2(high));
  assert.match(message, /or by class number, found that one level below, in unpacked/);
  assert.match(hint!, /^Set ood\.v2 to .*unpacked\.$/);
  const [empty] = await listImageNetV2((mkdirSync(join(high, 'x/3'), { recursive: true }), join(high, 'x')));
  assert.match((await failure(openOodSet(empty!, 8, transforms.imagenet))).message, /x.3: expected images, found none/);
});

// A, R, Sketch, Stylized, val --------------------------------------------------------------------------------

test('A and R: logits of their 200 classes alone count; README and dot files are passed over', async () => {
  const root = await tree(scratch.folder(), [6, 11, 988].map((label) => wordNetIds[label]!));
  text(join(root, 'README.txt'), 'ImageNet-A');
  text(join(root, '.DS_Store'), '');
  const a = await listWordNetSet('a', root);
  assert.equal([labels(a).map(([, label]) => label), a.columns, a.images], [[6, 11, 988], imageNetAClasses, 'cropped']);
  const { dataset, notes } = await openOodSet(a, 8, transforms.imagenet);
  assert.equal([...dataset.labels], [6, 11, 988]);
  assert.equal(notes, ['ImageNet-A: 3 of its 200 classes are there; the others are not tested.']);
  assert.is((await listWordNetSet('r', await tree(scratch.folder(), [wordNetIds[1]!]))).columns, imageNetRClasses);
});

test('A and R: each in the place of the other is an error, although both have 200 folders', async () => {
  const r = await tree(scratch.folder(), [11, 1].map((label) => wordNetIds[label]!)); // 11 is in both
  const { message, hint } = await failure(listWordNetSet('a', r));
  assert.match(message, /expected the 200 class folders of ImageNet-A and nothing else, found n01443537/);
  assert.match(hint!, /check that ood\.a is its folder and not that of another set/);
});

test('Sketch: classes need not have 50 images, and nothing is said of it', async () => {
  const root = wholeTree(await tree(scratch.folder(), ['all'], ['sketch_0.JPEG', 'sketch_1.JPEG']));
  rmSync(join(root, wordNetIds[5]!));
  await tree(root, [wordNetIds[5]!], ['sketch_0.JPEG']);
  const { dataset, notes } = await openOodSet(await listWordNetSet('sketch', root), 8, transforms.imagenet);
  assert.equal([dataset.length, notes], [1999, []]);
});

test('val and Stylized: the folder val within is found, also beside train', async () => {
  for (const name of ['val', 'stylized'] as const) {
    const root = scratch.folder();
    await tree(join(root, 'train'), [wordNetIds[3]!]);
    await tree(join(root, 'val'), [wordNetIds[4]!]);
    assert.equal(labels(await listWordNetSet(name, root)), [[wordNetIds[4], 4]]);
    assert.equal(labels(await listWordNetSet(name, join(root, 'val'))), [[wordNetIds[4], 4]]);
  }
});

test('val in one folder: classes from a list in it or beside it', async () => {
  const root = scratch.folder();
  for (const number of ['00000001', '00000002', '00000007']) await labelledImage(join(root, `val/ILSVRC2012_val_${number}.png`), Number(number), 8);
  const list = (last: string) => `ImageId,PredictionString\nILSVRC2012_val_00000007,${wordNetIds[4]} 1 2 3 4\nILSVRC2012_val_00000002,${last} 1 2 3 4\nILSVRC2012_val_00000001,${wordNetIds[900]} 1 2 3 4\n`;
  text(join(root, 'LOC_val_solution.csv'), list(wordNetIds[4]!));
  for (const given of [root, join(root, 'val')]) {
    const { dataset, notes } = await openOodSet(await listWordNetSet('val', given), 8, transforms.stored);
    assert.equal([...dataset.labels], [4, 4, 900]);
    const images = await dataset.read([0, 1, 2]);
    assert.equal([0, 1, 2].map((index) => labelSeen(images, 8, index)), [2, 7, 1]);
    assert.match(notes[0]!, /2 of its 1000 classes are there/);
  }
  text(join(root, 'LOC_val_solution.csv'), list('n00000001'));
  assert.match((await failure(listWordNetSet('val', root))).message, /expected images of the 1000 classes of ImageNet, found ILSVRC2012_val_00000002\.png of n00000001/);
});

test('damage: nothing there, images not sorted, other folders, archives', async () => {
  assert.match((await failure(listWordNetSet('sketch', join(scratch.root, 'none')))).message, /none: expected folders named by WordNet id, such as n01440764, found nothing at this path/);
  const flat = scratch.folder();
  await image(join(flat, 'ILSVRC2012_val_00000001.JPEG'));
  const { message, hint } = await failure(listWordNetSet('val', flat));
  assert.match(message, /found 1 images directly in it/);
  assert.match(hint!, /valprep\.sh/);
  const more = await tree(scratch.folder(), [wordNetIds[0]!, '__MACOSX']);
  assert.match((await failure(listWordNetSet('sketch', more))).message, /expected the 1000 class folders of ImageNet-Sketch and nothing else, found __MACOSX/);
  const packed = scratch.folder();
  text(join(packed, 'imagenet-r.tar'), 'x');
  assert.match((await failure(listWordNetSet('r', packed))).message, /found the archive imagenet-r\.tar, not unpacked/);
});

// Crops -------------------------------------------------------------------------------------------------

/** A PNG of noise. */
async function noise(path: string, side: number): Promise<Uint8Array> {
  const pixels = Uint8Array.from({ length: side * side * 3 }, (_, i) => (i * 7919 + (i >> 5) * 104729) % 251);
  text(path, await sharp(pixels, { raw: { width: side, height: side, channels: 3 } }).png().toBuffer());
  return pixels;
}

test('C, Stylized and cue-conflict images are neither resized nor cropped', async () => {
  const root = scratch.folder();
  const first = { path: join(root, `val/${wordNetIds[0]}/a.png`), label: 0 };
  const pixels = await noise(first.path, 224);
  const seen: Uint8Array[] = [];
  const read = async ({ dataset, notes }: Awaited<ReturnType<typeof openOodSet>>): Promise<void> => {
    assert.not.ok(notes.some((note) => note.includes('px')));
    seen.push(await dataset.read([0]));
  };
  await read(await openOodSet(await listWordNetSet('stylized', root), 224, transforms.imagenet));
  for (const severity of [1, 2, 3, 4, 5]) await noise(join(root, `c/fog/${severity}/${wordNetIds[0]}/a.png`), 224);
  await read(await openOodSet((await listImageNetC(join(root, 'c'))).get('fog')![4]!, 224, transforms.imagenet));
  await noise(join(root, 'cue/cat/cat1-dog2.png'), 224);
  await read(await openCueConflict(await listCueConflict(join(root, 'cue')), 224));
  for (const image of seen) assert.ok(Buffer.from(image).equals(Buffer.from(pixels)));
});

test('photographs are resized and cropped: a margin of 16 of 256 px is not seen', async () => {
  const root = scratch.folder();
  const inner = await sharp({ create: { width: 224, height: 224, channels: 3, background: '#000' } }).extend({ top: 16, bottom: 16, left: 16, right: 16, background: '#fff' }).png().toBuffer();
  for (const [folder, id] of [['val', 6], ['a', 6], ['r', 1], ['sketch', 6]] as const) {
    text(join(root, folder, wordNetIds[id]!, '0.png'), inner);
    const { dataset } = await openOodSet(await listWordNetSet(folder, join(root, folder)), 224, transforms.imagenet);
    assert.ok((await dataset.read([0])).every((value) => value === 0), folder);
  }
});

test('images of another size than published are noted where they should not be changed', async () => {
  const root = scratch.folder();
  await image(join(root, wordNetIds[0]!, '0.png'), { width: 500, height: 375 });
  const { notes } = await openOodSet(await listWordNetSet('stylized', root), 224, transforms.imagenet);
  assert.match(notes.at(-1)!, /Stylized-ImageNet: images of 500 x 375 px instead of the published 224 x 224/);
});

// ImageNet-C ------------------------------------------------------------------------------------------------

async function corrupted(root: string, names: readonly string[]): Promise<string> {
  for (const name of names) for (const severity of [1, 2, 3, 4, 5]) await tree(join(root, name, String(severity)), [wordNetIds[9]!]);
  return root;
}

test('C: corruptions in the order of the table, held-out ones last, also with a folder for each archive', async () => {
  const flat = await listImageNetC(await corrupted(scratch.folder(), ['saturate', 'fog', 'gaussian_noise']));
  assert.equal([...flat.keys()], ['gaussian_noise', 'fog', 'saturate']);
  assert.equal(flat.get('fog')!.map(({ name, images }) => [name, images]), [1, 2, 3, 4, 5].map((severity) => [`c/fog/${severity}`, 'stored']));
  assert.equal((await classImages(flat.get('fog')![2]!.classes)).map(({ label }) => label), [9]);
  const nested = await listImageNetC(await corrupted(scratch.folder(), ['noise/shot_noise', 'weather/fog', 'extra/spatter']));
  assert.equal([...nested.keys()], ['shot_noise', 'fog', 'spatter']);
});

test('C: damage', async () => {
  const short = await corrupted(scratch.folder(), ['fog']);
  rmSync(join(short, 'fog/4'), { recursive: true });
  assert.match((await failure(listImageNetC(short))).message, /fog: expected folders of severity 1, 2, 3, 4, 5, found 1, 2, 3, 5/);
  assert.match((await failure(listImageNetC(await corrupted(scratch.folder(), ['fog', 'rain'])))).message, /expected folders of corruptions, such as gaussian_noise, found rain/);
  assert.match((await failure(listImageNetC(await corrupted(scratch.folder(), ['fog', 'weather/fog'])))).message, /expected fog once, found it again in .*weather/);
  const high = scratch.folder();
  await corrupted(join(high, 'imagenet-c'), ['fog']);
  assert.match((await failure(listImageNetC(high))).hint!, /^Set ood\.c to .*imagenet-c\.$/);
  const other = await corrupted(scratch.folder(), ['fog']);
  mkdirSync(join(other, 'fog/3/tench'));
  assert.match((await failure(listImageNetC(other))).message, /expected the 1000 class folders of ImageNet-C fog 3 and nothing else, found tench/);
});

// Cue conflict ------------------------------------------------------------------------------------------------

test('cue conflict: shape from the folder, texture from the name', async () => {
  const root = scratch.folder();
  for (const name of ['airplane/airplane1-bear2.png', 'cat/cat10-cat3.png', 'cat/cat4-elephant1.png', 'truck/0001_cue_truck2-oven12.png']) await image(join(root, name), { width: 224, height: 224 });
  const { dataset, notes } = await openCueConflict(await listCueConflict(root), 8);
  const pairs = Array.from(dataset.labels, (label, i) => `${dataset.classes[label]} ${dataset.attributes[dataset.attributeOf[i]!]}`);
  assert.equal(pairs, ['airplane bear', 'cat cat', 'cat elephant', 'truck oven']);
  assert.equal(notes, ['cue conflict: 4 images instead of the published 1280.']);
});

test('cue conflict: damage', async () => {
  const root = scratch.folder();
  await image(join(root, 'cat/dog4-elephant1.png'));
  assert.match((await failure(listCueConflict(root))).message, /dog4-elephant1\.png: expected a name such as cat1-airplane2\.png/);
  rmSync(join(root, 'cat/dog4-elephant1.png'));
  assert.match((await failure(listCueConflict(root))).message, /cat: expected images, found none/);
  await image(join(root, 'cat/cat4-zebra1.png'));
  assert.match((await failure(listCueConflict(root))).message, /cat4-zebra1\.png: expected a name/);
  mkdirSync(join(root, 'zebra'));
  assert.match((await failure(listCueConflict(root))).message, /expected folders of the classes airplane, .* and nothing else, found zebra/);
  assert.match((await failure(listCueConflict(scratch.folder()))).message, /expected folders of the 16 classes, such as airplane, found an empty folder/);
});

test('sixteen classes: means of probabilities, so that a class of many members has no advantage', () => {
  assert.is(sixteenClasses.length, 16);
  const all = sixteenClassMembers.flat();
  assert.equal([all.length, new Set(all).size], [207, 207]); // as arXiv 1808.08750 says
  // By WordNet id: airliner, brown bear, tabby, Chihuahua, African elephant, typewriter keyboard, cleaver.
  for (const [id, name] of [['n02690373', 'airplane'], ['n02132136', 'bear'], ['n02123045', 'cat'], ['n02085620', undefined], ['n02085782', 'dog'], ['n02504458', 'elephant'], ['n04505470', 'keyboard'], ['n03041632', 'knife']]) {
    assert.is(sixteenClasses[sixteenClassMembers.findIndex((labels) => labels.includes(wordNetIds.indexOf(id!)))], name, id);
  }
  const probabilities = new Float32Array(2000);
  for (const label of sixteenClassMembers[sixteenClasses.indexOf('dog')]!) probabilities[label] = 0.007; // 0.77 together
  probabilities[499] = 0.1; // knife
  probabilities[1000 + 404] = 0.3;
  assert.equal([...sixteenClassDecisions(probabilities)].map((k) => sixteenClasses[k]), ['knife', 'airplane']);
});

test('shape bias: images without a conflict do not count', () => {
  // Predicted, shape, texture: shape right twice, texture once, neither once, and two without a conflict.
  const result = shapeBias([1, 2, 5, 9, 3, 4], [1, 2, 6, 7, 3, 3], [0, 4, 5, 8, 3, 3]);
  assert.equal(result, { images: 4, shapeCorrect: 2, textureCorrect: 1, shapeAccuracy: 0.5, textureAccuracy: 0.25, shapeBias: 2 / 3 });
  assert.is(shapeBias([9], [1], [2]).shapeBias, null);
});

// The suite --------------------------------------------------------------------------------------------------

test('sets without a folder are skipped with a sentence; without any it is an error', async () => {
  const root = await tree(scratch.folder(), [wordNetIds[6]!]);
  const { sets, imageNetC, cueConflict, skipped } = await listOodSuite(resolveConfig({ ood: { a: root } }).ood);
  assert.equal([sets.map(({ name }) => name), imageNetC, cueConflict], [['a'], null, null]);
  assert.is(skipped.length, 7);
  assert.is(skipped.at(-2), 'ImageNet-C is skipped: ood.c is not set.');
  assert.match((await failure(listOodSuite(resolveConfig({}).ood), 'config')).message, /ood: expected the folder of at least one set, found none/);
});

test.run();
