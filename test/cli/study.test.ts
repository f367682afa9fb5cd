/** A study in miniature: two runs in two processes, killed, stopped and resumed, and enlarged. Birds of 32 px. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { cli, lastLine, startCli, timelessRows } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const base = `
  data: { kind: birds, train: 32, test: 20, broad: 32 }
  teacher: { trainOn: broad, architecture: { family: cnn, width: 8, stages: 3 }, training: { steps: 25, batchSize: 8 } }
  generator: { blockChannels: [16, 32], attention: [0, 1], normGroups: 8, headDim: 16, training: { steps: 25, batchSize: 8 } }
  student: { architecture: { family: cnn, width: 8, stages: 3 }, training: { steps: 25, batchSize: 8 } }
  rounds: { count: 2, imagesPerRound: 8, training: { steps: 8, batchSize: 8 }, teacherProbability: 0.4, studentWrong: false }
  sampling: { steps: 3, batchSize: 8 }
  checkpoint: { everySeconds: 0.1 }
`;
const file = join(folder, 'study.yaml');
writeFileSync(file, `name: miniature\nbase:${base}datasets: { birds: {} }\nmethods: [unguided]\nseeds: [3, 4]\nprocesses: 2\nthreads: 1\nquick: { rounds: { count: 1 } }\n`);

const reference = join(folder, 'reference');
const args = (output: string, ...more: string[]): string[] => ['study', file, '--output', output, '--json', '--quiet', ...more];
const text = (...path: string[]): string => readFileSync(join(...path), 'utf8');

/** Files of results below a folder of a study: how far it is. */
function finished(study: string): string[] {
  return existsSync(study) ? readdirSync(study, { recursive: true }).map(String).filter((name) => name.endsWith('result.json')).sort() : [];
}

let expected: object[];

test('a dry run says what is missing and estimates the time, and writes nothing', () => {
  const ended = cli(['study', file, '--output', reference, '--dry-run', '--set', 'seeds=[3]']);
  assert.is(ended.status, 0, ended.stderr);
  assert.match(ended.stdout, /^1 run: 0 done, 1 to begin; 2 rows to make, after 1 foundation \(teacher, generator\)\nestimate: less than a minute with 2 processes, by a short probe\n$/);
  assert.not(existsSync(reference));
});

test('two runs in two processes, after one training of teacher and generator; tables, report and JSON', () => {
  const ended = cli(args(reference));
  assert.is(ended.status, 0, ended.stderr);
  const result = lastLine(ended.stdout);
  assert.equal(result.rows.map((row: any) => [row.dataset, row.variant, row.method, row.seeds]), ['teacher', 'edrm', 'unguided'].map((method) => ['birds', 'base', method, [3, 4]]));
  assert.equal(result.differences.map((one: any) => [one.method, one.reference]), [['teacher', 'edrm'], ['unguided', 'edrm']]);
  for (const [place, { worstGroupAccuracy }] of result.rows.entries()) {
    assert.is(worstGroupAccuracy.values.length, 2);
    if (place > 0) assert.is(worstGroupAccuracy.interval.length, 2);
  }
  assert.equal(result.rows.map(({ trainingSteps }: any) => trainingSteps), [25, 25, 16]);
  assert.ok(result.rows[0].seconds > 0, 'the training of the teacher is not forgotten');
  expected = timelessRows(ended.stdout);
  const markdown = text(reference, 'table.md');
  for (const part of ['## birds', '| Method', '- command: sparring study', '- runs: 2 of 2', '- machine: ', '- versions: sparring ', '- runs ended: 20']) assert.ok(markdown.includes(part), part);
  assert.match(text(reference, 'table.csv'), /^birds,base,unguided,edrm,base,worstGroupAccuracy,/m);
  const html = text(reference, 'report.html');
  for (const part of ['Worst-group accuracy', 'Mean-group accuracy after each round', 'data:image/png;base64,']) assert.ok(html.includes(part), part);
  assert.not(finished(join(reference, 'birds/base/seed-3')).some((name) => name.includes('foundation')), 'no run trains its own');
});

