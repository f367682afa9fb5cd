/** Rows that stop when nothing is left to learn, in miniature: where they stop, what is left, and that a kill changes nothing. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openStore } from '../../lib/store/store.js';
import { cli, startCli, timelessRows } from '../support/cli.js';
import { miniature, seed } from '../support/miniature.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-early-stop-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, miniature);
const [rounds, steps, images] = [4, 4, 8];
const methods = ['edrm-longer', 'unguided', 'unguided-selected', 'config'];
const generating = methods.slice(1);

const args = (output: string, ...more: string[]): string[] => ['distill', '--config', configFile, '--output', output, '--json', '--quiet', '--set', `rounds.count=${rounds}`, ...more];
const key = 'generated/studentWrongOfApproved';

type Logged = Record<string, any>;
const metrics = (run: string): Logged[] => (existsSync(join(run, 'metrics.jsonl')) ? readFileSync(join(run, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []);
const roundsOf = (run: string, method: string): Logged[] => metrics(run).filter((row) => row.stage === `seed-${seed}/${method}` && 'round' in row);
const students = (run: string): string[] => methods.map((method) => readFileSync(join(run, `seed-${seed}`, method, 'student.safetensors'), 'base64'));

const whole = join(folder, 'whole');
const stopped = join(folder, 'stopped');
let share: number;
/** Rounds that each row should go through, by the run that does not stop. */
let expected: number[];
let rows: Logged[];

test('without it every row goes through all rounds and logs the share that it would stop by', () => {
  const ended = cli(args(whole));
  assert.is(ended.status, 0, ended.stderr);
  for (const row of timelessRows(ended.stdout)) assert.not('rounds' in row, row.method);
  assert.not(metrics(whole).some((row) => 'stopped' in row));
  for (const method of methods) assert.is(roundsOf(whole, method).length, rounds);
  const shares = generating.map((method) => roundsOf(whole, method).map((row) => row[key] as number));
  for (const value of shares.flat()) assert.ok(value >= 0 && value <= 1);
  // Above the least share before the last round, so that some row stops early, and as low as that goes, so that not all stop at once.
  const least = Math.min(...shares.flatMap((own) => own.slice(0, -1)));
  const next = Math.min(...shares.flat().filter((value) => value > least));
  assert.ok(next < 1.01, `${shares}`);
  share = (least + next) / 2;
  expected = shares.map((own) => own.findIndex((value) => value < share) + 1 || rounds);
  assert.ok(expected.some((count) => count < rounds), `${expected}`);
});

test('a row stops after the first round below the share, with fewer images and steps; one without images never', async () => {
  const ended = cli(args(stopped, '--set', `rounds.earlyStop.studentWrong=${share}`));
  assert.is(ended.status, 0, ended.stderr);
  rows = timelessRows(ended.stdout);
  assert.equal(rows.slice(2).map(({ method, trainingSteps, generated, rounds: done }) => [method, trainingSteps, generated, done?.values]), [
    ['edrm-longer', rounds * steps, 0, undefined],
    ...generating.map((method, i) => [method, expected[i]! * steps, expected[i]! * images, [expected[i]]]),
  ]);
  for (const [i, method] of generating.entries()) {
    const [own, others] = [roundsOf(stopped, method), roundsOf(whole, method).slice(0, expected[i])];
    assert.equal(own.map(({ stopped: _, ...row }) => row), others, 'the same rounds as without it');
    assert.equal(own.map((row) => row.stopped), own.map((_, place) => (place + 1 === own.length && own.length < rounds ? true : undefined)));
    assert.is((await openStore(join(stopped, `seed-${seed}`, method, 'store'))).samples().length, expected[i]! * images);
  }
  const report = readFileSync(join(stopped, 'report.html'), 'utf8');
  for (const [i] of generating.entries()) assert.ok(report.includes(`rounds until it stopped or all were done: ${expected[i]}.`));
  assert.ok(report.includes(', stopped</td>'));
});

test('a row that shares the images of one that stopped before it makes the missing ones itself, the same ones', async () => {
  // What the other row learns does not change which images it has: its store as a run without the early stop has it, cut short.
  const run = join(folder, 'shared');
  assert.is(cli(args(run, '--set', 'rounds.earlyStop.studentWrong=1', '--set', 'methods=[unguided]')).status, 0);
  assert.equal(roundsOf(run, 'unguided').map((row) => row.stopped), [true]);
  const config = join(run, 'config.yaml');
  writeFileSync(config, readFileSync(config, 'utf8').replace('studentWrong: 1\n', 'studentWrong: 0\n'));
  const ended = cli(args(run, '--resume', '--set', 'methods=[unguided, unguided-selected]'));
  assert.is(ended.status, 0, ended.stderr);
  const of = async (from: string) => {
    const store = await openStore(join(from, `seed-${seed}/unguided-selected/store`));
    return Buffer.from(await store.readImages(store.samples().map((record) => record.key)));
  };
  assert.ok((await of(run)).equals(await of(whole)));
});

test('killed again and again, a resumed run stops where it would have and leaves the same', async () => {
  const run = join(folder, 'killed');
  const total = metrics(stopped).length;
  const set = ['--set', `rounds.earlyStop.studentWrong=${share}`];
  let kills = 0;
  for (let part = 0; part < 4; part++) {
    const enough = Math.max(metrics(run).length + 1, Math.floor([0.1, 0.4, 0.6, 0.85][part]! * total));
    const { child, ended } = startCli(args(run, '--resume', ...set));
    while (child.exitCode === null && metrics(run).length < enough) await sleep(2);
    child.kill('SIGKILL');
    if ((await ended).signal === 'SIGKILL') kills++;
  }
  assert.ok(kills >= 1, 'each part ended before it was killed');
  const last = cli(args(run, '--resume', ...set));
  assert.is(last.status, 0, last.stderr);
  assert.equal(timelessRows(last.stdout), rows);
  assert.equal(metrics(run), metrics(stopped));
  assert.equal(students(run), students(stopped));
});

test.run();
