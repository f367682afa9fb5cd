/** The whole main job in miniature, and that neither kills nor Ctrl-C change its outcome. Birds of 32 px, one thread. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openStore } from '../../lib/store/store.js';
import { cli, cliWithFileLimit, lastLine, startCli, timelessRows } from '../support/cli.js';
import { miniature, seed } from '../support/miniature.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-distill-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, miniature);
const reference = join(folder, 'reference');

function args(output: string, ...more: string[]): string[] {
  return ['distill', '--config', configFile, '--output', output, '--json', '--quiet', ...more];
}

function text(run: string, ...path: string[]): string {
  return readFileSync(join(run, ...path), 'utf8');
}

function metricsRows(run: string): number {
  const path = join(run, 'metrics.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

/** A run that was stopped and resumed must have left what the uninterrupted one did. */
function expectSameRun(run: string): void {
  assert.is(text(run, 'metrics.jsonl'), text(reference, 'metrics.jsonl'));
  assert.is(text(run, 'metrics.csv'), text(reference, 'metrics.csv'));
  for (const method of ['unguided', 'unguided-selected', 'config']) {
    const index = [`seed-${seed}`, method, 'store', 'index.jsonl'];
    assert.is(text(run, ...index), text(reference, ...index), method);
    const weights = [`seed-${seed}`, method, 'student.safetensors'];
    assert.ok(readFileSync(join(run, ...weights)).equals(readFileSync(join(reference, ...weights))), `${method}: the same weights`);
  }
}

let expected: any[];

test('the last line of stdout is one JSON object with a row per method', () => {
  const ended = cli(args(reference));
  assert.is(ended.status, 0, ended.stderr);
  assert.is(ended.stdout.trimEnd().split('\n').length, 1);
  const result = lastLine(ended.stdout);
  assert.equal(Object.keys(result), ['command', 'rows', 'seeds']);
  assert.equal([result.command, result.seeds], ['distill', 1]);
  assert.equal(result.rows.map(({ method }: { method: string }) => method), ['teacher', 'edrm', 'edrm-longer', 'unguided', 'unguided-selected', 'config']);
  for (const row of result.rows) {
    assert.equal(Object.keys(row), ['method', 'worstGroupAccuracy', 'worstGroupIntervals', 'meanGroupAccuracy', 'trainWeightedAccuracy', 'accuracy', 'classes', 'gapClosed', 'generated', 'trainingSteps', 'seconds', ...(row.method === 'teacher' ? [] : ['cost'])]);
    for (const summary of [row.worstGroupAccuracy, row.meanGroupAccuracy, row.trainWeightedAccuracy, row.accuracy, ...row.classes.map((one: any) => one.accuracy)]) {
      assert.equal(Object.keys(summary), ['mean', 'values']);
      assert.is(summary.values.length, 1);
      assert.is(summary.mean, summary.values[0]);
      assert.ok(summary.mean >= 0 && summary.mean <= 1);
    }
    assert.is(row.gapClosed.values.length, 1);
    assert.ok(row.seconds > 0);
    if (row.method === 'teacher') continue;
    const { makingSeconds, trainingSeconds } = row.cost;
    assert.ok(trainingSeconds > 0 && makingSeconds + trainingSeconds < row.seconds, row.method);
    assert.is(makingSeconds > 0, row.generated > 0, row.method);
  }
  expected = timelessRows(ended.stdout);
});

test('the continued rows have equal training steps, the generating ones equally many images', () => {
  const rows = expected as { generated: number; trainingSteps: number; cost: any }[];
  assert.equal(rows.map(({ trainingSteps }) => trainingSteps), [45, 33, 8, 8, 8, 8]);
  assert.equal(rows.map(({ generated }) => generated), [0, 0, 0, 16, 16, 16]);
  // The fifth row takes the images of the fourth.
  assert.equal(rows.slice(1).map(({ cost }) => cost.imagesMade), [0, 0, 16, 0, 16]);
  assert.equal(rows.slice(1).map(({ trainingSteps, cost }) => cost.trainingImages / trainingSteps), [8, 8, 8, 8, 8], 'the batch size');
});

