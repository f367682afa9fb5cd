/** The command line with TorchScript networks: as the teacher of a run, and as the student that generation is guided against. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { birdClasses } from '../../lib/data/birds.js';
import { pixelGenerator } from '../../lib/config/generators.js';
import { Generator } from '../../lib/native/models.js';
import { cli, lastLine } from '../support/cli.js';
import { miniature } from '../support/miniature.js';
import { goldenPath } from '../support/safetensors.js';
import { openEngine } from '../support/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-torchscript-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, miniature);
const script = (name: string): string => new URL(`../parity/goldens/torchscript_${name}.pt`, import.meta.url).pathname;
const run = (command: string, output: string, ...more: string[]) => cli([command, '--config', configFile, '--output', join(folder, output), '--json', '--quiet', ...more]);
const fits = ['--set', `teacher.weights=${script('scripted')}`];

test('a run with a TorchScript teacher, from distillation to the report', () => {
  const plan = cli(['distill', '--config', configFile, '--dry-run', ...fits]);
  assert.is(plan.status, 0, plan.stderr);
  assert.match(plan.stdout, /teacher +1,142 parameters, from .*torchscript_scripted\.pt/);
  const teacher = join(folder, 'teacher.pt');
  copyFileSync(script('scripted'), teacher);
  const given = ['--set', `teacher.weights=${teacher}`];
  const ended = run('distill', 'run', ...given);
  assert.is(ended.status, 0, ended.stderr);
  const rows: { method: string; seconds: number; trainingSteps: number }[] = lastLine(ended.stdout).rows;
  assert.equal(rows.map(({ method }) => method), ['teacher', 'edrm', 'edrm-longer', 'unguided', 'unguided-selected', 'config']);
  assert.is(rows[0]!.trainingSteps, 0);
  assert.match(readFileSync(join(folder, 'run/config.yaml'), 'utf8'), 'teacher.pt');
  const again = run('distill', 'run', '--resume', ...given);
  assert.is(again.status, 0, again.stderr);
  copyFileSync(script('onlyfp32'), teacher);
  const replaced = run('distill', 'run', '--resume', ...given);
  assert.is(replaced.status, 1);
  assert.match(replaced.stderr, /error \(weights\): .*teacher\.pt: expected the weights that .*run was begun with \(SHA-256 \w{12}\.\.\.\), found others/);
});

test('a row that needs the features of the teacher is refused before anything is trained', () => {
  const plan = cli(['distill', '--config', configFile, '--dry-run', ...fits, '--set', 'methods=[unguided, distdiff]']);
  assert.is(plan.status, 1, plan.stderr);
  assert.match(plan.stderr, /torchscript_scripted\.pt: expected a teacher whose features are known for distdiff, found TorchScript/);
  const withDiscretiser = (...more: string[]) => cli(['distill', '--config', configFile, '--dry-run', ...fits, '--set', 'methods=[dad]', ...more]);
  const refused = withDiscretiser();
  assert.is(refused.status, 1, refused.stderr);
  assert.match(refused.stderr, /features are known for the training of discretiser, found TorchScript/);
  const passed = withDiscretiser('--set', `discretiser.lpips=${goldenPath('lpips')}`);
  assert.is(passed.status, 0, passed.stderr);
});

test('generation guided against TorchScript students', async () => {
  const generator = join(folder, 'generator.safetensors');
  const spec = pixelGenerator({ blockChannels: [16, 32], attention: [0, 1], layersPerBlock: 1, normGroups: 8, headDim: 16 }, 2, 32);
  await (await Generator.create(await openEngine(), spec, birdClasses, 0)).save(generator);
  const common = [...fits, '--set', `generator.weights=${generator}`, '--count', '4'];
  const generate = (output: string, student: string, ...more: string[]) => run('generate', output, ...common, '--student', student, ...more);
  for (const [kind, ...more] of [['step'], ['chain', '--set', 'sampling.guidance.iterations=2']]) {
    const ended = generate(kind!, script('onlyfp32'), '--set', `sampling.guidance.kind=${kind}`, ...more);
    assert.is(ended.status, 0, ended.stderr);
    assert.is(lastLine(ended.stdout).generated, 4);
  }
  const stopped = generate('detached', script('detached'));
  assert.is(stopped.status, 1);
  assert.match(stopped.stderr, /torchscript_detached\.pt: no gradient reaches the input of the network/);
  assert.is(generate('unguided', script('detached'), '--unguided').status, 0);
});

test('a TorchScript network is evaluated', () => {
  const ended = cli(['evaluate', '--config', configFile, '--weights', script('scripted'), '--json']);
  assert.is(ended.status, 0, ended.stderr);
  const { accuracy, groups } = lastLine(ended.stdout);
  assert.ok(accuracy >= 0 && accuracy <= 1 && groups.length === 4);
});

test('an archive without a network is refused before anything is trained', () => {
  const ended = run('distill', 'pickle', '--set', `teacher.weights=${script('weights')}`);
  assert.is(ended.status, 1);
  assert.match(ended.stderr, /expected TorchScript, found an archive without the code of a network/);
  assert.match(ended.stderr, /safetensors\.torch\.save_file/);
});

test.run();
