/** The evaluation transforms against Pillow, which torchvision uses: the same pixels. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { decodeSquare, transforms, type Transform } from '../../lib/data/transform.js';
import { resample } from '../../lib/native/resample.js';

interface Case {
  name: string;
  source: [number, number];
  size: number;
  transform: Transform;
  expected: [number, number];
}

const goldens = new URL('goldens/', import.meta.url);
const cases: Case[] = JSON.parse(readFileSync(new URL('transforms.json', goldens), 'utf8'));
const blob = readFileSync(new URL('transforms.bin', goldens));

/** Every third pixel along both axes, as the golden file has them. */
function thinned(pixels: Uint8Array, size: number): Uint8Array {
  const places = Array.from({ length: Math.ceil(size / 3) }, (_, i) => 3 * i);
  return Uint8Array.from(places.flatMap((y) => places.flatMap((x) => [...pixels.subarray((y * size + x) * 3, (y * size + x) * 3 + 3)])));
}

test('pixels are those of Pillow, whether the image becomes smaller or larger', async () => {
  const wrong: string[] = [];
  for (const { name, source, size, transform, expected } of cases) {
    const found = thinned(await decodeSquare(blob.subarray(...source), size, transform), size);
    const wanted = blob.subarray(...expected);
    assert.is(found.length, wanted.length, name);
    const different = found.filter((value, i) => value !== wanted[i]).length;
    if (different > 0) wrong.push(`${name}: ${different} of ${found.length} differ`);
  }
  assert.equal(wrong, []);
});

/** Waves with grain, as a JPEG that is lying on its side. */
async function largeJpeg(width: number, height: number, quality: number): Promise<Buffer> {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
    return 128 + 60 * Math.sin(x / 60 + (i % 3)) + 40 * Math.cos(y / 45) + ((i * 7919) % 8);
  });
  return sharp(pixels, { raw: { width, height, channels: 3 } }).jpeg({ quality }).withMetadata({ orientation: 6 }).toBuffer();
}

test('a large JPEG is decoded at a reduced size and comes close to what it is when it is decoded whole', async () => {
  const jpeg = await largeJpeg(1024, 768, 100);
  assert.ok(jpeg.length > 2 ** 17, 'a large one');
  const whole = await sharp(jpeg).autoOrient().png({ compressionLevel: 1 }).toBuffer();
  for (const transform of [transforms.cover, transforms.stretch, transforms.imagenet]) {
    const [reduced, exact] = [await decodeSquare(jpeg, 96, transform), await decodeSquare(whole, 96, transform)];
    const differences = reduced.map((value, i) => Math.abs(value - exact[i]!));
    const mean = differences.reduce((sum, value) => sum + value, 0) / reduced.length;
    assert.ok(mean > 0 && mean < 0.6, `mean difference ${mean}, and 0 would be one that was not reduced`);
  }
});

test('a small JPEG is decoded whole, also lying on its side or with a crop first', async () => {
  const jpeg = await largeJpeg(403, 300, 60);
  const whole = await sharp(jpeg).autoOrient().png().toBuffer();
  for (const transform of [transforms.cover, transforms.celeba]) assert.equal(await decodeSquare(jpeg, 96, transform), await decodeSquare(whole, 96, transform));
});

test('a picture that already has its size is not touched', async () => {
  const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256);
  const png = await sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } }).png().toBuffer();
  assert.equal(await decodeSquare(png, 64, transforms.cover), pixels);
});

