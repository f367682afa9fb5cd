/** A classifier of ours as what training begins with: for the same classes, for others, for images of another size. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { loadClassifier } from '../../lib/methods/foundation.js';
import { encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { classes, failure, openEngine, size, temporaryFolder, tinyClassifier } from '../support/tiny.js';

const engine = await openEngine();
const path = join(temporaryFolder(), 'classifier.safetensors');
const { teacher: described } = resolveConfig({});
const load = (names: readonly string[], imageSize: number, newHead: boolean) => loadClassifier(engine, described, path, { classes: [...names], imageSize }, { newHead, seed: 7 });

test.before(async () => (await tinyClassifier(engine, 1)).save(path));

/** Tensors of the file and of what was loaded, by name: whether they are equal. */
async function kept(names: readonly string[], imageSize = size): Promise<Record<string, boolean>> {
  using loaded = await load(names, imageSize, true);
  const copy = join(temporaryFolder(), 'copy.safetensors');
  await loaded.save(copy);
  const [before, after] = [readSafetensors(path).tensors, readSafetensors(copy).tensors];
  return Object.fromEntries(Object.entries(after).map(([name, { values }]) => [name, String(values) === String(before[name].values)]));
}

test('the same classes keep their head', async () => {
  assert.ok(Object.values(await kept(classes)).every(Boolean));
});

test('more classes get a new head, the rest is kept', async () => {
  const found = Object.entries(await kept([...classes, 'grey']));
  const changed = found.filter(([, same]) => !same).map(([name]) => name.split('.')[0]);
  assert.equal([...new Set(changed)], ['fc']);
  assert.ok(found.some(([, same]) => same));
});

test('a head of which a part is missing is drawn as a whole', async () => {
  const { tensors, metadata } = readSafetensors(path);
  const { 'fc.bias': _, ...rest } = tensors;
  const partial = join(temporaryFolder(), 'partial.safetensors');
  writeFileSync(partial, encodeSafetensors(rest, metadata));
  using loaded = await loadClassifier(engine, described, partial, { classes: [...classes], imageSize: size }, { newHead: true, seed: 7 });
  const copy = join(temporaryFolder(), 'copy.safetensors');
  await loaded.save(copy);
  const after = readSafetensors(copy).tensors;
  assert.not.equal(Array.from(after['fc.weight'].values), Array.from(tensors['fc.weight'].values));
  const convolution = Object.keys(rest).find((name) => !name.startsWith('fc'))!;
  assert.equal(Array.from(after[convolution].values), Array.from(rest[convolution].values));
});

test('images of another size are resized to what it takes', async () => {
  using loaded = await load(classes, 24, true);
  assert.equal([loaded.spec.imageSize, loaded.spec.inputSize], [24, size]);
  assert.is((await loaded.logits(new Uint8Array(24 * 24 * 3))).length, classes.length);
});

test('as many classes with other names, and without a new head another size, are refused', async () => {
  assert.match((await failure(() => load(['bright', 'dark'], size, true), 'weights')).message, 'expected the classes bright, dark, found dark, bright');
  assert.match((await failure(() => load(['bright', 'dark'], size, false), 'weights')).message, 'expected the classes bright, dark, found dark, bright');
  assert.match((await failure(() => load(classes, 24, false), 'weights')).message, 'expected 24 px images, found 16 px');
});

test.run();
