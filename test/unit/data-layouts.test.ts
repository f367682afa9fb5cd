import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { readConfigFile, resolveConfig } from '../../lib/config/load.js';
import { checkData } from '../../lib/data/check.js';
import { readCsv } from '../../lib/data/csv.js';
import { bytewise } from '../../lib/data/files.js';
import { listImageNet } from '../../lib/data/imagenet.js';
import { countFindings } from '../../lib/data/listed-dataset.js';
import { listManifest } from '../../lib/data/manifest.js';
import { openData } from '../../lib/data/open.js';
import { celebaCounts, spucoAnimalsCounts, spucoCounts, waterbirdsCounts } from '../../lib/data/published.js';
import { countGroups } from '../../lib/data/records.js';
import { listSpuCo, listSpuCoAnimals } from '../../lib/data/spuco-animals.js';
import { listWaterbirds } from '../../lib/data/waterbirds.js';
import { dataCheckText } from '../../lib/report/data-check.js';
import { failure, image, Scratch, text } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

const sum = (values: readonly number[] = []): number => values.reduce((total, value) => total + value, 0);

test('published counts add up to the published totals', () => {
  assert.equal([sum(celebaCounts.train), sum(celebaCounts.validation), sum(celebaCounts.test)], [162770, 19867, 19962]);
  assert.equal([sum(waterbirdsCounts.train), sum(waterbirdsCounts.validation), sum(waterbirdsCounts.test)], [4795, 1199, 5794]);
  assert.equal([sum(spucoCounts.train), sum(spucoCounts.validation), sum(spucoCounts.test)], [21000, 1050, 2000]);
  assert.equal([sum(spucoAnimalsCounts.train), sum(spucoAnimalsCounts.validation), sum(spucoAnimalsCounts.test)], [42000, 2100, 4000]);
  assert.is(spucoAnimalsCounts.train!.filter((count) => count > 0).length, 8);
});

// Waterbirds ----------------------------------------------------------------------------------------------

const birds: [string, number, number, number][] = [
  ['002.Laysan_Albatross/Laysan_Albatross_0003_1033.jpg', 1, 0, 1],
  ['001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg', 1, 0, 0],
  ['014.Indigo_Bunting/Indigo_Bunting_0001_12469.jpg', 0, 0, 0],
  ['014.Indigo_Bunting/Indigo_Bunting_0002_12470.jpg', 0, 1, 1],
  ['014.Indigo_Bunting/Indigo_Bunting_0003_12471.jpg', 0, 2, 1],
  ['002.Laysan_Albatross/Laysan_Albatross_0004_930.jpg', 1, 2, 0],
];

async function waterbirds(): Promise<string> {
  const root = scratch.folder();
  for (const [name] of birds) await image(join(root, name), { width: 50, height: 30 });
  text(join(root, 'metadata.csv'), `img_id,img_filename,y,split,place,place_filename\n${birds.map(([name, y, split, place], id) => `${id + 1},${name},${y},${split},${place},/o/ocean/00000${id}.jpg\n`).join('')}`);
  return root;
}

test('Waterbirds: groups by y and place, in bytewise order of the file names', async () => {
  const root = await waterbirds();
  const listing = await listWaterbirds({ root });
  assert.equal(countGroups(listing.splits.train, listing), [1, 0, 1, 1]);
  assert.equal(countGroups(listing.splits.validation!, listing), [0, 1, 0, 0]);
  assert.equal(countGroups(listing.splits.test, listing), [0, 1, 1, 0]);
  assert.match(listing.splits.train[0]!.path, /001\.Black_footed/);
  const { train, test: tested } = await openData(resolveConfig({ data: { kind: 'waterbirds', root } }).data);
  assert.equal([train.classes, train.attributes, train.imageSize], [['landbird', 'waterbird'], ['land', 'water'], 224]);
  assert.is((await tested.read([0])).length, 224 * 224 * 3);
});

