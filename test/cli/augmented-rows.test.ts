/** The rows that train on real images alone, in miniature: MixUp, CutMix, RandAugment, AugMix, PixMix, labels without a teacher and with one (KD, DIST). */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { cli, startCli, timelessRows } from '../support/cli.js';
import { miniature, seed, studentWeights } from '../support/miniature.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-augmented-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const rows = ['edrm-longer', 'erm', 'kd', 'kd-randaugment', 'dist', 'mixup', 'cutmix', 'randaugment', 'augmix', 'pixmix'];
const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, `${miniature.replace('everySeconds: 0.1', 'everySeconds: 0.001')}methods: [${rows}]\n`); // checkpoints at every step
const reference = join(folder, 'reference');
const args = (output: string, ...more: string[]): string[] => ['distill', '--config', configFile, '--output', output, '--json', '--quiet', ...more];

const metrics = (run: string): string => readFileSync(join(run, 'metrics.jsonl'), 'utf8');
let expected: any[];

test('each row has its steps and no generated images; that of labels alone counts those before the rounds too', () => {
  const ended = cli(args(reference));
  assert.is(ended.status, 0, ended.stderr);
  expected = timelessRows(ended.stdout);
  assert.equal(expected.map(({ method }) => method), ['teacher', 'edrm', ...rows]);
  assert.equal(expected.map(({ trainingSteps }) => trainingSteps), [45, 33, 8, 33 + 8, 8, 8, 8, 8, 8, 8, 8, 8]);
  assert.ok(expected.every(({ generated }) => generated === 0));
  for (const row of rows) assert.not(existsSync(join(reference, `seed-${seed}`, row, 'store')), row);
  assert.not(existsSync(join(reference, 'foundation/generator')), 'rows that generate nothing need no generator');
});

test('the student of labels alone is the same whatever the teacher, that of EDRM is not', () => {
  const run = join(folder, 'other-teacher');
  const ended = cli(args(run, '--set', 'methods=[erm]', '--set', 'teacher.training.steps=5'));
  assert.is(ended.status, 0, ended.stderr);
  for (const stage of ['erm/start', 'erm']) assert.ok(studentWeights(run, stage).equals(studentWeights(reference, stage)), stage);
  assert.not(studentWeights(run, 'edrm').equals(studentWeights(reference, 'edrm')));
});

test('no two rows give the same student', () => {
  const students = ['edrm', 'erm/start', ...rows].map((stage) => studentWeights(reference, stage).toString('base64'));
  assert.is(new Set(students).size, students.length);
  const stages = new Set(metrics(reference).trimEnd().split('\n').map((line) => JSON.parse(line).stage));
  for (const stage of ['erm/start', ...rows]) assert.ok(stages.has(`seed-${seed}/${stage}`), stage);
});

test('a row is what its options are', () => {
  for (const [row, option] of [['cutmix', 'rounds.training.mixing.cutMix=1'], ['pixmix', 'rounds.training.augment.policy=pixmix']] as const) {
    const run = join(folder, `${row}-by-option`);
    const ended = cli(args(run, '--set', 'methods=[edrm-longer]', '--set', option));
    assert.is(ended.status, 0, ended.stderr);
    assert.ok(studentWeights(run, 'edrm-longer').equals(studentWeights(reference, row)), row);
  }
});

test('killed while it learns from labels and while it mixes, a resumed run ends as if nothing had happened', async () => {
  const run = join(folder, 'killed');
  for (const stage of ['erm/start', 'erm', 'pixmix']) {
    const { child, ended } = startCli(args(run, '--resume'));
    const state = join(run, `seed-${seed}`, stage, 'state.json');
    while (child.exitCode === null && !existsSync(state)) await sleep(2);
    child.kill('SIGKILL');
    const { signal, stderr } = await ended;
    assert.is(signal, 'SIGKILL', `${stage}: ${stderr}`);
  }
  const last = cli(args(run, '--resume'));
  assert.is(last.status, 0, last.stderr);
  assert.equal(timelessRows(last.stdout), expected);
  assert.is(metrics(run), metrics(reference));
  for (const row of rows) assert.ok(studentWeights(run, row).equals(studentWeights(reference, row)), row);
});

test.run();
