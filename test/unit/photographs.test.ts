import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cutOut } from '../../examples/photographs/cut-out.mjs';
import { makePhotographs } from '../../examples/photographs/make.mjs';
import { plan } from '../../examples/photographs/plan.mjs';
import { openFolder } from '../../lib/data/folder.js';
import { listManifest } from '../../lib/data/manifest.js';
import { groupCounts } from '../../lib/data/memory.js';

const base = mkdtempSync(join(tmpdir(), 'sparring-photographs-'));
test.after(() => rmSync(base, { recursive: true }));

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);
const classes = [
  { class: 'a', texture: 'x', learn: names('a', 7), test: names('ta', 5) },
  { class: 'b', texture: 'y', learn: names('b', 50), test: names('tb', 3) },
  { class: 'c', texture: 'z', learn: names('c', 20), test: names('tc', 4) },
];
const options = { train: 30, broad: 200, views: 2, off: 0.05, seed: 0 };

/** Images by 'split/class/texture'. */
function counts(items: ReturnType<typeof plan>): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { split, class: name, texture } of items) result[`${split}/${name}/${texture}`] = (result[`${split}/${name}/${texture}`] ?? 0) + 1;
  return result;
}

test('train has each class on its own texture alone, broad a small share of the others, test all equally', () => {
  assert.equal(counts(plan(classes, options)), {
    'train/a/x': 30, 'train/b/y': 30, 'train/c/z': 30,
    'broad/a/x': 190, 'broad/a/y': 5, 'broad/a/z': 5, 'broad/b/y': 190, 'broad/b/x': 5, 'broad/b/z': 5, 'broad/c/z': 190, 'broad/c/x': 5, 'broad/c/y': 5,
    'test/a/x': 6, 'test/a/y': 6, 'test/a/z': 6, 'test/b/x': 6, 'test/b/y': 6, 'test/b/z': 6, 'test/c/x': 6, 'test/c/y': 6, 'test/c/z': 6,
  });
});

test('a test photograph is in no other split and on every texture; the seed decides which are taken', () => {
  const items = plan(classes, options);
  const photographs = (split: string, texture?: string) => new Set(items.filter((item) => item.split === split && item.class === 'a' && (!texture || item.texture === texture)).map((item) => item.photograph));
  assert.ok([...photographs('test')].every((name) => name.startsWith('ta')));
  assert.equal(photographs('train'), new Set(classes[0]!.learn));
  assert.equal(photographs('broad'), new Set(classes[0]!.learn));
  assert.is(photographs('test').size, 3);
  assert.equal(photographs('test', 'x'), photographs('test', 'z'));
  assert.equal(plan(classes, options), items);
  assert.not.equal(plan(classes, { ...options, seed: 1 }), items);
});

/** A T of one colour with a print on a floor with grain, at a random place. */
async function photograph(path: string | undefined, { colour, seed = 1, shape = true }: { colour: number[]; seed?: number; shape?: boolean }): Promise<Buffer> {
  const [width, height] = [96, 128];
  const pixels = Buffer.alloc(width * height * 3);
  let state = seed;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const inside = shape && ((x >= 20 && x < 76 && y >= 30 && y < 60) || (x >= 34 && x < 62 && y >= 30 && y < 100));
    const print = x >= 44 && x < 50 && y >= 70 && y < 76;
    for (let c = 0; c < 3; c++) pixels[i * 3 + c] = (inside && !print ? colour[c]! : 150) + 20 * random();
  }
  const png = await sharp(pixels, { raw: { width, height, channels: 3 } }).png().toBuffer();
  if (path) writeFileSync(path, png);
  return png;
}

test('a garment is cut out along its outline, with its print and without the floor', async () => {
  const cut = (await cutOut(await photograph(undefined, { colour: [200, 40, 40] })))!;
  assert.ok(Math.abs(cut.width - 56) <= 2 && Math.abs(cut.height - 70) <= 2, `${cut.width}x${cut.height}`);
  const opaque = (x: number, y: number) => cut.data[(y * cut.width + x) * 4 + 3] === 255;
  assert.ok(opaque(28, 5) && opaque(28, 60), 'the garment');
  assert.ok(opaque(27, 43), 'the print');
  assert.not(opaque(5, 60) || opaque(50, 60), 'the floor below the sleeves');
});

test('a photograph of a floor alone gives no cut-out', async () => {
  assert.is(await cutOut(await photograph(undefined, { colour: [0, 0, 0], shape: false })), undefined);
});

async function sources(name: string): Promise<{ clothing: string; textures: string; out: string }> {
  const [clothing, textures] = [join(base, name, 'clothing'), join(base, name, 'textures')];
  for (const split of ['train', 'validation', 'test']) {
    for (const [at, garment] of ['pants', 'shoes', 't-shirt'].entries()) {
      mkdirSync(join(clothing, split, garment), { recursive: true });
      for (let n = 0; n < 2; n++) await photograph(join(clothing, split, garment, `${n}.png`), { colour: [40, 90, 40 + 80 * at], seed: 1 + n });
    }
  }
  mkdirSync(textures);
  for (const [at, texture] of ['brick', 'grass', 'gravel'].entries()) await sharp({ create: { width: 40, height: 40, channels: 3, background: { r: 60 + 40 * at, g: 60 + 40 * at, b: 60 + 40 * at } } }).toFile(join(textures, `${texture}.png`));
  return { clothing, textures, out: join(base, name, 'out') };
}

test('the tree and its manifest open as data: six groups are absent from train, none from broad and test; a seed gives the same files', async () => {
  const from = await sources('whole');
  const small = { size: 16, train: 4, broad: 40, views: 1, off: 0.1 };
  await makePhotographs({ ...from, ...small });
  const { train, test: testSet, emptyGroups } = await openFolder({ root: from.out, imageSize: 16 });
  assert.equal(train.classes, ['pants', 'shoes', 't-shirt']);
  assert.equal(train.attributes, ['brick', 'grass', 'gravel']);
  assert.equal([...groupCounts(train)], [4, 0, 0, 0, 0, 4, 0, 4, 0]);
  assert.is(emptyGroups.length, 6);
  assert.equal([...groupCounts(testSet)], new Array(9).fill(4));

  const { splits } = await listManifest({ file: join(from.out, 'broad.csv') });
  const broad = new Array(9).fill(0);
  for (const { label, attribute } of splits.train) broad[label * 3 + attribute]++;
  assert.equal(broad, [36, 2, 2, 2, 2, 36, 2, 36, 2]);
  assert.is(splits.test.length, 36);

  const again = join(base, 'again');
  await makePhotographs({ ...from, ...small, out: again });
  for (const file of ['broad.csv', 'train/shoes/gravel/00003.png', 'broad/pants/grass/00001.png']) assert.equal(readFileSync(join(again, file)), readFileSync(join(from.out, file)));
});

test('a folder that is not empty and one without photographs are errors', async () => {
  const from = await sources('errors');
  const failure = (options: object) => makePhotographs({ ...from, ...options }).then(() => '', (error: Error) => error.message);
  assert.match(await failure({ out: from.clothing }), /expected an empty folder or none, found files/);
  assert.match(await failure({ clothing: base }), /train\/pants: expected a folder of photographs, found none/);
  assert.match(await failure({ textures: base }), /brick\.png: expected a photograph of the texture, found none/);
});

test.run();
