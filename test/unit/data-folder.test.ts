import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ImageCache } from '../../lib/data/decode.js';
import { findUnreadableImages, openFolder } from '../../lib/data/folder.js';
import { groupCounts } from '../../lib/data/memory.js';

const base = mkdtempSync(join(tmpdir(), 'sparring-folder-'));
test.after(() => rmSync(base, { recursive: true }));
let trees = 0;

type Colour = { r: number; g: number; b: number };

async function image(path: string, background: Colour = { r: 10, g: 200, b: 30 }, width = 40, height = 30): Promise<string> {
  mkdirSync(dirname(path), { recursive: true });
  await sharp({ create: { width, height, channels: 3, background } }).toFile(path);
  return path;
}

/** A tree with one PNG at each of the given places, e.g. 'train/cat/sofa/1'. */
async function tree(...places: string[]): Promise<string> {
  const root = join(base, `tree${trees++}`);
  mkdirSync(root);
  for (const place of places) await image(join(root, `${place}.png`));
  return root;
}

async function failure(promise: Promise<unknown>, code = 'data'): Promise<Error & { hint?: string }> {
  const error: any = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error, 'expected a failure');
  assert.is(error.code, code, error.stack);
  return error;
}

const complete = ['train/cat/sofa/1', 'train/cat/sofa/2', 'train/cat/grass/1', 'train/dog/grass/1', 'val/cat/sofa/1', 'val/dog/grass/1', 'test/cat/grass/1', 'test/cat/sofa/1', 'test/dog/grass/1', 'test/dog/sofa/1'];

test('classes, attributes and groups of a tree; absent groups are reported', async () => {
  const root = await tree(...complete);
  writeFileSync(join(root, 'train', 'LICENSE'), 'text');
  writeFileSync(join(root, 'train/cat/sofa/.DS_Store'), 'x');
  writeFileSync(join(root, 'train/cat/sofa/notes.txt'), 'x');
  const { train, validation, test: testSet, emptyGroups } = await openFolder({ root, imageSize: 8 });
  assert.equal(train.classes, ['cat', 'dog']);
  assert.equal(train.attributes, ['grass', 'sofa']);
  assert.equal([...groupCounts(train)], [1, 2, 1, 0]);
  assert.equal([...groupCounts(validation!)], [0, 1, 1, 0]);
  assert.equal([...groupCounts(testSet)], [1, 1, 1, 1]);
  assert.equal(emptyGroups, ['train: dog/sofa', 'validation: cat/grass', 'validation: dog/sofa']);
});

test('groups are dropped from train and validation only', async () => {
  const root = await tree(...complete);
  const splits = await openFolder({ root, imageSize: 8, dropGroups: ['cat/grass'] });
  assert.equal([...groupCounts(splits.train)], [0, 2, 1, 0]);
  assert.is(splits.test.length, 4);
  await failure(openFolder({ root, imageSize: 8, dropGroups: ['cat/moon'] }), 'config');
  assert.match((await failure(openFolder({ root, imageSize: 8, dropGroups: ['dog/grass'] }))).message, /leaves no image of class dog/);
});

test('images in formats that are not read are counted, whatever the case of their extension', async () => {
  const root = await tree(...complete);
  for (const name of ['1.bmp', '2.BMP', '3.tif', 'notes.txt']) writeFileSync(join(root, 'train/cat/sofa', name), 'x');
  writeFileSync(join(root, 'test/cat/4.bmp'), 'x');
  const { warnings, train } = await openFolder({ root, imageSize: 8 });
  assert.is(train.length, 4);
  assert.equal(warnings.slice(0, 2), ['found 3 .bmp files, which are not read; convert them to PNG or JPEG', 'found 1 .tif file, which is not read; convert it to PNG or JPEG']);
  const alone = await tree('train/cat/1', 'test/cat/1');
  mkdirSync(join(alone, 'train/dog'));
  writeFileSync(join(alone, 'train/dog/1.ppm'), 'x');
  assert.match((await failure(openFolder({ root: alone, imageSize: 8 }))).hint!, /found 1 \.ppm file, which is not read/);
});

