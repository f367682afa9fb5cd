/** A command on a study that is done: alone in its folder, and stopped too late. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { Study } from '../../lib/config/study.js';
import { planStudy } from '../../lib/study/plan.js';
import { runStudy } from '../../lib/study/run.js';
import { makeRun, ready, row } from '../support/study.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** A study whose runs are all done, without its tables. */
async function done(name: string): Promise<Study> {
  const base: Record<string, object> = {};
  for (const role of ['teacher', 'generator']) {
    const weights = join(folder, `${role}.safetensors`);
    writeFileSync(weights, role);
    base[role] = { weights };
  }
  const study = ready({ output: join(folder, name), base });
  for (const unit of planStudy(study).units) await makeRun(unit, [row('teacher', 1), row('edrm', 0), row('unguided', 0.1), row('config', 0.9)]);
  return study;
}

test('a second command in the folder of a study is refused while the first one is at work', async () => {
  const study = await done('locked');
  const lock = join(study.output, '.lock');
  writeFileSync(lock, `${process.ppid} ${hostname()}`);
  const error: any = await runStudy(study).catch((reason) => reason);
  assert.is(error.code, 'usage');
  assert.match(error.message, new RegExp(`locked: expected no other command at work on this study, found process ${process.ppid} on `));
  assert.match(error.hint, /--output <folder>.*delete .*locked\/\.lock/);
  assert.equal([existsSync(join(study.output, 'table.md')), existsSync(lock)], [false, true], 'nothing is written, the lock is not ours');
  const both = await Promise.allSettled([1, 2].map(() => runStudy(study).catch((reason) => reason)));
  assert.equal(both.map(({ value }: any) => value.code), ['usage', 'usage']);

  // Above the largest process id of Linux; and our own, of an earlier process in a container that counts as this one does.
  for (const pid of [2 ** 22 + 1, process.pid]) {
    writeFileSync(lock, `${pid} ${hostname()}`);
    const two = await Promise.all([1, 2].map(() => runStudy(study).catch((reason) => reason)));
    assert.equal(two.map(({ code = 'done' }: any) => code).sort(), ['done', 'usage'], 'what a dead one left is taken over, once');
    assert.not(existsSync(lock));
  }
  assert.ok(existsSync(join(study.output, 'table.md')));
});

test('a folder that cannot be written to is told as such', async () => {
  writeFileSync(join(folder, 'file'), '');
  const error: any = await runStudy({ ...(await done('elsewhere')), output: join(folder, 'file') }).catch((reason) => reason);
  assert.equal([error.code, error.message.startsWith(`cannot create ${join(folder, 'file')}`)], ['io', true]);
});

test('a study that was stopped when nothing was missing any more is done', async () => {
  const study = await done('late');
  const { rows } = await runStudy(study, { signal: AbortSignal.abort() });
  assert.is(rows.length, 4);
  assert.match(readFileSync(join(study.output, 'table.md'), 'utf8'), '- runs: 2 of 2\n');
});

test.run();