test('Waterbirds: damage', async () => {
  const edit = async (from: string, to: string): Promise<string> => {
    const root = await waterbirds();
    text(join(root, 'metadata.csv'), readFileSync(join(root, 'metadata.csv'), 'utf8').replace(from, to));
    return (await failure(listWaterbirds({ root }))).message;
  };
  assert.match(await edit('place,', 'background,'), /metadata\.csv: expected a column place, found img_id, img_filename/);
  assert.match(await edit('18.jpg,1', '18.jpg,-1'), /metadata\.csv:3: y: expected 0 or 1, found "-1"/);
  assert.match(await edit('18.jpg,1,0', '18.jpg,1,train'), /expected split 0, 1 or 2, found "train"/);
  assert.match(await edit('0046_18.jpg', '0046_19.jpg'), /found 1 of them missing: .*0046_19\.jpg/);
  assert.match(await edit(',/o/ocean/000002.jpg', ''), /metadata\.csv:4: expected 6 cells, as in the header, found 5/);
  assert.match((await failure(listWaterbirds({ root: join(await waterbirds(), '014.Indigo_Bunting') }))).message, /expected metadata\.csv, found that one level above/);
});

// SpuCo ---------------------------------------------------------------------------------------------------

async function spuco(root: string, folder: string, classes: string[], attributes: string[]): Promise<void> {
  for (const split of ['train', 'val', 'test']) {
    for (const [y, name] of classes.entries()) for (const [a, ground] of attributes.entries()) for (let i = 0; i < (y === a ? 2 : 1); i++) await image(join(root, folder, split, name, ground, `${100 * y + 10 * a + i}.jpg`));
  }
}

test('SpuCo: labels in the order of the authors, animals with eight of sixteen groups', async () => {
  const root = scratch.folder();
  await spuco(root, 'spuco_birds', ['landbirds', 'waterbirds'], ['land', 'water']);
  await spuco(root, 'spuco_dogs', ['small_dogs', 'big_dogs'], ['indoor', 'outdoor']);
  const dogs = await listSpuCo('spuco-dogs', { root });
  assert.equal(dogs.classes, ['small_dogs', 'big_dogs'], 'not sorted: small is 0');
  assert.equal(countGroups(dogs.splits.validation!, dogs), [2, 1, 1, 2]);
  assert.equal((await listSpuCo('spuco-birds', { root: join(root, 'spuco_birds') })).splits, (await listSpuCo('spuco-birds', { root })).splits);
  const animals = await listSpuCoAnimals({ root });
  assert.equal(countGroups(animals.splits.train, animals), [2, 1, 0, 0, 1, 2, 0, 0, 0, 0, 2, 1, 0, 0, 1, 2]);
  for (const { path, label, attribute } of animals.splits.train) assert.match(path, join(animals.classes[label]!, animals.attributes[attribute]!));
  assert.match(countFindings(dogs)[0]!.text, /train: other numbers of images than published: small_dogs\/indoor 2 instead of 10000/);
  for (const kind of ['spuco-birds', 'spuco-dogs', 'spuco-animals']) assert.is((await openData(resolveConfig({ data: { kind, root } }).data)).train.imageSize, 224);
});

test('SpuCo: damage', async () => {
  const root = scratch.folder();
  assert.match((await failure(listSpuCo('spuco-birds', { root }))).message, /expected folders train and test, found an empty folder/);
  assert.match((await failure(listSpuCoAnimals({ root }))).message, /expected folders spuco_birds and spuco_dogs, found an empty folder/);
  await spuco(root, 'spuco_birds', ['landbirds', 'waterbirds'], ['land', 'water']);
  assert.match((await failure(listSpuCo('spuco-dogs', { root: join(root, 'spuco_birds') }))).message, /expected the class folders small_dogs, big_dogs, found landbirds/);
  await image(join(root, 'spuco_birds/test/landbirds/sky/1.jpg'));
  assert.match((await failure(listSpuCo('spuco-birds', { root }))).message, /expected the attribute folders land, water, found sky/);
  rmSync(join(root, 'spuco_birds/train/waterbirds'), { recursive: true });
  rmSync(join(root, 'spuco_birds/test/landbirds/sky'), { recursive: true });
  assert.match((await failure(listSpuCo('spuco-birds', { root }))).message, /train.waterbirds: expected images of class waterbirds in train, found none/);
});