test('a run of a study gives what `distill` gives for the same config and seed', () => {
  const config = join(folder, 'run.yaml');
  writeFileSync(config, `threads: 1\nseed: 3\nmethods: [unguided]\n${base.replaceAll('\n  ', '\n')}`);
  const ended = cli(['distill', '--config', config, '--output', join(folder, 'distill'), '--json', '--quiet']);
  assert.is(ended.status, 0, ended.stderr);
  const rows = lastLine(ended.stdout).rows;
  assert.equal(rows.map(({ method, worstGroupAccuracy, meanGroupAccuracy }: any) => [method, worstGroupAccuracy.values[0], meanGroupAccuracy.values[0]]), expected.map((row: any) => [row.method, row.worstGroupAccuracy.values[0], row.meanGroupAccuracy.values[0]]));
  for (const student of ['edrm', 'unguided']) {
    const weights = ['seed-3', student, 'student.safetensors'];
    assert.ok(readFileSync(join(folder, 'distill', ...weights)).equals(readFileSync(join(reference, 'birds/base/seed-3', ...weights))), `${student}: the same weights`);
  }
});

test('killed, then stopped by Ctrl-C, a study goes on and ends as if nothing had happened', async () => {
  const output = join(folder, 'stopped');
  for (const [signal, files] of [['SIGKILL', 1], ['SIGINT', 3]] as const) {
    const { child, ended } = startCli(args(output));
    while (child.exitCode === null && finished(output).length < files) await sleep(5);
    child.kill(signal);
    const { status, signal: by, stderr, stdout } = await ended;
    assert.is(stdout, '');
    if (signal === 'SIGKILL') {
      assert.is(by, 'SIGKILL');
      await sleep(500); // its processes notice
      const left = finished(output);
      await sleep(1000);
      assert.equal(finished(output), left, 'no process of a killed study goes on');
    } else {
      assert.is(status, 130, stderr);
      assert.match(stderr, 'Stopping after this step');
      assert.match(stderr, /Stopped with [12] of 2 runs missing\. What was done until now is in .*\nGo on with the same command\./);
    }
  }
  const resumed = cli(args(output));
  assert.is(resumed.status, 0, resumed.stderr);
  assert.equal(timelessRows(resumed.stdout), expected);
});

test('a method that joins later is all that is run', () => {
  const edrm = join(reference, 'birds/base/seed-3/seed-3/edrm/student.safetensors');
  const before = statSync(edrm).mtimeMs;
  const methods = ['--set', 'methods=[unguided, unguided-selected]'];
  const dry = cli(args(reference, '--dry-run', ...methods));
  assert.equal([lastLine(dry.stdout).plan.rows, lastLine(dry.stdout).plan.foundations], [2, 0]);
  const ended = cli(args(reference, ...methods));
  assert.is(ended.status, 0, ended.stderr);
  assert.equal(timelessRows(ended.stdout).slice(0, 3), expected);
  assert.equal(lastLine(ended.stdout).rows.map(({ method }: any) => method), ['teacher', 'edrm', 'unguided', 'unguided-selected']);
  assert.is(statSync(edrm).mtimeMs, before);
});

test('another config is refused before anything is run', () => {
  const ended = cli(args(reference, '--set', 'base.rounds.count=3'));
  assert.is(ended.status, 2);
  assert.match(ended.stderr, /^error \(config\): .*birds\/base\/seed-3: the config differs .*rounds\.count: expected 2, found 3\./m);
});

test('a run that fails is named, the others are done and in the tables', () => {
  const run = join(reference, 'birds/base/seed-4');
  rmSync(run, { recursive: true });
  mkdirSync(run);
  writeFileSync(join(run, 'notes.txt'), 'mine');
  const ended = cli(args(reference, '--set', 'seeds=[3, 4, 5]', '--set', 'methods=[]'));
  assert.is(ended.status, 2);
  assert.is(ended.stdout, '');
  assert.match(ended.stderr, /^error \(usage\): birds\/base\/seed-4: .*expected an empty folder or a run, found other files\. \(1 of 3 runs are missing\)\n.*The same command does what is missing\./m);
  assert.match(text(reference, 'table.md'), /- runs: 2 of 3; the others are missing\n- seeds: 3, 5\n/);
});

test.run();
