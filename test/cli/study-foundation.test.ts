/** A study trains, once for its runs, the networks that its rows draw on. Birds of 32 px. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { cli, lastLine } from '../support/cli.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-foundation-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const base = `
  data: { kind: birds, train: 24, test: 20, broad: 32 }
  teacher: { architecture: { family: cnn, width: 8, stages: 3 }, training: { steps: 25, batchSize: 8 } }
  generator: { blockChannels: [16, 32], attention: [0, 1], normGroups: 8, headDim: 16, training: { steps: 5, batchSize: 8 } }
  discretiser: { blockChannels: [8, 8], attention: [0, 0], normGroups: 4, numCodes: 32, codeChannels: 4, training: { steps: 6, batchSize: 8 } }
  student: { architecture: { family: cnn, width: 8, stages: 3 }, training: { steps: 10, batchSize: 8 } }
  rounds: { count: 1, imagesPerRound: 8, training: { steps: 8, batchSize: 8 } }
  sampling: { steps: 3, batchSize: 8 }
`;
const file = join(folder, 'study.yaml');
writeFileSync(file, `name: miniature\nbase:${base}datasets: { birds: {} }\nmethods: [kd, dad]\nseeds: [3, 4]\nthreads: 1\n`);
const output = join(folder, 'study');
const args = (...more: string[]): string[] => ['study', file, '--output', output, '--json', '--quiet', ...more];
const trained = (): string[] => readdirSync(join(output, 'shared')).flatMap((name) => readdirSync(join(output, 'shared', name, 'foundation'))).sort();
const student = (run: string, method: string): Buffer => readFileSync(join(run, 'seed-3', method, 'student.safetensors'));

test('teacher and discretiser for rows on discrete adversaries, and no generator', () => {
  const dry = cli(['study', file, '--output', output, '--dry-run']);
  assert.match(dry.stdout, /^2 runs: 0 done, 2 to begin; 6 rows to make, after 1 foundation \(teacher, discretiser\)\n/, dry.stderr);
  const ended = cli(args());
  assert.is(ended.status, 0, ended.stderr);
  assert.equal(trained(), ['discretiser', 'teacher']);
  for (const seed of [3, 4]) assert.not(existsSync(join(output, `birds/base/seed-${seed}/foundation`)), 'no run trains its own');
});

test('the rows are those of a single run of the same config and seed', () => {
  const config = join(folder, 'run.yaml');
  writeFileSync(config, `threads: 1\nseed: 3\nmethods: [kd, dad]\n${base.replaceAll('\n  ', '\n')}`);
  const ended = cli(['distill', '--config', config, '--output', join(folder, 'distill'), '--json', '--quiet']);
  assert.is(ended.status, 0, ended.stderr);
  for (const method of ['kd', 'dad']) assert.ok(student(join(folder, 'distill'), method).equals(student(join(output, 'birds/base/seed-3'), method)), method);
});

test('a row that joins and draws on the generator has it trained then, and nothing again', () => {
  const before = student(join(output, 'birds/base/seed-3'), 'dad');
  const ended = cli(args('--set', 'methods=[kd, dad, unguided, dad-generator]', '--set', 'base.dad.generatorStrength=0.7', '--set', 'seeds=[3]'));
  assert.is(ended.status, 2, 'what the rows were made with stays as it is');
  assert.match(ended.stderr, /dad\.generatorStrength: expected 0\.3, found 0\.7/);
  const joined = cli(args('--set', 'methods=[kd, dad, unguided]', '--set', 'seeds=[3]'));
  assert.is(joined.status, 0, joined.stderr);
  assert.equal(lastLine(joined.stdout).rows.map(({ method }: { method: string }) => method), ['teacher', 'edrm', 'kd', 'dad', 'unguided']);
  assert.equal(trained(), ['discretiser', 'generator', 'teacher']);
  assert.ok(student(join(output, 'birds/base/seed-3'), 'dad').equals(before));
  const fewer = cli(['study', file, '--output', output, '--dry-run', '--set', 'methods=[kd]']);
  assert.match(fewer.stdout, /^2 runs: all done/, fewer.stderr);
});

test.run();