test('a folder one level too low says which to give', async () => {
  const root = await tree(...complete);
  const { message, hint } = await failure(openFolder({ root: join(root, 'val'), imageSize: 8 }));
  assert.match(message, /val: expected folders train and test, found that one level above/);
  assert.is(hint, `Set data.root to ${root}.`);
});

test('without attribute folders every image is of attribute "all"; validation may be missing or named so', async () => {
  const root = await tree('train/cat/1', 'train/dog/1', 'test/cat/1', 'test/dog/1');
  const splits = await openFolder({ root, imageSize: 8 });
  assert.equal(splits.train.attributes, ['all']);
  assert.is(splits.validation, undefined);
  await image(join(root, 'validation/cat/1.png'));
  assert.is((await openFolder({ root, imageSize: 8 })).validation!.length, 1);
  await image(join(root, 'val/cat/1.png'));
  assert.match((await failure(openFolder({ root, imageSize: 8 }))).message, /found val and validation/);
});

test('layouts that do not fit are refused with the place', async () => {
  assert.match((await failure(openFolder({ root: join(base, 'nowhere'), imageSize: 8 }))).message, /nowhere: expected folders train and test, found nothing at this path/);
  assert.match((await failure(openFolder({ root: await tree('train/cat/1'), imageSize: 8 }))).message, /expected a folder test/);
  const missing = await tree('train/cat/a/1', 'test/cat/a/1', 'test/dog/a/1');
  assert.match((await failure(openFolder({ root: missing, imageSize: 8 }))).message, /train.dog: expected images of class dog/);
  const empty = await tree('train/cat/a/1', 'test/cat/a/1');
  mkdirSync(join(empty, 'train/dog/a'), { recursive: true });
  assert.match((await failure(openFolder({ root: empty, imageSize: 8 }))).message, /expected images of class dog/);
  const mixed = await tree('train/cat/1', 'train/dog/a/1', 'test/cat/1');
  assert.match((await failure(openFolder({ root: mixed, imageSize: 8 }))).message, /both in class folders and in folders below/);
  const noTest = await tree('train/cat/1');
  mkdirSync(join(noTest, 'test'));
  assert.match((await failure(openFolder({ root: noTest, imageSize: 8 }))).message, /test: expected images, found none/);
  const dangling = await tree('train/cat/1', 'test/cat/1');
  symlinkSync(join(base, 'gone.png'), join(dangling, 'train/cat/2.png'));
  assert.match((await failure(openFolder({ root: dangling, imageSize: 8 }), 'io')).message, /2\.png: no such file/);
  await failure(openFolder({ root: await tree(...complete), imageSize: 0 }), 'config');
});

test('decodes JPEG, PNG and WebP, grey, transparent, 16-bit and CMYK to RGB', async () => {
  const root = await tree('test/a/1');
  const folder = join(root, 'train/a');
  await image(join(folder, '1.png'));
  await image(join(folder, '2.webp'));
  await image(join(folder, '3.jpg'));
  const red = sharp({ create: { width: 9, height: 9, channels: 4, background: { r: 10, g: 200, b: 30, alpha: 0.5 } } });
  await red.clone().png().toFile(join(folder, '4.png'));
  await sharp(new Uint8Array(81).fill(77), { raw: { width: 9, height: 9, channels: 1 } }).png().toFile(join(folder, '5.png'));
  await red.clone().removeAlpha().toColourspace('rgb16').png().toFile(join(folder, '6.png'));
  await red.clone().removeAlpha().toColourspace('cmyk').jpeg({ quality: 100 }).toFile(join(folder, '7.jpeg'));
  const { train } = await openFolder({ root, imageSize: 8 });
  const batch = await train.read([0, 1, 2, 3, 4, 5, 6]);
  assert.is(batch.length, 7 * 8 * 8 * 3);
  const centre = (i: number) => [...batch.subarray(i * 192 + 36 * 3, i * 192 + 36 * 3 + 3)];
  for (const i of [0, 1, 2, 3, 5]) centre(i).forEach((value, c) => assert.ok(Math.abs(value - [10, 200, 30][c]!) <= 3, `image ${i}: ${centre(i)}`));
  assert.equal(centre(4), [77, 77, 77]);
  assert.ok(centre(6)[1]! > centre(6)[0]! + 50, `CMYK green: ${centre(6)}`);
});

