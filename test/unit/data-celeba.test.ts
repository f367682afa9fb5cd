import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openData } from '../../lib/data/open.js';
import { listCelebA } from '../../lib/data/celeba.js';
import { countGroups } from '../../lib/data/records.js';
import { resolveConfig } from '../../lib/config/load.js';
import { failure, image, Scratch, text, webPage } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

/** Name, Blond_Hair, Male, Young, split: out of order, as no list promises one. */
const people: [string, number, number, number, number][] = [
  ['000002.jpg', -1, 1, 1, 0],
  ['000001.jpg', -1, -1, 1, 0],
  ['000003.jpg', 1, -1, -1, 0],
  ['000004.jpg', 1, 1, -1, 0],
  ['000005.jpg', 1, -1, -1, 1],
  ['000006.jpg', -1, 1, -1, 2],
  ['000007.jpg', 1, 1, 1, 2],
];

async function images(root: string, folder = 'img_align_celeba'): Promise<void> {
  for (const [name] of people) await image(join(root, folder, name), { width: 178, height: 218, grey: 10 * Number(name.slice(5, 6)) });
}

/** The lists as the authors distribute them: with runs of spaces, and the values of 40 attributes cut to three. */
async function textTree(): Promise<string> {
  const root = scratch.folder();
  await images(root);
  text(join(root, 'list_attr_celeba.txt'), `${people.length}\nMale Blond_Hair Young \n${people.map(([name, blond, male, young]) => `${name} ${String(male).padStart(2)}  ${String(blond).padStart(2)} ${young}`).join('\n')}\n`);
  text(join(root, 'list_eval_partition.txt'), people.map(([name, , , , split]) => `${name} ${split}\n`).join(''));
  return root;
}

async function csvTree(): Promise<string> {
  const root = scratch.folder();
  await images(root, 'img_align_celeba/img_align_celeba');
  text(join(root, 'list_attr_celeba.csv'), `image_id,Male,Blond_Hair,Young\r\n${people.map(([name, blond, male, young]) => `${name},${male},${blond},${young}\r\n`).join('')}`);
  text(join(root, 'list_eval_partition.csv'), `image_id,partition\r\n${people.map(([name, , , , split]) => `${name},${split}\r\n`).join('')}`);
  return root;
}

async function metadataTree(): Promise<string> {
  const root = scratch.folder();
  await images(root);
  text(join(root, 'metadata.csv'), `,img_filename,y,split,place\n${people.map(([name, blond, male, , split], row) => `${row},${name},${Math.max(0, blond)},${split},${Math.max(0, male)}\n`).join('')}`);
  return root;
}

test('txt, csv as Kaggle nests it, and metadata.csv are the same dataset', async () => {
  for (const root of [await textTree(), await csvTree(), await metadataTree()]) {
    const listing = await listCelebA({ root });
    assert.equal([listing.classes, listing.attributes], [['non-blond', 'blond'], ['female', 'male']]);
    assert.equal(countGroups(listing.splits.train, listing), [1, 1, 1, 1]);
    assert.equal(countGroups(listing.splits.validation!, listing), [0, 0, 1, 0]);
    assert.equal(countGroups(listing.splits.test, listing), [0, 1, 0, 1]);
    assert.equal(listing.splits.train.map(({ path }) => basename(path)), ['000001.jpg', '000002.jpg', '000003.jpg', '000004.jpg']);
    assert.equal(listing.published!.test, [9767, 7535, 2480, 180]);
  }
});

test('metadata.csv with the columns of the attributes, as JTT has it', async () => {
  const root = scratch.folder();
  await images(root);
  text(join(root, 'metadata.csv'), `image_id,split,Blond_Hair,Male\n${people.map(([name, blond, male, , split]) => `${name},${split},${blond},${male}\n`).join('')}`);
  const listing = await listCelebA({ root });
  assert.equal(countGroups(listing.splits.train, listing), [1, 1, 1, 1]);
  assert.match((await failure(listCelebA({ root, target: 'Young' }))).message, /expected a column Young/);
});

