/** JSON files of model folders: what cannot be read is one error that says where, and what to do about this file. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';

import { openTokenizer } from '../../lib/clip/vocabulary.js';
import { readJson } from '../../lib/config/json.js';
import { schedulerConfig } from '../../lib/diffusion/scheduler-config.js';
import { failure, temporaryFolder } from '../support/tiny.js';

const folder = temporaryFolder();
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const schema = z.object({ sizes: z.array(z.int()) });

test('a file that fits its schema is read', async () => {
  assert.equal(await readJson(write('good.json', '{"sizes": [1, 2]}'), schema, 'hint'), { sizes: [1, 2] });
});

test('what does not fit names file, key, expected and found, with the hint of the caller', async () => {
  const path = write('bad.json', '{"sizes": [1, "two"]}');
  const error = await failure(() => readJson(path, schema, 'Take another file.'), 'weights');
  assert.match(error.message, new RegExp(`^${path}: sizes\\.1: .*expected.*, found "two"\\.$`));
  assert.is(error.hint, 'Take another file.');
  assert.match((await failure(() => readJson(write('text.json', '{"sizes": [1'), schema, 'hint'), 'weights')).message, 'text.json: not valid JSON');
  assert.match((await failure(() => readJson(join(folder, 'absent.json'), schema, 'hint'), 'io')).message, /cannot read .*absent\.json: no such file/);
});

test('the infinity that Python writes is read as null, and the words of a text stay as they are', async () => {
  const path = write('scheduler_config.json', '{ "_class_name": "DPMSolverMultistepScheduler", "lambda_min_clipped": -Infinity }');
  assert.is(schedulerConfig(await readJson(path, z.unknown(), 'hint'), path).sampler.kind, 'dpm-solver++-2m');
  assert.equal(await readJson(write('labels.json', '{"a: Infinity": 1}'), z.unknown(), 'hint'), { 'a: Infinity': 1 });
});

test('a damaged vocabulary asks for the files of the tokenizer', async () => {
  write('vocab.json', '{"a": -1}');
  write('merges.txt', '#version: 0.2\n');
  const error = await failure(() => openTokenizer(folder), 'weights');
  assert.match(error.message, /vocab\.json: a: /);
  assert.match(error.hint!, 'vocab.json and merges.txt');
  assert.not.match(error.hint!, 'image tower');
});

test.run();
