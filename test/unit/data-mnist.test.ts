import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hsvColour } from '../../lib/data/hsv-colours.js';
import { readIdx, readMnist } from '../../lib/data/idx.js';
import { groupCounts } from '../../lib/data/memory.js';
import { colourDigits, difficulties, spuCoMnistSplits, type Difficulty } from '../../lib/data/spuco-mnist.js';
import { isValidationDigit } from '../../lib/data/spuco-mnist-validation.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-mnist-'));
test.after(() => rmSync(folder, { recursive: true }));

function idx(shape: number[], data: Uint8Array, type = 8): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([header, data]);
}

/** `count` digits 0..9 in turn: a white 4 x 4 square in the middle of black. */
function digits(count: number) {
  const pixels = new Uint8Array(count * 784);
  for (let image = 0; image < count; image++) {
    for (let row = 12; row < 16; row++) pixels.fill(200, image * 784 + row * 28 + 12, image * 784 + row * 28 + 16);
  }
  return { size: 28, pixels, labels: Uint8Array.from({ length: count }, (_, image) => image % 10) };
}

function write(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function rejects(promise: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  const error = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error, 'expected a failure');
  assert.is(error.code, code, error.stack);
  assert.match(error.message, message);
}

test('reads IDX plain and gzip-compressed, whatever the name', async () => {
  const file = idx([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
  for (const content of [file, gzipSync(file)]) {
    const array = await readIdx(write('plain', content), 2);
    assert.equal(array.shape, [2, 3]);
    assert.equal([...array.data], [1, 2, 3, 4, 5, 6]);
  }
});

test('each way in which an IDX file can be damaged is named', async () => {
  const good = idx([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));
  await rejects(readIdx(write('a', good.subarray(0, -1)), 2), 'data', /expected 6 elements \(2 x 3\), found 5/);
  await rejects(readIdx(write('b', Buffer.concat([good, Buffer.of(0)])), 2), 'data', /found 7/);
  await rejects(readIdx(write('c', good.subarray(0, 9)), 2), 'data', /header of 12 bytes, found 9/);
  await rejects(readIdx(write('d', good), 3), 'data', /expected 3 dimensions, found 2/);
  await rejects(readIdx(write('e', idx([6], new Uint8Array(24), 13)), 1), 'data', /found float32 \(13\)/);
  await rejects(readIdx(write('f', Buffer.from('<html>quota exceeded')), 2), 'data', /found 3c68746d/);
  await rejects(readIdx(write('g', Buffer.alloc(0)), 2), 'data', /found an empty file/);
  await rejects(readIdx(write('h', gzipSync(good).subarray(0, 20)), 2), 'data', /h: expected a whole gzip file/);
  await rejects(readIdx(write('i', idx([0, 3], new Uint8Array(0))), 2), 'data', /at least one element/);
  await rejects(readIdx(write('j', idx([0xffffffff, 0xffffffff], new Uint8Array(4))), 2), 'data', /found 4/);
  await rejects(readIdx(join(folder, 'absent'), 2), 'io', /cannot read .*absent: no such file/);
});

test('MNIST: missing files, and images and labels that do not go together', async () => {
  await rejects(readMnist(join(folder, 'nowhere'), 'train'), 'data', /expected the MNIST file train-images-idx3-ubyte/);
  const { pixels, labels } = digits(4);
  write('t10k-images-idx3-ubyte.gz', gzipSync(idx([4, 28, 28], pixels)));
  write('t10k-labels.idx1-ubyte', idx([3], labels.subarray(0, 3)));
  await rejects(readMnist(folder, 'test'), 'data', /t10k-labels.idx1-ubyte: expected 4 labels, .* found 3/);
  write('t10k-labels.idx1-ubyte', idx([4], labels));
  assert.equal((await readMnist(folder, 'test')).labels, Buffer.from(labels));
  write('t10k-labels.idx1-ubyte', idx([4], Uint8Array.of(1, 2, 77, 3)));
  await rejects(readMnist(folder, 'test'), 'data', /t10k-labels.idx1-ubyte: expected labels 0 to 9, found 77 at position 2/);
  write('t10k-labels.idx1-ubyte', idx([4], labels));
});

test('the colours are those of matplotlib', () => {
  // matplotlib 3.11: colormaps['hsv'](i / n)[:3]
  const five = [[1, 0, 0], [0.8187488187488188, 1, 0], [0, 1, 0.3625004724974957], [0, 0.4562523625023627, 1], [0.724998818748819, 0, 1]];
  five.forEach((colour, i) => hsvColour(i / 5).forEach((value, channel) => assert.ok(Math.abs(value - colour[channel]!) < 1e-12)));
  const others: [number, number[]][] = [[1 / 2, [0, 1, 0.9647031631761764]], [1 / 3, [0.03124934374934376, 1, 1.3125013124790507e-6]], [9 / 10, [1, 0, 0.6727946966917553]]];
  for (const [position, colour] of others) hsvColour(position).forEach((value, channel) => assert.ok(Math.abs(value - colour[channel]!) < 1e-12));
});

test('strength: exactly floor(s n) of a class in its own colour, the rest in turn', () => {
  const set = colourDigits(digits(100), { name: 'set', strength: [0.77, 1, 0.5, 0.05, 0.99] });
  assert.equal([...groupCounts(set)], [15, 2, 1, 1, 1, 0, 20, 0, 0, 0, 3, 3, 10, 2, 2, 5, 5, 5, 1, 4, 1, 0, 0, 0, 19]);
  assert.equal([...groupCounts(colourDigits(digits(100), { name: 'set', strength: 'balanced' }))], new Array(25).fill(4));
  assert.equal(set.classes, ['0-1', '2-3', '4-5', '6-7', '8-9']);
  assert.is(new Set(set.attributes).size, 5);
});

test('the background takes the colour only where the digit is black', async () => {
  const coloured: Record<Difficulty, number> = { 'magnitude-large': 768, 'magnitude-medium': 16, 'magnitude-small': 4, 'variance-low': 49, 'variance-medium': 0, 'variance-high': 0 };
  for (const difficulty of Object.keys(difficulties) as Difficulty[]) {
    const set = colourDigits(digits(20), { name: difficulty, strength: 1, difficulty });
    const pictures = await set.read([2, 3]);
    for (let pixel = 0; pixel < 784; pixel++) {
      const colour = [...pictures.subarray(pixel * 3, pixel * 3 + 3)];
      const [row, column] = [Math.floor(pixel / 28), pixel % 28];
      const core = row >= 12 && row < 16 && column >= 12 && column < 16;
      assert.ok(core ? colour.every((value) => value === 200) : ['209,255,0', '0,0,0'].includes(colour.join()), `${difficulty} ${pixel}: ${colour}`);
    }
    const count = (start: number) => Array.from({ length: 784 }, (_, pixel) => pictures[start + pixel * 3] === 209).filter(Boolean).length;
    if (coloured[difficulty] > 0) assert.is(count(0), coloured[difficulty]);
    else {
      // 49 points, of which those on the digit (16 of 784, or 4 of 196) do not show.
      assert.ok(count(0) <= 49 && count(0) >= 40, `${difficulty}: ${count(0)}`);
      assert.not.equal(pictures.subarray(0, 2352), pictures.subarray(2352), 'points differ between images');
    }
    assert.equal(pictures, await set.read([2, 3]), 'the same at every reading');
  }
});

test('label noise and core noise', async () => {
  const plain = colourDigits(digits(200), { name: 'noise', strength: 1 });
  const noisy = colourDigits(digits(200), { name: 'noise', strength: 1, labelNoise: 0.25, coreNoise: 0.5 });
  assert.is(plain.labels.filter((label, i) => label !== noisy.labels[i]).length, 50);
  assert.equal(noisy.attributeOf, plain.attributeOf, 'colours follow the true label');
  const all = Array.from({ length: 200 }, (_, i) => i);
  const [a, b] = [await plain.read(all), await noisy.read(all)];
  const changed = all.filter((i) => Buffer.compare(a.subarray(i * 2352, (i + 1) * 2352), b.subarray(i * 2352, (i + 1) * 2352)) !== 0);
  assert.is(changed.length, 100);
});

test('options that make no sense are refused by name', () => {
  const make = (options: object) => () => colourDigits(digits(20), { name: 'set', strength: 1, ...options });
  assert.throws(make({ strength: 0 }), /strength: expected a number above 0.*found 0/);
  assert.throws(make({ strength: [1, 1] }), /one number per class \(5\), found \[1,1\]/);
  assert.throws(make({ classes: [[0, 1], [1, 2]] }), /disjoint/);
  assert.throws(make({ labelNoise: 2 }), /labelNoise: expected a number in 0\.\.1, found 2/);
  assert.throws(make({ difficulty: 'hard' }), /difficulty: expected one of magnitude-large/);
  assert.throws(() => colourDigits(digits(5), { name: 'set', strength: 1 }), /found none of the digits 6, 7/);
});

test('the validation list is that of SpuCo', () => {
  const members = Array.from({ length: 60_000 }, (_, i) => i).filter(isValidationDigit);
  assert.is(members.length, 11_996);
  assert.is(members.reduce((sum, index) => sum + index, 0), 361_305_519);
  // The list starts with 16364, 10770, 10811, 1834.
  for (const index of [16364, 10770, 10811, 1834]) assert.ok(isValidationDigit(index));
  assert.not(isValidationDigit(60_000));
});

const mnist = process.env.SPARRING_TEST_MNIST ?? join(import.meta.dirname, '../../../shared/data/mnist');
if (!existsSync(mnist)) console.log(`skipped: real MNIST (no ${mnist})`);
else {
  test('real MNIST: sizes and groups of every split', async () => {
    const splits = await spuCoMnistSplits({ root: mnist, seed: 1 });
    assert.equal(Object.values(splits).map((set) => set.length), [48_004, 11_996, 10_000, 48_004, 48_004]);
    const absent = groupCounts(splits.train).filter((count) => count === 0).length;
    assert.is(absent, 20);
    const balanced = groupCounts(splits.test);
    assert.ok(Math.min(...balanced) > 370 && balanced.every((count, group) => Math.abs(count - balanced[group - (group % 5)]!) <= 1));
    const broad = groupCounts(splits.broad);
    for (let label = 0; label < 5; label++) {
      const counts = broad.subarray(label * 5, label * 5 + 5);
      assert.is(counts[label], Math.floor(0.95 * counts.reduce((sum, count) => sum + count)));
    }
  });
}

test.run();
