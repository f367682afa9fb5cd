import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { batchIndices, epochPermutation } from '../../lib/data/order.js';
import { philox, stream } from '../../lib/data/random.js';

test('Philox4x32-10 gives the published known answers', () => {
  const ones = 0xffffffff;
  assert.equal([...philox([0, 0, 0, 0], [0, 0])], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  assert.equal([...philox([ones, ones, ones, ones], [ones, ones])], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
  assert.equal(
    [...philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  );
});

test('streams differ by seed, purpose and index, and repeat', () => {
  const first = (...key: Parameters<typeof stream>) => stream(...key).uint32();
  assert.is(first(1, 'noise', 2), first(1, 'noise', 2));
  const values = [first(1, 'noise', 2), first(2, 'noise', 2), first(1, 'order', 2), first(1, 'noise', 3), first(1 + 2 ** 32, 'noise', 2), first(1, 'noise', 2 + 2 ** 32)];
  assert.is(new Set(values).size, values.length);
  assert.throws(() => stream(-1, 'noise'), /expected an integer in 0\.\.2\^53-1, found -1/);
  assert.throws(() => stream(1.5, 'noise'), (error: any) => error.code === 'config');
});

test('uniform, integer and normal have the right moments', () => {
  const random = stream(7, 'moments');
  const count = 20_000;
  let [sum, normal, square] = [0, 0, 0];
  const bins = new Int32Array(5);
  for (let draw = 0; draw < count; draw++) {
    const value = random.uniform();
    assert.ok(value >= 0 && value < 1);
    sum += value;
    bins[random.integer(5)]!++;
    const z = random.normal();
    normal += z;
    square += z * z;
  }
  assert.ok(Math.abs(sum / count - 0.5) < 0.01);
  assert.ok(Math.abs(normal / count) < 0.03);
  assert.ok(Math.abs(square / count - 1) < 0.05);
  for (const bin of bins) assert.ok(Math.abs(bin - count / 5) < 300, `bin of ${bin}`);
});

test('every permutation is equally likely, and so is every sample', () => {
  const random = stream(3, 'permutations');
  const [orders, samples] = [new Map<string, number>(), new Map<string, number>()];
  const tally = (counts: Map<string, number>, values: number[]) => counts.set(values.join(), (counts.get(values.join()) ?? 0) + 1);
  for (let draw = 0; draw < 6000; draw++) {
    tally(orders, random.shuffle([0, 1, 2]));
    tally(samples, random.shuffle([0, 1, 2, 3], 1).slice(0, 1));
  }
  assert.is(orders.size, 6);
  for (const count of orders.values()) assert.ok(Math.abs(count - 1000) < 130, `${count} of about 1000`);
  for (const count of samples.values()) assert.ok(Math.abs(count - 1500) < 150, `${count} of about 1500`);
});

test('an epoch is a permutation that depends on seed and epoch', () => {
  const order = epochPermutation(101, 3, 0);
  assert.equal([...order].sort((a, b) => a - b), Array.from({ length: 101 }, (_, i) => i));
  assert.equal(order, epochPermutation(101, 3, 0));
  assert.not.equal(order, epochPermutation(101, 3, 1));
  assert.not.equal(order, epochPermutation(101, 4, 0));
});

test('batches continue across epochs: nothing dropped, nothing doubled', () => {
  const [length, batchSize] = [10, 4];
  const seen: number[] = [];
  for (let step = 0; step < 5; step++) seen.push(...batchIndices(length, batchSize, step, 9));
  assert.equal(seen.slice(0, 10), [...epochPermutation(length, 9, 0)]);
  assert.equal(seen.slice(10), [...epochPermutation(length, 9, 1)]);
});

test('a batch is found from seed and step alone', () => {
  const forward = Array.from({ length: 40 }, (_, step) => [...batchIndices(7, 3, step, 5)]);
  for (const step of [39, 0, 17]) assert.equal([...batchIndices(7, 3, step, 5)], forward[step]);
  assert.is(batchIndices(2, 5, 0, 1).length, 5);
  assert.throws(() => batchIndices(0, 4, 0, 1), /at least one image/);
});

test.run();