test('other attributes are found by name, and have no published counts', async () => {
  const listing = await listCelebA({ root: await textTree(), target: 'Young', attribute: 'Blond_Hair' });
  assert.equal(listing.classes, ['non-young', 'young']);
  assert.equal(countGroups(listing.splits.train, listing), [0, 2, 2, 0]);
  assert.is(listing.published, undefined);
  const error = await failure(listCelebA({ root: await textTree(), target: 'blond_hair' }));
  assert.match(error.message, /expected a column blond_hair, found Male, Blond_Hair, Young/);
  assert.match(error.hint!, /with capitals/);
});

test('opened: cropped to 178 pixels, dropped groups, a warning that the counts are not those of the paper', async () => {
  const { data } = resolveConfig({ data: { kind: 'celeba', root: await textTree(), imageSize: 16, dropGroups: ['blond/male'] } });
  const splits = await openData(data);
  assert.is(splits.train.length, 3);
  assert.is(splits.test.length, 2);
  const pixels = await splits.train.read([2]);
  assert.ok(Math.abs(pixels[0]! - 30) <= 2, `grey of 000003.jpg: ${pixels[0]}`);
  assert.match(splits.warnings!.join('\n'), /train: other numbers of images than published: non-blond\/female 1 instead of 71629, .*blond\/male 1 instead of 1387/);
  await image(join(data.kind === 'celeba' ? data.root : '', 'img_align_celeba/000001.jpg'), { width: 100, height: 218 });
  assert.match((await failure((await openData(data)).train.read([0]))).message, /000001\.jpg: .*100 x 218 pixels, too small for a crop of 178/);
});

test('each kind of damage has an error of its own', async () => {
  const broken = async (change: (root: string) => unknown, expected: RegExp, hint?: RegExp): Promise<void> => {
    const root = await textTree();
    const given = await change(root);
    const error = await failure(listCelebA({ root: typeof given === 'string' ? given : root }));
    assert.match(error.message, expected);
    if (hint) assert.match(error.hint!, hint);
  };
  const edit = (root: string, name: string, from: string | RegExp, to: string) => text(join(root, name), readFileSync(join(root, name), 'utf8').replace(from, to)) && undefined;
  const [attributes, partition] = ['list_attr_celeba.txt', 'list_eval_partition.txt'];
  await broken((root) => join(root, 'nowhere'), /nowhere: expected list_attr_celeba.txt, .*found nothing at this path/);
  await broken((root) => edit(root, attributes, '000003.jpg -1', '000003.jpg  0'), /list_attr_celeba\.txt:5: expected -1 or 1, found "0"/);
  await broken((root) => edit(root, attributes, /^7/, '9'), /expected 9 images, as its first line says, found 7/, /cut short/);
  await broken((root) => edit(root, attributes, '000003.jpg -1', '000003.jpg'), /:5: expected 3 values, found 2/);
  await broken((root) => edit(root, partition, '000004.jpg 0\n', ''), /expected a split for 000004\.jpg, found none/);
  await broken((root) => edit(root, partition, '000004.jpg 0', '000004.jpg 3'), /partition\.txt:4: expected split 0, 1 or 2, found "3"/);
  await broken((root) => edit(root, partition, / [2]/g, ' 1'), /expected images of every split, found none of split 2/);
  await broken((root) => rmSync(join(root, partition)), /list_eval_partition\.txt: expected the list of splits, found no such file/);
  await broken((root) => rmSync(join(root, 'img_align_celeba/000002.jpg')), /expected the 7 images that it lists, found 1 of them missing: .*000002\.jpg/);
  await broken((root) => text(join(root, attributes), webPage) && undefined, /list_attr_celeba\.txt: expected a text file, found a web page/, /quota/);
  await broken((root) => text(join(root, partition), '') && undefined, /partition\.txt: expected lines of text, found an empty file/);
  await broken((root) => (rmSync(join(root, 'img_align_celeba'), { recursive: true }), text(join(root, 'img_align_celeba.zip'), webPage), undefined), /img_align_celeba\.zip: expected an archive, found a web page/);
  await broken((root) => (rmSync(join(root, 'img_align_celeba'), { recursive: true }), text(join(root, 'img_align_celeba.zip'), 'PK\x03\x04'), undefined), /expected a folder img_align_celeba, found the archive img_align_celeba\.zip, not unpacked/);
  await broken((root) => {
    const outer = scratch.folder();
    mkdirSync(join(outer, 'other'));
    renameSync(root, join(outer, 'celeba'));
    return outer;
  }, /found that one level below, in celeba/, /Set data\.root to .*celeba\./);
});

test.run();