test('the run folder has config, metrics, results, weights, stores and grids', async () => {
  assert.match(text(reference, 'config.yaml'), 'name: miniature');
  assert.equal(JSON.parse(text(reference, 'result.json')).rows.length, 6);
  const lines = text(reference, 'metrics.jsonl').trimEnd().split('\n').map((line) => JSON.parse(line));
  assert.equal(lines.filter(({ stage }) => stage === 'foundation/teacher').map(({ step }) => step), [20, 40, 45]);
  assert.ok(lines.filter(({ stage }) => stage === 'foundation/generator').every((row) => !('train/accuracy' in row)), 'a generator has no accuracy');
  for (const method of ['edrm-longer', 'unguided', 'unguided-selected', 'config']) {
    const own = lines.filter(({ stage }) => stage === `seed-${seed}/${method}`);
    assert.equal(own.filter((row) => 'train/loss' in row).map(({ step }) => step), [4, 8], method);
    const rounds = own.filter((row) => 'test/worstGroupAccuracy' in row);
    assert.equal(rounds.map(({ round }) => round), [1, 2], method);
    assert.equal(rounds.map((row) => 'generated/kept' in row), Array(2).fill(method !== 'edrm-longer'), method);
    assert.equal(rounds.map((row) => 'guidance/teacherBefore' in row), Array(2).fill(method === 'config'), method);
  }
  const [header, ...cells] = text(reference, 'metrics.csv').trimEnd().split('\n');
  assert.match(header!, /^stage,step,train\/loss,/);
  assert.is(cells.length, lines.length);
  for (const method of ['unguided', 'unguided-selected', 'config']) {
    const samples = (await openStore(join(reference, `seed-${seed}`, method, 'store'))).samples();
    assert.is(samples.length, 16, method);
    assert.equal(samples.map(({ label }) => label), Array.from({ length: 16 }, (_, i) => i % 2));
    if (method === 'unguided') assert.ok(samples.every(({ kept }) => kept));
    else assert.ok(samples.every(({ kept, teacherProbabilities, label }) => kept === teacherProbabilities[label]! >= 0.4));
  }
  for (const name of ['train', 'unguided', 'config']) assert.ok((await sharp(join(reference, 'grids', `${name}.png`)).metadata()).width! > 32, name);
  assert.not(readdirSync(reference, { recursive: true }).some((name) => String(name).endsWith('.tmp')));
});

