/** The evaluation transforms against Pillow, which torchvision uses: the same sizes, crops and sampling places. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { decodeSquare, transforms, type Transform } from '../../lib/data/transform.js';

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

test('pixels equal those of Pillow up to rounding, whether the image becomes smaller or larger', async () => {
  const wrong: string[] = [];
  for (const { name, source, size, transform, expected } of cases) {
    const found = thinned(await decodeSquare(blob.subarray(...source), size, transform), size);
    const wanted = blob.subarray(...expected);
    assert.is(found.length, wanted.length, name);
    const differences = found.map((value, i) => Math.abs(value - wanted[i]!));
    const mean = differences.reduce((sum, value) => sum + value, 0) / found.length;
    // A crop that is off by one pixel, or a shift by half of one, gives means of 2 and more.
    if (mean > 0.5 || Math.max(...differences) > 6) wrong.push(`${name}: mean ${mean.toFixed(3)}, largest ${Math.max(...differences)}`);
  }
  assert.equal(wrong, []);
});

test('a picture that already has its size is not touched', async () => {
  const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 256);
  const png = await sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } }).png().toBuffer();
  assert.equal(await decodeSquare(png, 64, transforms.cover), pixels);
});

test.run();
