/** The rows on adversaries, in miniature: ARD, RSLAD, DAT, DAD and its variants, ConfiG with DAD, adversarial training. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openStore } from '../../lib/store/store.js';
import { cli, lastLine, startCli, timelessRows } from '../support/cli.js';
import { miniature, seed, studentWeights } from '../support/miniature.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-dad-rows-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const rows = ['kd', 'ard', 'rslad', 'adversarial', 'dat', 'dad-labels', 'dad-sample', 'dad-noise', 'dad-generator', 'dad', 'dad-code', 'dad-online', 'dat-dad', 'config', 'config-dad'];
const fromLabels = ['adversarial', 'dat', 'dad-labels'];
const onCounterparts = { ard: 'adversarial', rslad: 'adversarial', 'dad-labels': 'adversarial', 'dad-sample': 'sample-only', 'dad-noise': 'noise-only', 'dad-generator': 'generator', dad: 'adversarial', 'dad-code': 'code', 'dat-dad': 'adversarial', 'config-dad': 'adversarial' };
const configFile = join(folder, 'miniature.yaml');
// The ball is as large as an image of 32 px needs for an untrained teacher to doubt some of them.
writeFileSync(configFile, `${miniature.replace('everySeconds: 0.1', 'everySeconds: 0.001')}methods: [${rows}]
discretiser: { blockChannels: [8, 8], attention: [0, 0], normGroups: 4, numCodes: 32, codeChannels: 4, training: { steps: 20, batchSize: 8 } }
dad: { attack: { epsilon: 8, stepSize: 8 }, generatorStrength: 0.7 }
adversarialTraining: { steps: 2 }
`);
const reference = join(folder, 'reference');
const args = (output: string, ...more: string[]): string[] => ['distill', '--config', configFile, '--output', output, '--json', '--quiet', ...more];
let expected: any[];

test('each row has its steps, and counts the adversaries that were made for it', () => {
  const ended = cli(args(reference));
  assert.is(ended.status, 0, ended.stderr);
  expected = timelessRows(ended.stdout);
  assert.equal(expected.map(({ method }) => method), ['teacher', 'edrm', ...rows]);
  for (const { method, trainingSteps, generated, cost } of lastLine(ended.stdout).rows.slice(2)) {
    assert.is(trainingSteps, (fromLabels.includes(method) ? 33 : 0) + 8, method);
    assert.is(generated, (method in onCounterparts ? 64 : 0) + (method.startsWith('config') ? 16 : 0), method);
    assert.equal([cost.imagesMade, cost.trainingImages, cost.makingSeconds > 0], [generated, 8 * trainingSteps, generated > 0], method);
  }
});

test('no two rows give the same student', () => {
  const students = ['edrm', 'erm/start', ...rows].map((stage) => studentWeights(reference, stage).toString('base64'));
  assert.is(new Set(students).size, students.length);
});

test('one store for each variant has one image of each training image; the teacher decides which are for training', async () => {
  for (const variant of new Set(Object.values(onCounterparts))) {
    const records = (await openStore(join(reference, 'dad', variant, 'store'))).samples();
    assert.equal(records.map(({ source }) => source).sort((a, b) => a! - b!), Array.from({ length: 64 }, (_, i) => i), variant);
    const kept = records.filter(({ kept }) => kept).length;
    if (variant === 'adversarial') assert.ok(kept > 0 && kept < 64, `${kept} kept: both must occur`);
    for (const { kept, label, teacherProbabilities } of records) assert.is(kept, teacherProbabilities[label] === Math.max(...teacherProbabilities));
  }
});

test('the report shows images above their adversaries', () => {
  const report = readFileSync(join(reference, 'report.html'), 'utf8');
  for (const variant of new Set(Object.values(onCounterparts))) {
    assert.match(report, new RegExp(`Discretised images, ${variant}`));
    assert.ok(existsSync(join(reference, 'grids', `dad-${variant}.png`)));
  }
});

test('killed while adversaries are made and learned from, a resumed run ends as if nothing had happened', async () => {
  const run = join(folder, 'killed');
  for (const found of ['foundation/discretiser/state.json', 'dad/adversarial/store/index.jsonl', `seed-${seed}/dat/state.json`, `seed-${seed}/dad-online/state.json`, `seed-${seed}/config-dad/state.json`]) {
    const { child, ended } = startCli(args(run, '--resume'));
    while (child.exitCode === null && !existsSync(join(run, found))) await sleep(2);
    child.kill('SIGKILL');
    const { signal, stderr } = await ended;
    assert.is(signal, 'SIGKILL', `${found}: ${stderr}`);
  }
  const last = cli(args(run, '--resume'));
  assert.is(last.status, 0, last.stderr);
  assert.equal(timelessRows(last.stdout), expected);
  for (const row of rows) assert.ok(studentWeights(run, row).equals(studentWeights(reference, row)), row);
});

test('a discretiser that does not fit costs no training', () => {
  const run = join(folder, 'wrong');
  const ended = cli(args(run, '--set', 'discretiser.normGroups=3'));
  assert.is(ended.status, 2, ended.stderr);
  assert.match(ended.stderr, /discretiser\.normGroups: 3 does not divide 8 channels/);
  assert.not.ok(existsSync(join(run, 'config.yaml')), 'not even a run');
});

test.run();
