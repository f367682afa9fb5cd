import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openMetricsLog, readMetrics } from '../../lib/report/metrics-log.js';

const base = mkdtempSync(join(tmpdir(), 'sparring-log-'));
test.after(() => rmSync(base, { recursive: true }));
let folders = 0;
const fresh = (): string => join(base, `run${folders++}`);
const read = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');

test('everything goes to jsonl, scalars to csv under stable columns', async () => {
  const folder = fresh();
  const log = await openMetricsLog(folder);
  await log.write({ stage: 'student', step: 1, 'train/loss': 0.5 });
  await log.write({ stage: 'student', step: 2, 'train/loss': 0.25, groups: { 'a/x': 1 } });
  await log.write({ stage: 'test, "final"', step: 2, 'test/accuracy': 1 });
  await log.write({ stage: 'student', step: 3, 'train/loss': 0.125 });
  assert.is(read(folder, 'metrics.csv'), 'stage,step,train/loss,test/accuracy\nstudent,1,0.5,\nstudent,2,0.25,\n"test, ""final""",2,,1\nstudent,3,0.125,\n');
  assert.equal(readMetrics(folder)[1], { stage: 'student', step: 2, 'train/loss': 0.25, groups: { 'a/x': 1 } });
});

test('a resumed run ends with the files of an uninterrupted one', async () => {
  const [whole, resumed] = [fresh(), fresh()];
  const row = (step: number) => ({ stage: 'student', step, 'train/loss': 1 / step, ...(step % 4 === 0 ? { 'test/wga': step / 10 } : {}) });
  const complete = await openMetricsLog(whole);
  for (let step = 1; step <= 10; step++) await complete.write(row(step));
  const first = await openMetricsLog(resumed);
  // The checkpoint is that of step 5; the run went on to 8 and died within a line.
  for (let step = 1; step <= 8; step++) await first.write(row(step));
  appendFileSync(join(resumed, 'metrics.jsonl'), '{"stage":"stu');
  const second = await openMetricsLog(resumed, { keep: ({ step }) => step <= 5 });
  for (let step = 6; step <= 10; step++) await second.write(row(step));
  for (const name of ['metrics.jsonl', 'metrics.csv']) assert.is(read(resumed, name), read(whole, name));
});

test('rows are on disk as soon as they are written', async () => {
  const folder = fresh();
  const script = `
    import { openMetricsLog } from '${join(import.meta.dirname, '../../lib/report/metrics-log.ts')}';
    const log = await openMetricsLog(process.argv[1]);
    await log.write({ stage: 'a', step: 1, loss: 2 });
    process.kill(process.pid, 'SIGKILL');`;
  await new Promise((resolve) => spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, folder]).on('close', resolve));
  assert.equal(readMetrics(folder), [{ stage: 'a', step: 1, loss: 2 }]);
  assert.is(read(folder, 'metrics.csv'), 'stage,step,loss\na,1,2\n');
});

test('a damaged line is named, an unwritable folder too', async () => {
  const folder = fresh();
  await (await openMetricsLog(folder)).write({ stage: 'a', step: 1 });
  appendFileSync(join(folder, 'metrics.jsonl'), '{"stage": 3}\n');
  const error: any = await openMetricsLog(folder).then(() => undefined, (reason) => reason);
  assert.is(error.code, 'data');
  assert.match(error.message, /metrics\.jsonl:2: expected a JSON object with stage and step, found "\{\\"stage\\": 3\}"/);
  writeFileSync(join(base, 'file'), '');
  const blocked: any = await openMetricsLog(join(base, 'file')).then(() => undefined, (reason) => reason);
  assert.is(blocked.code, 'io');
});

test.run();
