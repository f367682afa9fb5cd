import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { prepareRunFolder, saveRunConfig } from '../../lib/methods/run-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-run-folder-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const config = resolveConfig({ methods: ['unguided'] });

function message(work: () => unknown): string {
  try {
    work();
  } catch (error: any) {
    return `${error.code} ${error.message}`;
  }
  return 'no error';
}

test('a run is continued with the same config; other rows or another path of its folder are no other run', async () => {
  const run = join(folder, 'run');
  assert.is(prepareRunFolder(run, config, false), true, 'new: to be saved');
  await saveRunConfig(run, config);
  assert.match(message(() => prepareRunFolder(run, config, false)), /^usage .*expected an empty folder, found a run/);
  assert.is(prepareRunFolder(run, config, true), false, 'it is there as it is');
  assert.is(prepareRunFolder(run, { ...config, methods: ['unguided', 'config'] }, true), true, 'to be saved anew');
  assert.is(prepareRunFolder(run, { ...config, ood: { ...config.ood, a: 'imagenet-a' } }, true), true, 'no run reads it');
  assert.is(prepareRunFolder(run, { ...config, output: run }, true), true);
});

test('another config is refused at the first difference', async () => {
  const run = join(folder, 'other');
  mkdirSync(run);
  await saveRunConfig(run, config);
  const changed = structuredClone(config);
  changed.rounds.training.steps = 5;
  assert.match(message(() => prepareRunFolder(run, changed, true)), /^config .*differs from the one that this run was started with \(.*config\.yaml\): rounds\.training\.steps: expected 640, found 5\./);
  assert.match(message(() => prepareRunFolder(run, { ...config, seed: 1 }, true)), /: seed: expected 0, found 1\./);
  assert.match(message(() => prepareRunFolder(run, { ...config, teacher: { ...config.teacher, weights: 'a' } }, true)), /: teacher\.weights: expected nothing, found "a"\./);
  assert.is(prepareRunFolder(run, changed, true, ['teacher', 'seed']), true, 'only these count');
});

test('what is said of generator and discretiser counts from the first row on that draws on them', async () => {
  const generator = { ...config, generator: { ...config.generator, weights: 'g' } };
  const discretiser = { ...config, discretiser: { ...config.discretiser, numCodes: 7 } };
  const refused = (run: string) => [generator, discretiser].map((changed) => /: (generator\.weights|discretiser\.numCodes): expected/.test(message(() => prepareRunFolder(run, changed, true))));
  for (const [i, [path, expected]] of ([
    ['seed-0/kd', [false, false]],
    ['seed-0/unguided', [true, false]],
    ['seed-0/dad', [false, true]],
    ['seed-0/dad-generator', [true, false]],
    ['seed-0/dad-online', [false, true]],
    ['dad/generator', [true, false]],
    ['dad/noise-only', [false, true]],
    ['da-fusion', [true, false]],
    ['foundation/generator', [true, false]],
    ['foundation/discretiser', [false, true]],
  ] as const).entries()) {
    const run = join(folder, `drawn-${i}`);
    mkdirSync(join(run, path), { recursive: true });
    await saveRunConfig(run, config);
    assert.equal(refused(run), expected, path);
  }
});

test('a run of an older version, whose config lacks a key, did what is the default of it', async () => {
  const run = join(folder, 'older');
  mkdirSync(run);
  await saveRunConfig(run, config);
  const path = join(run, 'config.yaml');
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, before.replace(/^ {2}replay: .*\n/m, ''));
  assert.not.equal(readFileSync(path, 'utf8'), before);
  assert.is(prepareRunFolder(run, config, true), true);
  assert.match(message(() => prepareRunFolder(run, { ...config, rounds: { ...config.rounds, replay: 0.5 } }, true)), /rounds\.replay: expected 0\.75, found 0\.5/);
  writeFileSync(path, `${before}removed: 1\n`);
  assert.match(message(() => prepareRunFolder(run, config, true)), /: removed: expected 1, found nothing/, 'a key that is no more');
  writeFileSync(path, 'a: [');
  assert.match(message(() => prepareRunFolder(run, config, true)), /^data .*config\.yaml: expected the config of a run/);
  rmSync(path);
  writeFileSync(join(run, 'notes.txt'), 'mine');
  assert.match(message(() => prepareRunFolder(run, config, true)), /^usage .*found other files/);
});

test.run();
