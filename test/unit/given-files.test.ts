/** Given files that are replaced under their path, for a run and a study alike. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { checkFingerprints, fingerprintsOf, saveFingerprints } from '../../lib/methods/given-files.js';
import { failure, ready } from '../support/study.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-given-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('weights that are no longer what the folder was begun with are refused', async () => {
  const output = join(folder, 'weighed');
  const weights = join(folder, 'given');
  mkdirSync(output, { recursive: true });
  mkdirSync(weights, { recursive: true });
  writeFileSync(join(weights, 'model.safetensors'), 'a');
  writeFileSync(join(folder, 'g.safetensors'), 'b');
  const configs = ready({ output, base: { teacher: { weights }, generator: { weights: join(folder, 'g.safetensors') } } }).cells.map(({ config }) => config);
  const before = await fingerprintsOf(configs);
  assert.equal(Object.keys(before), [weights, join(folder, 'g.safetensors')]);
  assert.is(before[join(folder, 'g.safetensors')], '3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d', 'that of sha256sum');
  checkFingerprints(output, configs, before);
  await saveFingerprints(output, before);
  checkFingerprints(output, configs, await fingerprintsOf(configs));
  writeFileSync(join(weights, 'model.safetensors'), 'c');
  const changed = await fingerprintsOf(configs);
  const error = failure(() => checkFingerprints(output, configs, changed));
  assert.is(error.code, 'weights');
  assert.match(error.message, /given: expected the weights that .*weighed was begun with \(SHA-256 \w{12}\.\.\.\), found others/);
  rmSync(weights, { recursive: true });
  const missing: any = await fingerprintsOf(configs).catch((reason) => reason);
  assert.equal([missing.code, missing.message.includes('given: no such file or folder')], ['io', true]);
});

test('discrete adversaries are known by what they were made with', async () => {
  const output = join(folder, 'adversaries');
  const store = join(folder, 'adversarial');
  const weights = join(folder, 'w.safetensors');
  mkdirSync(output, { recursive: true });
  mkdirSync(join(store, 'generators'), { recursive: true });
  writeFileSync(weights, 'w');
  writeFileSync(join(store, 'generators/0123456789ab.json'), '{}');
  const configs = ready({ output, base: { teacher: { weights }, generator: { weights }, discretiser: { weights }, dad: { stores: [store] } } }).cells.map(({ config }) => config);
  await saveFingerprints(output, await fingerprintsOf(configs));
  writeFileSync(join(store, 'index.jsonl'), ''); // no part of it
  checkFingerprints(output, configs, await fingerprintsOf(configs));
  writeFileSync(join(store, 'generators/0123456789ab.json'), '{"seed":1}');
  const changed = await fingerprintsOf(configs);
  const error = failure(() => checkFingerprints(output, configs, changed));
  assert.is(error.code, 'data');
  assert.match(error.message, /adversarial\/generators: expected the settings of discrete adversaries that .*adversaries was begun with/);
});

test('the list of images of a dataset is known by its content too', async () => {
  const output = join(folder, 'listed');
  const file = join(folder, 'list.csv');
  const weights = join(folder, 'w.safetensors');
  mkdirSync(output, { recursive: true });
  writeFileSync(file, 'path,label,split\n');
  writeFileSync(weights, 'w');
  const configs = ready({ output, base: { teacher: { weights }, generator: { weights } }, datasets: { birds: {}, listed: { data: { kind: 'manifest', file } } } }).cells.map(({ config }) => config);
  await saveFingerprints(output, await fingerprintsOf(configs));
  writeFileSync(file, 'path,label,split\na.png,0,train\n');
  const changed = await fingerprintsOf(configs);
  assert.equal(Object.keys(changed), [weights, file]);
  const error = failure(() => checkFingerprints(output, configs, changed));
  assert.is(error.code, 'data');
  assert.match(error.message, /list\.csv: expected the list of images that .*listed was begun with \(SHA-256 \w{12}\.\.\.\), found another/);
});

test('keys that are passed over are not looked at, nor those below them', async () => {
  const weights = join(folder, 'teacher.safetensors');
  writeFileSync(weights, 'w');
  const configs = ready({ base: { teacher: { weights }, generator: { weights: join(folder, 'gone.safetensors') } } }).cells.map(({ config }) => config);
  assert.equal(Object.keys(await fingerprintsOf(configs, { passedOver: ['generator'] })), [weights]);
  assert.equal(Object.keys(await fingerprintsOf(configs, { passedOver: ['generator.weights', 'teacher.start'] })), [weights]);
  const missing: any = await fingerprintsOf(configs, { passedOver: ['generator.start'] }).catch((reason) => reason);
  assert.is(missing.code, 'io');
  const stopped: any = await fingerprintsOf(configs, { signal: AbortSignal.abort() }).catch((reason) => reason);
  assert.is(stopped.code, 'aborted');
});

test.run();