test('SpuCo: a folder one level too high or too low says which to give', async () => {
  const root = scratch.folder();
  await spuco(join(root, 'sp'), 'spuco_birds', ['landbirds', 'waterbirds'], ['land', 'water']);
  await spuco(join(root, 'sp'), 'spuco_dogs', ['small_dogs', 'big_dogs'], ['indoor', 'outdoor']);
  const birds = join(root, 'sp', 'spuco_birds');
  const hint = async (promise: Promise<unknown>): Promise<string> => (await failure(promise)).hint!;
  assert.is(await hint(listSpuCo('spuco-birds', { root })), `Set data.root to ${join(root, 'sp')}.`);
  assert.is(await hint(listSpuCoAnimals({ root })), `Set data.root to ${join(root, 'sp')}.`);
  assert.is(await hint(listSpuCoAnimals({ root: birds })), `Set data.root to ${join(root, 'sp')}.`);
  for (const split of ['train', 'val', 'test']) assert.is(await hint(listSpuCo('spuco-birds', { root: join(birds, split) })), `Set data.root to ${birds}.`);
});

// Manifest ------------------------------------------------------------------------------------------------

async function manifest(content: string): Promise<string> {
  const root = scratch.folder();
  for (const name of ['a.jpg', 'b, c.jpg', 'sub/d.jpg', 'e.png']) await image(join(root, 'photos', name));
  return text(join(root, 'lists', 'set.csv'), content);
}

const complete = 'path,label,attribute,split\n../photos/sub/d.jpg,10,snow,train\n"../photos/b, c.jpg",9,grass,train\n../photos/a.jpg,9,snow,test\n../photos/e.png,10,grass,val\n';

test('manifest: paths from its folder, labels by value, attribute optional', async () => {
  const listing = await listManifest({ file: await manifest(`\uFEFF${complete}`) });
  assert.equal([listing.classes, listing.attributes], [['9', '10'], ['grass', 'snow']]);
  assert.equal(listing.splits.train.map(({ path, label, attribute }) => [basename(path), label, attribute]), [['b, c.jpg', 0, 0], ['d.jpg', 1, 1]]);
  assert.is(listing.splits.validation!.length, 1);
  const named = await listManifest({ file: await manifest('split,path,label\ntrain,../photos/a.jpg,1\ntest,../photos/e.png,0\n'), classes: ['cat', 'dog'] });
  assert.equal([named.classes, named.attributes, named.splits.train[0]!.label, named.splits.validation], [['cat', 'dog'], ['all'], 1, undefined]);
});

test('manifest: captions, with commas and quotes, missing where a cell is empty, and kept when groups are dropped', async () => {
  const file = await manifest('path,label,attribute,split,caption\n../photos/sub/d.jpg,10,snow,train,\n../photos/a.jpg,9,snow,train,"a cat, ""asleep"" in {}"\n"../photos/b, c.jpg",9,grass,train,a cat\n../photos/e.png,10,grass,test,a dog\n');
  const { data } = resolveConfig({ data: { kind: 'manifest', file, imageSize: 8, dropGroups: ['9/grass'] } });
  const listing = await listManifest({ file });
  assert.equal(listing.splits.train.map(({ caption }) => caption), ['a cat, "asleep" in {}', 'a cat', undefined]);
  const { train, test: tested } = await openData(data);
  assert.equal([train.captions, tested.captions], [['a cat, "asleep" in {}', undefined], ['a dog']]);
  assert.match(dataCheckText(await checkData(data)), /captions: 2 of 3 training images have one/);
  assert.is((await openData({ ...data, file: await manifest(complete), dropGroups: [] } as typeof data)).train.captions, undefined);
});

test('manifest: its path in a config starts at the config, and its images are read', async () => {
  const file = await manifest(complete);
  const config = text(join(file, '../../run.yaml'), 'data: { kind: manifest, file: lists/set.csv, imageSize: 8 }');
  const { data } = resolveConfig(readConfigFile(config));
  assert.is((data as { file: string }).file, file);
  assert.is((await (await openData(data)).test.read([0])).length, 192);
});

test('a class that has no image to train on is an error in every layout', async () => {
  const file = await manifest('path,label,split\n../photos/a.jpg,cat,train\n../photos/e.png,bird,test\n');
  const { message } = await failure(openData(resolveConfig({ data: { kind: 'manifest', file } }).data));
  assert.match(message, /set\.csv: expected images of class bird in train, found none/);
});

