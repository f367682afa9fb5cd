/** The time that went into a store, over sessions and processes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { secondsOfWork, timeWork } from '../../lib/store/work-seconds.js';
import { failure } from '../support/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-seconds-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('sessions of a process add up, and so do processes', async () => {
  assert.is(await secondsOfWork(folder), undefined);
  writeFileSync(join(folder, 'seconds-main.json'), '{"seconds": 100}');
  writeFileSync(join(folder, 'seconds-shard1of2.json'), '{"seconds": 1000}');
  const save = timeWork(folder, 'main');
  assert.is(await secondsOfWork(folder), 1100, 'nothing was stored yet');
  await save();
  await save();
  const seconds = (await secondsOfWork(folder))!;
  assert.ok(seconds > 1100 && seconds < 1110, `${seconds}`);
});

test('a damaged file is told by its name', async () => {
  writeFileSync(join(folder, 'seconds-main.json'), '{"seconds": -1}');
  assert.match((await failure(() => secondsOfWork(folder), 'data')).message, /seconds-main\.json: expected \{"seconds": a number\}, found something else/);
});

test.run();
