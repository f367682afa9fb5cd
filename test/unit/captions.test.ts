/** Which captions generated images are told, and what is refused before any is drawn. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { corrupted } from '../../lib/data/corruptions.js';
import { MemoryDataset } from '../../lib/data/memory.js';
import { SparringError } from '../../lib/errors.js';
import { captionProvenance, checkCaptions, drawCaptions, keepCaptions } from '../../lib/methods/captions.js';
import type { Engine } from '../../lib/native/engine.js';
import type { Generator } from '../../lib/native/models.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-captions-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const labels = [0, 0, 0, 1, 1, 1];
function dataset(captions?: (string | undefined)[], of: number[] = labels): MemoryDataset {
  return new MemoryDataset({ name: 'set', classes: ['cat', 'dog'], attributes: ['all'], imageSize: 1, labels: Int32Array.from(of), attributeOf: new Int32Array(of.length), captions, pixels: new Uint8Array(3 * of.length) });
}
const train = dataset(labels.map((_, i) => `caption ${i}`));
const config = (prompt: string) => resolveConfig({ generator: { pretrained: { path: 'x', prompt } } });
const telling = config('{caption}');
/** Says what it is asked for. */
const asked: [readonly number[], readonly string[]][] = [];
const generator = { captions: { conditionsOf: async (...given: [readonly number[], readonly string[]]) => (asked.push(given), new Float32Array()) } } as unknown as Generator;
const ofClasses = { captions: null } as Generator;

function complaint(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.instance(error, SparringError);
    return (error as SparringError).message;
  }
  throw new Error('it was accepted');
}

test('captions are asked for where the prompt has a place for them alone', () => {
  checkCaptions(telling, train);
  for (const other of [config('a {}'), resolveConfig({})]) checkCaptions(other, dataset());
  assert.match(complaint(() => checkCaptions(telling, dataset())), /expected a caption of every training image.*found none/);
  assert.match(complaint(() => checkCaptions(telling, dataset(['a', 'b', 'c', 'd', '', undefined]))), /found 2 of 6 without, first image 4 \(of class dog\)/);
  assert.match(complaint(() => checkCaptions(telling, dataset(['a', 'b'], [0, 0]))), /training images of every class for captions to come from, found none of dog/);
});

test('a dataset has as many captions as images, and keeps them when it is corrupted', () => {
  assert.match(complaint(() => dataset(['a'])), /expected 6 captions for 6 labels, found 1/);
  assert.equal(corrupted({} as Engine, train, { kind: 'fog', severity: 1, seed: 0 }).captions, train.captions);
});

test('a sample from noise is told the caption of an image of its class, from seed, round and position alone', async () => {
  const classes = Array.from({ length: 40 }, (_, i) => i % 2);
  const draw = (of: { seed: number; round: number }, count = 40) => drawCaptions(generator, train, null, classes.slice(0, count), of)!.records;
  const first = draw({ seed: 1, round: 0 });
  first.forEach((record, i) => assert.is(labels[record], classes[i]));
  assert.is(new Set(first).size, 6);
  assert.equal(draw({ seed: 1, round: 0 }, 10), first.slice(0, 10));
  for (const other of [{ seed: 2, round: 0 }, { seed: 1, round: 1 }]) assert.not.equal(draw(other), first);
});

test('a sample from an image is told the caption of that image', async () => {
  const told = drawCaptions(generator, train, [2, 5, 0, 3], [0, 1, 0, 1], { seed: 1, round: 0 })!;
  assert.equal(told.records, [2, 5, 0, 3]);
  await told.conditions(1, 3);
  assert.equal(asked.at(-1), [[1, 0], ['caption 5', 'caption 0']]);
});

test('a generator that is told of classes alone gets none', () => {
  assert.is(drawCaptions(ofClasses, train, null, [0], { seed: 1, round: 0 }), null);
  assert.equal(captionProvenance(ofClasses, train), {});
  assert.match(complaint(() => drawCaptions(generator, null, null, [0], { seed: 1, round: 0 })), /expected training images with captions/);
});

test('a run goes on with its captions alone', async () => {
  const keep = (of: MemoryDataset, with_ = telling) => keepCaptions(folder, with_, of).then(() => 'kept', (error) => error.message);
  const other = dataset(labels.map((_, i) => `caption ${i + 1}`));
  assert.not.equal(captionProvenance(generator, other), captionProvenance(generator, train));
  assert.is(await keep(other, config('a {}')), 'kept');
  assert.is(await keep(train), 'kept');
  assert.is(await keep(train), 'kept');
  assert.match(await keep(other), /expected the captions that the run in .* was begun with \(\w{12}\), found others \(\w{12}\)/);
  writeFileSync(join(folder, 'captions.json'), '{');
  assert.match(await keep(train), /captions\.json/);
});

test.run();
