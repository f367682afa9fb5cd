/** Which images a batch with counterparts has. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { MemoryDataset, subset } from '../../lib/data/memory.js';
import { pairs } from '../../lib/methods/counterparts.js';
import { jointBatches } from '../../lib/methods/dad-code.js';
import { distillationOf } from '../../lib/methods/distillation.js';
import { openStore } from '../../lib/store/store.js';

const size = 4, bytes = size * size * 3, length = 12;
const folder = mkdtempSync(join(tmpdir(), 'sparring-counterparts-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const image = (value: number): Uint8Array => new Uint8Array(bytes).fill(value);
const first = (images: Uint8Array): number[] => Array.from({ length: images.length / bytes }, (_, i) => images[i * bytes]!);

// Image i has value i, its counterpart 100 + i; every third has none.
const labels = Int32Array.from({ length }, (_, i) => i % 2);
const dataset = new MemoryDataset({ name: 'numbers', imageSize: size, classes: ['a', 'b'], attributes: ['x'], pixels: Buffer.concat(Array.from({ length }, (_, i) => image(i))), labels, attributeOf: new Int32Array(length) });
const store = await openStore(folder, { writer: 'main', imageSize: size, classes: ['a', 'b'] });
const records = await store.append(0, Array.from({ length }, (_, i) => ({ pixels: image(100 + i), label: labels[i]!, seed: i, source: i, teacherProbabilities: [0.5, 0.5], kept: i % 3 !== 0, reason: 'test' })), {});
const keys = new Map(records.filter(({ kept }) => kept).map(({ source, key }) => [source!, key]));

test('counterparts of the images that have one, which come first, in the same order', async () => {
  const batch = pairs(dataset, { store, keys, seconds: 0 }, 1);
  const seen: number[] = [];
  for (let step = 0; step < 4; step++) {
    const { images, labels: found, counterparts } = await batch(3, step);
    const own = first(images), others = counterparts ? first(counterparts) : [];
    assert.is(own.length, 3);
    assert.equal(others, own.filter((value) => value % 3 !== 0).map((value) => 100 + value));
    assert.equal(own.slice(0, others.length).map((value) => 100 + value), others, 'those with a counterpart come first');
    assert.equal(Array.from(found), own.map((value) => value % 2));
    seen.push(...own);
  }
  assert.equal(seen.sort((a, b) => a - b), Array.from({ length }, (_, i) => i), 'an epoch without a gap');
});

test('a record that comes twice at the end of an epoch has its counterpart twice', async () => {
  const few = subset(dataset, Int32Array.of(1, 2));
  const keysOfFew = new Map([[0, records[1]!.key], [1, records[2]!.key]]);
  for (let step = 0; step < 3; step++) {
    const { images, counterparts } = await pairs(few, { store, keys: keysOfFew, seconds: 0 }, 1)(3, step);
    const own = first(images);
    assert.is(own.length, 3);
    assert.equal(first(counterparts!), own.map((value) => 100 + value));
  }
});

test('as in the published code: a batch of images and the adversaries of all of them, whatever the teacher says, with labels', async () => {
  const batch = jointBatches(dataset, store, 1);
  const seen: number[] = [];
  for (let step = 0; step < 4; step++) {
    const { images, labels: found, counterparts } = await batch(3, step);
    const values = first(images);
    assert.is(counterparts, undefined);
    assert.equal(values.slice(3), values.slice(0, 3).map((value) => 100 + value));
    assert.equal(Array.from(found), values.map((value) => value % 2));
    seen.push(...values.slice(0, 3));
  }
  assert.equal(seen.sort((a, b) => a - b), Array.from({ length }, (_, i) => i), 'an epoch without a gap');
});

test('the weights of the published code, at the temperature of kd', () => {
  assert.equal(distillationOf('dad-code', resolveConfig({ kd: { temperature: 3, weight: 7, labelWeight: 5 } })), { temperature: 3, labelWeight: 0.75, imageWeight: 0.25 });
});

test('nothing kept is nothing to learn from, not an error', async () => {
  assert.is((await pairs(dataset, { store, keys: new Map(), seconds: 0 }, 1)(6, 0)).counterparts, undefined);
});

test.run();
