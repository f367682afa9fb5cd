/** The nearest training images, among images whose distances are known. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { MemoryDataset } from '../../lib/data/memory.js';
import { nearestImages } from '../../lib/methods/nearest-images.js';

/** Images of one colour each. */
const plain = (imageSize: number, levels: readonly number[]): Uint8Array => Uint8Array.from({ length: levels.length * imageSize ** 2 * 3 }, (_, i) => levels[Math.floor(i / (imageSize ** 2 * 3))]);
const dataset = (imageSize: number, pixels: Uint8Array): MemoryDataset => {
  const count = pixels.length / (imageSize ** 2 * 3);
  return new MemoryDataset({ name: 'plain', classes: ['a'], attributes: ['x'], imageSize, labels: new Int32Array(count), attributeOf: new Int32Array(count), pixels });
};

test('the nearest by root mean square, in levels', async () => {
  const train = dataset(4, plain(4, [0, 100, 200, 90]));
  assert.equal(await nearestImages(plain(4, [97, 255, 3]), train), [{ record: 1, distance: 3 }, { record: 2, distance: 55 }, { record: 0, distance: 3 }]);
});

test('large images are compared by averages: a chequerboard is as grey as a grey image', async () => {
  const chequered = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => ((Math.floor(i / 3) + Math.floor(i / (64 * 3))) % 2) * 200);
  const train = dataset(64, Uint8Array.from([...plain(64, [120]), ...chequered]));
  assert.equal(await nearestImages(plain(64, [101]), train), [{ record: 1, distance: 1 }]);
  const small = dataset(32, Uint8Array.from([...plain(32, [120]), ...chequered.subarray(0, 32 * 32 * 3)]));
  assert.is((await nearestImages(plain(32, [101]), small))[0].record, 0, 'but not at 32 px');
});

test('of many images some are searched, in whatever order kinds of images take turns', async () => {
  const levels = [0, 80, 160, 240];
  const train = dataset(1, plain(1, Array.from({ length: 20_000 }, (_, i) => levels[i % 4])));
  for (const [i, { distance }] of (await nearestImages(plain(1, levels), train)).entries()) assert.is(distance, 0, `level ${levels[i]}`);
});

test.run();