test('a large PNG, and a large WebP with transparency, are resized as small ones are', async () => {
  let state = 1;
  const pixels = Uint8Array.from({ length: 512 * 400 * 4 }, (_, i) => (i % 4 === 3 ? 1 : (state = (state * 48271) % 2147483647) >> 8));
  const image = sharp(pixels, { raw: { width: 512, height: 400, channels: 4 } });
  const [png, webp] = [await image.png().toBuffer(), await image.webp({ lossless: true }).toBuffer()];
  assert.ok(png.length > 2 ** 17 && webp.length > 2 ** 17, 'large ones');
  const expected = await resample(pixels.filter((_, i) => i % 4 !== 3), { down: { length: 400, start: 0, from: 400, to: 64, first: 0, count: 64 }, across: { length: 512, start: 0, from: 512, to: 81, first: 8, count: 64 }, kernel: 'lanczos' });
  assert.equal(await decodeSquare(png, 64, transforms.cover), expected);
  assert.equal(await decodeSquare(webp, 64, transforms.cover), expected);
});

test('a crop is made of an image that already has the size of the result too, and of a large JPEG', async () => {
  const jpeg = await largeJpeg(1024, 768, 100);
  for (const [image, size] of [[await sharp(jpeg).autoOrient().extract({ left: 100, top: 100, width: 200, height: 200 }).png().toBuffer(), 200], [jpeg, 48]] as const) {
    const { width, height } = (await sharp(image).metadata()).autoOrient;
    const part = await sharp(image).autoOrient().extract({ left: width / 2 - 89, top: height / 2 - 89, width: 178, height: 178 }).png().toBuffer();
    assert.equal(await decodeSquare(image, size, transforms.celeba), await decodeSquare(part, size, { ...transforms.cover, kernel: 'bilinear' }));
  }
});

test('transparency is dropped, and colours are those below it', async () => {
  const pixels = Uint8Array.from({ length: 40 * 40 * 4 }, (_, i) => (i * 7919) % 256);
  const [image, opaque] = await Promise.all([pixels, pixels.map((value, i) => (i % 4 === 3 ? 255 : value))].map((data) => sharp(data, { raw: { width: 40, height: 40, channels: 4 } }).png().toBuffer()));
  assert.equal(await decodeSquare(image!, 24, transforms.cover), await decodeSquare(opaque!, 24, transforms.cover));
});

test('an image that is smaller than the crop is refused', async () => {
  const png = await sharp({ create: { width: 200, height: 100, channels: 3, background: 'red' } }).png().toBuffer();
  const error = await decodeSquare(png, 64, transforms.celeba).then(() => undefined, (thrown: Error) => thrown);
  assert.is(error?.message, '200 x 100 pixels, too small for a crop of 178');
});

test('resampling takes pixels that have their memory for themselves, leaves others, and refuses parts that are not within them', async () => {
  const axis = { length: 8, start: 0, from: 8, to: 4, first: 0, count: 4 };
  const pixels = new Uint8Array(8 * 8 * 3).fill(7);
  assert.equal(await resample(pixels, { down: axis, across: axis, kernel: 'bilinear' }), new Uint8Array(4 * 4 * 3).fill(7));
  assert.is(pixels.length, 0);
  const other = new Uint8Array(8 * 8 * 3);
  for (const wrong of [{ ...axis, start: 1 }, { ...axis, first: 1 }, { ...axis, count: 0 }, { ...axis, from: 0 }]) {
    assert.throws(() => resample(other, { down: wrong, across: axis, kernel: 'bilinear' }), /down does not lie within the image/);
    assert.throws(() => resample(other, { down: axis, across: wrong, kernel: 'bilinear' }), /across does not lie within the image/);
  }
  assert.throws(() => resample(new Uint8Array(9), { down: axis, across: axis, kernel: 'bilinear' }), /not those of an image of this size/);
  const shared = new Uint8Array(3 + 8 * 8 * 3).fill(7);
  assert.equal(await resample(shared.subarray(3), { down: axis, across: axis, kernel: 'bilinear' }), new Uint8Array(4 * 4 * 3).fill(7));
  assert.is(shared.length, 3 + 8 * 8 * 3);
  assert.throws(() => resample(other, { down: axis, across: axis, kernel: 'nearest' as 'bilinear' }), /no such kernel/);
});

test.run();