test('report.html stands alone: table, curves, grids, command, nothing from elsewhere', () => {
  const html = text(reference, 'report.html');
  for (const part of ['sparring: miniature', '<h2>Generation</h2>', 'Distillation (EDRM)', '+ ConfiG images', '<svg', 'data:image/png;base64,', 'sparring distill --config']) assert.ok(html.includes(part), part);
  assert.not.match(html, /(src|href)="(?!data:|#)/);
});

test('the unguided rows share their images, the guided one has others', async () => {
  const images = async (method: string) => {
    const store = await openStore(join(reference, `seed-${seed}`, method, 'store'));
    return Buffer.from(await store.readImages(store.samples().map(({ key }) => key)));
  };
  assert.ok((await images('unguided')).equals(await images('unguided-selected')));
  assert.not((await images('unguided')).equals(await images('config')));
});

test('a second run in the same folder is refused, one that resumes a finished run only repeats its result', () => {
  const again = cli(args(reference));
  assert.is(again.status, 2);
  assert.match(again.stderr, /error \(usage\): .*expected an empty folder, found a run/);
  assert.match(again.stderr, '--resume');
  const before = text(reference, 'metrics.jsonl');
  const resumed = cli(args(reference, '--resume'));
  assert.is(resumed.status, 0, resumed.stderr);
  assert.equal(timelessRows(resumed.stdout), expected);
  assert.is(text(reference, 'metrics.jsonl'), before);
});

test('a run that another process is at work on is refused, and is not disturbed', async () => {
  const run = join(folder, 'shared');
  const { child, ended } = startCli(args(run));
  while (child.exitCode === null && !existsSync(join(run, 'config.yaml'))) await sleep(5);
  const second = cli(args(run, '--resume'));
  assert.is(second.status, 2, second.stderr);
  assert.match(second.stderr, /error \(usage\): .*expected no other command at work on this run, found process \d+/);
  const { status, stdout, stderr } = await ended;
  assert.is(status, 0, stderr);
  assert.equal(timelessRows(stdout), expected);
  assert.not.ok(existsSync(join(run, '.lock')));
});

test('resuming with another config is refused', () => {
  const other = cli(args(reference, '--resume', '--set', 'rounds.count=3'));
  assert.is(other.status, 2);
  assert.match(other.stderr, /error \(config\): .*the config differs from the one that this run was started with/);
});

test('killed again and again at random moments, a resumed run ends as if nothing had happened', async () => {
  const run = join(folder, 'killed');
  const total = metricsRows(reference);
  const progress: number[] = [];
  // One kill in each fifth of the run: just after a row was logged, or a random time later.
  for (let part = 0; part < 5; part++) {
    const rows = Math.max(metricsRows(run) + 1, Math.floor(((part + Math.random()) / 5) * total));
    const { child, ended } = startCli(args(run, '--resume'));
    while (child.exitCode === null && metricsRows(run) < rows) await sleep(2);
    if (part % 2 === 0) await sleep(Math.random() * 150);
    child.kill('SIGKILL');
    const { signal, stderr } = await ended;
    if (signal !== 'SIGKILL') assert.is(stderr, '', 'it may have finished, but it must not have failed');
    else progress.push(metricsRows(run));
  }
  assert.ok(progress.length >= 3, `killed with ${progress} of ${total} rows`);
  assert.ok(new Set(progress).size >= 3, `killed with ${progress} of ${total} rows`);
  const last = cli(args(run, '--resume'));
  assert.is(last.status, 0, last.stderr);
  assert.equal(timelessRows(last.stdout), expected);
  expectSameRun(run);
});

test('Ctrl-C saves, ends with 130 and says how to go on; SIGTERM ends with 143', async () => {
  const run = join(folder, 'stopped');
  for (const [signal, code, rows] of [['SIGINT', 130, 1], ['SIGTERM', 143, 6]] as const) {
    const enough = Math.max(rows, metricsRows(run) + 1); // a new row: the process is at work and listens
    const { child, ended } = startCli(args(run, '--resume'));
    while (child.exitCode === null && metricsRows(run) < enough) await sleep(2);
    child.kill(signal);
    const { status, stderr, stdout } = await ended;
    assert.is(status, code, stderr);
    assert.is(stdout, '');
    assert.match(stderr, 'Stopping after this step');
    assert.match(stderr, 'Continue with --resume.');
    assert.not.match(stderr, /\n\s+at /);
  }
  const resumed = cli(args(run, '--resume'));
  assert.is(resumed.status, 0, resumed.stderr);
  assert.equal(timelessRows(resumed.stdout), expected);
  expectSameRun(run);
});

test('a half-written last line of the metrics is passed over', () => {
  const run = join(folder, 'stopped');
  appendFileSync(join(run, 'metrics.jsonl'), '{"stage":"seed-3/config","st');
  assert.is(cli(args(run, '--resume')).status, 0);
  expectSameRun(run);
});

test('two seeds: the first is the one that a single seed gives, the summary is over both', () => {
  const ended = cli(args(join(folder, 'two-seeds'), '--seeds', '2', '--set', 'methods=[config]'));
  assert.is(ended.status, 0, ended.stderr);
  const { rows, seeds } = lastLine(ended.stdout);
  assert.is(seeds, 2);
  assert.equal(rows.map(({ method }: { method: string }) => method), ['teacher', 'edrm', 'config']);
  for (const row of rows) {
    const { mean, values } = row.meanGroupAccuracy;
    const single = expected.find(({ method }) => method === row.method)!;
    assert.is(values.length, 2);
    assert.is(values[0], single.meanGroupAccuracy.values[0], row.method);
    assert.ok(Math.abs(mean - (values[0] + values[1]) / 2) < 1e-12);
  }
});

test('a disk that has no more room: code io and the file; with room again --resume ends as if nothing had happened', () => {
  const run = join(folder, 'full-disk');
  // A limit on the size of files stands for a full disk: writes fail at the same places. Weights exceed it, metrics do not.
  const limited = cliWithFileLimit(32 * 1024, args(run));
  assert.is(limited.status, 1, limited.stderr);
  assert.is(limited.stdout, '');
  assert.match(limited.stderr, /^error \(io\): .*\.safetensors/m);
  assert.not.match(limited.stderr, /\n\s+at /);
  const resumed = cli(args(run, '--resume'));
  assert.is(resumed.status, 0, resumed.stderr);
  assert.equal(timelessRows(resumed.stdout), expected);
  expectSameRun(run);
});

test('a loss that is not finite: code numeric, a hint, and what was done stays', () => {
  const run = join(folder, 'exploded');
  const ended = cli(args(run, '--set', 'student.training.learningRate=1e30'));
  assert.is(ended.status, 1);
  assert.is(ended.stdout, '');
  assert.match(ended.stderr, /^error \(numeric\): The (loss|gradient norm) at step \d+ is -?(nan|inf)\.\nLower the learning rate, set clipNorm, or train in fp32/m);
  assert.ok(existsSync(join(run, 'foundation/generator/result.json')), 'the foundation is finished');
});

test.run();