test('turns by EXIF orientation and crops the centre', async () => {
  const root = await tree('test/a/1');
  const path = join(root, 'train/a/1.jpg');
  mkdirSync(dirname(path), { recursive: true });
  // 30 x 10: red, green, blue thirds from the left; orientation 6 turns it by 90 degrees: red on top.
  const third = (background: Colour) => ({ create: { width: 10, height: 10, channels: 3 as const, background } });
  const strip = await sharp({ create: { width: 30, height: 10, channels: 3, background: { r: 255, g: 0, b: 0 } } })
    .composite([{ input: third({ r: 0, g: 255, b: 0 }), left: 10, top: 0 }, { input: third({ r: 0, g: 0, b: 255 }), left: 20, top: 0 }])
    .png().toBuffer();
  await sharp(strip).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).withMetadata({ orientation: 6 }).toFile(path);
  const { train } = await openFolder({ root, imageSize: 10 });
  const pixels = await train.read([0]);
  const green = [...pixels.subarray((5 * 10 + 5) * 3, (5 * 10 + 5) * 3 + 3)];
  assert.ok(green[1]! > 240 && green[0]! < 15, `the centre is green: ${green}`);
  assert.ok(pixels[1]! > 200, 'the crop keeps the middle third only');
});

test('a truncated or false image names the file; all of them can be listed', async () => {
  const root = await tree('train/a/1', 'test/a/1');
  const jpeg = await image(join(root, 'train/a/2.jpg'), undefined, 200, 200);
  truncateSync(jpeg, Math.floor(readFileSync(jpeg).length * 0.7));
  const png = join(root, 'train/a/3.png');
  await sharp(Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 7919) % 256)), { raw: { width: 100, height: 100, channels: 3 } }).toFile(png);
  truncateSync(png, Math.floor(readFileSync(png).length / 2));
  writeFileSync(join(root, 'train/a/4.jpg'), '<html>not found</html>');
  writeFileSync(join(root, 'train/a/5.webp'), '');
  const { train } = await openFolder({ root, imageSize: 8 });
  for (const index of [1, 2, 3, 4]) {
    const error = await failure(train.read([0, index]));
    const found = index === 3 ? 'a JPEG, PNG or WebP image, found a web page' : 'a whole JPEG, PNG or WebP image';
    assert.match(error.message, new RegExp(`train.a.${index + 1}\\..*: expected ${found}`));
    assert.not.match(error.message, /\n/);
    assert.match(error.hint!, index === 3 ? /download again/ : /sparring data check/);
  }
  assert.equal((await findUnreadableImages(root)).map(({ path }) => basename(path)), ['2.jpg', '3.png', '4.jpg', '5.webp']);
});

test('the cache keeps the first images up to its bytes', async () => {
  const cache = new ImageCache<string>(20);
  let decoded = 0;
  const get = (key: string) => cache.get(key, async () => (decoded++, new Uint8Array(10)));
  for (const key of ['a', 'b', 'c', 'a', 'b', 'c']) await get(key);
  assert.is(decoded, 4, 'a and b once, c twice');
});

const clothing = process.env.SPARRING_TEST_CLOTHING ?? join(import.meta.dirname, '../../../shared/data/clothing');
if (!existsSync(clothing)) console.log(`skipped: real photographs (no ${clothing})`);
else {
  test('real photographs', async () => {
    const { train, validation, test: testSet, emptyGroups } = await openFolder({ root: clothing, imageSize: 64 });
    assert.is(train.classes.length, 10);
    assert.is(train.length + validation!.length + testSet.length, 3781);
    assert.equal(emptyGroups, []);
    const batch = await train.read(Array.from({ length: 64 }, (_, i) => i * 40));
    const mean = batch.reduce((sum, value) => sum + value) / batch.length;
    assert.ok(mean > 60 && mean < 220, `mean ${mean}`);
  });
}

test.run();
