import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { birdSplits } from '../../lib/data/birds-dataset.js';
import { dropGroups, groupCounts, MemoryDataset, subset } from '../../lib/data/memory.js';

/** Six images of 2x2 pixels; image i is filled with the value i. */
function tiny(): MemoryDataset {
  return new MemoryDataset({
    name: 'tiny',
    classes: ['cat', 'dog'],
    attributes: ['sofa', 'grass'],
    imageSize: 2,
    labels: Int32Array.of(0, 0, 0, 1, 1, 1),
    attributeOf: Int32Array.of(0, 0, 1, 1, 1, 0),
    pixels: Uint8Array.from({ length: 6 * 12 }, (_, byte) => Math.floor(byte / 12)),
  });
}

test('reads records in the order asked for', async () => {
  const batch = await tiny().read([4, 1]);
  assert.is(batch.length, 24);
  assert.equal([batch[0], batch[11], batch[12], batch[23]], [4, 4, 1, 1]);
});

test('counts groups and drops them by name or number', async () => {
  const set = tiny();
  assert.equal([...groupCounts(set)], [2, 1, 1, 2]);
  const kept = dropGroups(set, ['cat/grass', 2]);
  assert.equal([...groupCounts(kept)], [2, 0, 0, 2]);
  assert.is(kept.length, 4);
  assert.equal([...(await kept.read([2]))], new Array(12).fill(3));
  const again = subset(kept, [3, 0]);
  assert.equal([...again.labels], [1, 0]);
  assert.is((await again.read([0]))[0], 4);
});

test('refuses groups that do not exist and sets that would lose a class', () => {
  assert.throws(() => dropGroups(tiny(), ['cat/moon']), (error: any) => error.code === 'config' && /cat\/moon/.test(error.message) && /cat\/sofa, cat\/grass/.test(error.hint));
  assert.throws(() => dropGroups(tiny(), [4]), (error: any) => error.code === 'config');
  assert.throws(() => dropGroups(tiny(), ['cat/sofa', 'cat/grass']), (error: any) => error.code === 'data' && /no image of class cat/.test(error.message));
});

test('refuses inconsistent content and indices outside the set', async () => {
  const set = tiny();
  assert.throws(() => new MemoryDataset({ ...set, name: 'short', pixels: set.pixels.subarray(1) }), /expected 6 attributes and 72 bytes of pixels for 6 labels, found 6 and 71/);
  assert.throws(() => new MemoryDataset({ ...set, name: 'labels', labels: Int32Array.of(0, 0, 0, 1, 1, 2), pixels: set.pixels }), /label at position 5: expected an integer in 0\.\.1, found 2/);
  for (const index of [6, -1, 0.5]) {
    await set.read([index]).then(() => assert.unreachable(), (error) => assert.is(error.code, 'data'));
    assert.throws(() => subset(set, [index]));
  }
});

test('birds: majority groups alone in train, four in test, a rare minority in broad', async () => {
  const { train, validation, test: balanced, broad } = birdSplits({ sizes: { train: 10, validation: 4, test: 12, broad: 100 }, seed: 2 });
  assert.equal([...groupCounts(train)], [5, 0, 0, 5]);
  assert.equal([...groupCounts(validation)], [2, 0, 0, 2]);
  assert.equal([...groupCounts(balanced)], [3, 3, 3, 3]);
  assert.equal([...groupCounts(broad)], [48, 2, 2, 48]);
  const first = await train.read([0]);
  assert.is(first.length, 32 * 32 * 3);
  assert.equal(first, (await train.read([3, 0])).subarray(first.length));
  assert.not.equal(first, await validation.read([0]), 'splits share no picture');
  assert.equal(first, await birdSplits({ seed: 2 }).train.read([0]), 'the first pictures do not depend on the sizes');
  assert.throws(() => birdSplits({ sizes: { train: 0 } }), /size of train: expected an integer of at least 2, found 0/);
});

test.run();