test('manifest: damage', async () => {
  const message = async (content: string, classes?: string[]): Promise<string> => (await failure(listManifest({ file: await manifest(content), ...(classes && { classes }) }))).message;
  assert.match(await message(complete.replace('label', 'class')), /set\.csv: expected a column label, found path, class, attribute, split/);
  assert.match(await message(complete.replace('attribute', 'split')), /expected each column once, found "split" twice/);
  assert.match(await message(complete.replace(',val', ',dev')), /set\.csv:5: expected split train, val or test, found dev/);
  assert.match(await message(complete.replace(',snow,', ',,')), /set\.csv:2: attribute: expected a text, found an empty cell/);
  assert.match(await message(complete.replace('e.png', 'a.jpg')), /set\.csv:5: expected each image once, found \.\.\/photos\/a\.jpg again/);
  assert.match(await message(complete.replace('e.png', './a.jpg')), /expected each image once, found .*a\.jpg again/);
  assert.match((await failure(listManifest({ file: await manifest(complete), classes: ['9', '9'] }), 'config')).message, /data\.classes: expected each class once, found 9 twice/);
  assert.match(await message(complete.replace('e.png', 'f.png')), /found 1 of them missing: .*f\.png/);
  assert.match(await message(complete.replace(',test', ',val')), /expected images of split test, found none/);
  assert.match(await message(complete, ['nine', '10']), /expected labels among nine, 10, found 9/);
  assert.match(await message(complete.replace('grass,train', '"grass,train')), /expected a closing double quote, found the end of the file/);
  assert.match((await failure(listManifest({ file: join(scratch.root, 'none.csv') }), 'io')).message, /none\.csv/);
});

test('CSV: quotes, empty cells and lines', async () => {
  const file = text(join(scratch.folder(), 'x.csv'), 'a,b,c\r\n"1 ""x"", y",,3\r\n\r\n,"two\nlines",\r\n');
  const { rows } = await readCsv(file, ['a', 'b', 'c']);
  assert.equal(rows, [{ line: 2, cells: { a: '1 "x", y', b: '', c: '3' } }, { line: 4, cells: { a: '', b: 'two\nlines', c: '' } }]);
});

// ImageNet ------------------------------------------------------------------------------------------------

async function imageNet(folder = ''): Promise<string> {
  const root = scratch.folder();
  for (const [id, count] of [['n02012849', 2], ['n01440764', 3], ['n03126707', 1]] as const) {
    for (let i = 0; i < count; i++) await image(join(root, folder, 'train', id, `${id}_${i}.JPEG`));
    await image(join(root, folder, 'val', id, `ILSVRC2012_val_0000000${count}.JPEG`));
  }
  return root;
}

test('ImageNet: labels are ranks of WordNet ids, val is tested, classes can be chosen and named', async () => {
  const root = await imageNet();
  const listing = await listImageNet({ root });
  assert.equal(listing.classes, ['n01440764', 'n02012849', 'n03126707']);
  assert.equal(listing.attributes, ['all']);
  assert.equal(countGroups(listing.splits.train, listing), [3, 2, 1]);
  assert.equal(relative(root, listing.splits.test[1]!.path), 'val/n02012849/ILSVRC2012_val_00000002.JPEG');
  const some = await listImageNet({ root, classes: ['n03126707', 'n01440764'], names: { n01440764: 'tench' } });
  assert.equal(some.classes, ['tench', 'n03126707']);
  assert.equal(countGroups(some.splits.train, some), [3, 1]);
  assert.is((await listImageNet({ root: await imageNet('ILSVRC/Data/CLS-LOC') })).splits.train.length, 6);
  assert.is((await openData(resolveConfig({ data: { kind: 'imagenet', root } }).data)).validation, undefined);
});

test('ImageNet: a folder too high or too low says which to give; images in other formats are noted', async () => {
  const root = await imageNet('deep/ILSVRC/Data/CLS-LOC');
  const own = join(root, 'deep/ILSVRC/Data/CLS-LOC');
  const hint = async (folder: string): Promise<string> => (await failure(listImageNet({ root: folder }))).hint!;
  assert.is(await hint(root), `Set data.root to ${join(root, 'deep')}.`);
  assert.is(await hint(join(own, 'val')), `Set data.root to ${own}.`);
  text(join(own, 'train/n01440764/x.TIFF'), 'x');
  assert.equal((await listImageNet({ root: join(root, 'deep') })).findings, [{ severity: 'note', text: 'found 1 .tiff file, which is not read; convert it to PNG or JPEG' }]);
});

