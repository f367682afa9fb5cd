/** What tells weights from other weights. */
import { createHash } from 'node:crypto';
import { cpSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { fingerprint } from '../../lib/methods/fingerprint.js';
import { Scratch, text } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');

test('of a file the SHA-256; of an index and its shards, and of a folder, that of all names and contents', async () => {
  const folder = scratch.folder();
  const shard = text(join(folder, 'a.safetensors'), 'a');
  const index = text(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { x: 'a.safetensors', y: 'a.safetensors' } }));
  assert.is(await fingerprint(shard), sha256('a'));
  const [indexed, whole] = [await fingerprint(index), await fingerprint(folder)];
  text(join(folder, 'notes.txt'), '');
  assert.is(await fingerprint(index), indexed, 'what the index does not name is no part of it');
  const noted = await fingerprint(folder);
  text(shard, 'b');
  assert.equal(new Set([indexed, whole, noted, await fingerprint(index), await fingerprint(folder)]).size, 5);
});

test('of some files of a folder: these alone, however the path is written', async () => {
  const folder = scratch.folder();
  const weights = text(join(folder, 'model.safetensors'), 'w');
  const found = await fingerprint(folder, [weights]);
  text(join(folder, 'pytorch_model.bin'), 'the same in another form');
  assert.is(await fingerprint(folder, [weights]), found);
  assert.is(await fingerprint(`./${relative('.', folder)}`, [relative('.', weights)]), found);
  const copy = join(scratch.folder(), 'copy');
  cpSync(folder, copy, { recursive: true });
  assert.is(await fingerprint(copy, [join(copy, 'model.safetensors')]), found);
  const whole = await fingerprint(folder);
  assert.is(await fingerprint(copy), whole);
  text(join(copy, 'pytorch_model.bin'), 'another pickle, which nothing here reads');
  text(join(copy, '.cache/model.safetensors'), 'hidden');
  assert.is(await fingerprint(copy), whole);
  text(join(copy, 'config.json'), '{}');
  assert.is.not(await fingerprint(copy), whole);
  text(weights, 'v');
  assert.is.not(await fingerprint(folder, [weights]), found);
});

test.run();