test('ImageNet: val in one folder, with a list of its classes', async () => {
  const flat = async (folder = ''): Promise<string> => {
    const root = await imageNet(folder);
    rmSync(join(root, folder, 'val'), { recursive: true });
    for (const number of [1, 2, 3, 50_000]) await image(join(root, folder, `val/ILSVRC2012_val_${String(number).padStart(8, '0')}.JPEG`));
    return root;
  };
  const found = async (root: string) => (await listImageNet({ root })).splits.test.map(({ path, label }) => [basename(path, '.JPEG').slice(-5), label]);
  const expected = [['00002', 0], ['50000', 0], ['00001', 1], ['00003', 2]];
  const kaggle = await flat('ILSVRC/Data/CLS-LOC');
  const csv = 'ImageId,PredictionString\nILSVRC2012_val_00050000,n01440764 1 2 3 4 n01440764 5 6 7 8 \nILSVRC2012_val_00000001,n02012849 1 2 3 4\nILSVRC2012_val_00000003,n03126707 1 1 1 1\nILSVRC2012_val_00000002,n01440764 1 1 1 1\n';
  text(join(kaggle, 'LOC_val_solution.csv'), csv);
  assert.equal(await found(kaggle), expected);
  text(join(kaggle, 'LOC_val_solution.csv'), csv.replace(/ILSVRC2012_val_00000003.*\n/, ''));
  assert.match((await failure(listImageNet({ root: kaggle }))).message, /LOC_val_solution\.csv: expected a class for each image of .*val, found none for ILSVRC2012_val_00000003\.JPEG/);
  text(join(kaggle, 'LOC_val_solution.csv'), csv.replace('00000003', '00000001'));
  assert.match((await failure(listImageNet({ root: kaggle }))).message, /csv:4: expected each image once, found ILSVRC2012_val_00000001 again/);

  const root = await flat();
  const lines = ['n02012849', 'n01440764', 'n03126707', ...new Array<string>(49_997).fill('n01440764')];
  const list = join(root, 'imagenet_2012_validation_synset_labels.txt');
  text(list, `${lines.join('\n')}\n`);
  assert.equal(await found(root), expected);
  text(list, lines.slice(1).join('\n'));
  assert.match((await failure(listImageNet({ root }))).message, /labels\.txt: expected 50000 lines, one for each image, found 49999/);
  text(list, lines.map((_, line) => line % 1000).join('\n'));
  assert.match((await failure(listImageNet({ root }))).message, /labels\.txt:1: expected a WordNet id, such as n01440764, found "0"/);
  text(list, lines.join('\n').replace('n03126707', 'n01440764'));
  assert.match((await failure(listImageNet({ root }))).message, /val: expected images of n03126707, found none/);
});

test('ImageNet: damage', async () => {
  const root = await imageNet();
  assert.match((await failure(listImageNet({ root, names: { n02012849: 'crane', n03126707: 'crane' } }), 'config')).message, /found "crane" twice/);
  assert.match((await failure(listImageNet({ root, classes: ['n00000001'] }))).message, /expected the class n00000001/);
  rmSync(join(root, 'val/n03126707'), { recursive: true });
  assert.match((await failure(listImageNet({ root }))).message, /val.n03126707: expected images, found none/);
  rmSync(join(root, 'val'), { recursive: true });
  assert.match((await failure(listImageNet({ root }))).message, /expected folders train and val, found train/);
  await image(join(root, 'val/ILSVRC2012_val_00000001.JPEG'));
  assert.match((await failure(listImageNet({ root }))).message, /expected a folder for each class, or a list of the classes, found 1 images directly in it and no list/);
  const named = scratch.folder();
  mkdirSync(join(named, 'val'));
  await image(join(named, 'train/tench/1.jpg'));
  assert.match((await failure(listImageNet({ root: named }))).message, /expected folders named by WordNet id, such as n01440764, found tench/);
});

test('bytewise order is that of UTF-8, also beside surrogates', () => {
  const names = ['b', 'B', '\u{1f600}', '\uffee', 'é', 'a10', 'a9'];
  assert.equal([...names].sort(bytewise), [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
});

test.run();
