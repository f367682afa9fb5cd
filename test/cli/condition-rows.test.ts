/** The rows that tell the generator something else of the classes, in miniature. */
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';

import { resolveConfig } from '../../lib/config/load.js';
import { openData } from '../../lib/data/open.js';
import { openStore } from '../../lib/store/store.js';
import { cli, lastLine, startCli } from '../support/cli.js';
import { miniature, seed } from '../support/miniature.js';
import { mean } from '../support/numeric.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-conditions-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const methods = ['unguided', 'sdedit', 'da-fusion', 'gap'];
const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, `${miniature}daFusion: { steps: 45, batchSize: 4 }\ngap: { iterations: 3, imagesPerClass: 2, steps: 2 }\n`);
const run = join(folder, 'run');

const args = (output: string, ...more: string[]) => ['distill', '--config', configFile, '--output', output, '--json', '--quiet', '--set', `methods=[${methods}]`, '--set', 'sampling.steps=4', ...more];
const storeOf = (method: string, of = run) => openStore(join(of, `seed-${seed}`, method, 'store'));
const metrics = (of: string) => readFileSync(join(of, 'metrics.jsonl'), 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));

async function imagesOf(method: string, of = run): Promise<Buffer> {
  const store = await storeOf(method, of);
  return Buffer.from(await store.readImages(store.samples().map(({ key }) => key)));
}

test('every row has equally many steps and images, all of them kept', async () => {
  const ended = cli(args(run));
  assert.is(ended.status, 0, ended.stderr);
  const rows = lastLine(ended.stdout).rows.slice(2) as { method: string; generated: number; trainingSteps: number }[];
  assert.equal(rows.map(({ method, generated, trainingSteps }) => [method, generated, trainingSteps]), methods.map((method) => [method, 16, 8]));
  for (const method of methods) assert.ok((await storeOf(method)).samples().every(({ kept }) => kept), method);
});

test('the embeddings of da-fusion are learned once, before its rounds, with the steps of the config', () => {
  const learning = metrics(run).filter(({ stage }) => stage === 'da-fusion');
  assert.equal(learning.map((row) => row.step), [20, 40, 45]);
  assert.ok(learning.every((row) => row['train/learningRate'] === 4e-3));
  assert.ok(existsSync(join(run, 'da-fusion/conditions.safetensors')));
  assert.not(existsSync(join(run, `seed-${seed}/da-fusion/conditions.safetensors`)));
});

test('the images of da-fusion come from training images of the class, at strengths that the store names', async () => {
  const { train } = await openData(resolveConfig(parse(miniature)).data);
  const store = await storeOf('da-fusion'), samples = store.samples();
  const [sources, images] = [await train.read(samples.map(({ source }) => source!)), await imagesOf('da-fusion')];
  const bytes = images.length / samples.length;
  const distances = new Map<number, number[]>();
  for (const [i, { settings, source, strength, label }] of samples.entries()) {
    const { guidance, start, conditions } = (await store.generatorSettings(settings)) as any;
    assert.equal([guidance, start], [{ kind: 'none' }, { kind: 'image', strengths: [0.25, 0.5, 0.75, 1] }]);
    assert.equal(conditions, { kind: 'learned', steps: 45, batchSize: 4, learningRate: 4e-3 });
    assert.is(train.labels[source!], label);
    const distance = mean(Array.from({ length: bytes }, (_, at) => Math.abs(images[i * bytes + at] - sources[i * bytes + at])));
    distances.set(strength!, [...(distances.get(strength!) ?? []), distance]);
  }
  assert.equal([...distances.keys()].sort(), [0.25, 0.5, 0.75, 1]);
  assert.ok(mean(distances.get(1)!) > 1.5 * mean(distances.get(0.25)!), 'a larger strength moves further away');
  assert.ok((await storeOf('sdedit')).samples().every(({ strength }) => strength === undefined));
});

test('the images of gap come from the noise of the unguided ones, and from embeddings of its own', async () => {
  const [own, unguided] = [await storeOf('gap'), await storeOf('unguided')];
  assert.equal(own.samples().map(({ seed, label }) => [seed, label]), unguided.samples().map(({ seed, label }) => [seed, label]));
  const [images, others] = [await imagesOf('gap'), await imagesOf('unguided')];
  const bytes = images.length / 16;
  for (let i = 0; i < 16; i++) assert.not(images.subarray(i * bytes, (i + 1) * bytes).equals(others.subarray(i * bytes, (i + 1) * bytes)), `image ${i}`);
  for (const { settings, source } of own.samples()) {
    const { guidance, start, conditions } = (await own.generatorSettings(settings)) as any;
    assert.equal([guidance, start, source], [{ kind: 'none' }, { kind: 'noise' }, undefined]);
    assert.equal(conditions, { kind: 'opposed', iterations: 3, imagesPerClass: 2, steps: 2, learningRate: 0.04 });
  }
});

for (const stage of ['da-fusion', `seed-${seed}/da-fusion`, `seed-${seed}/gap`]) {
  test(`killed in ${stage}, a resumed run ends as if nothing had happened`, async () => {
    const killed = join(folder, `killed-${stage.replace('/', '-')}`);
    const { child, ended } = startCli(args(killed));
    const begun = () => existsSync(join(killed, 'metrics.jsonl')) && readFileSync(join(killed, 'metrics.jsonl'), 'utf8').includes(`"stage":"${stage}"`);
    while (child.exitCode === null && !begun()) await sleep(2);
    child.kill('SIGKILL');
    assert.is((await ended).signal, 'SIGKILL', 'it ended before it was killed');
    const resumed = cli(args(killed, '--resume'));
    assert.is(resumed.status, 0, resumed.stderr);
    const conditions = (of: string) => readFileSync(join(of, 'da-fusion/conditions.safetensors'), 'base64');
    assert.is(conditions(killed), conditions(run));
    for (const method of ['da-fusion', 'gap']) {
      assert.ok((await imagesOf(method, killed)).equals(await imagesOf(method)), method);
      const student = (of: string) => readFileSync(join(of, `seed-${seed}`, method, 'student.safetensors'), 'base64');
      assert.is(student(killed), student(run));
    }
  });
}

test('killed among the images of a round of gap, a resumed run takes the embeddings that were found', async () => {
  const [whole, killed] = [join(folder, 'gap'), join(folder, 'killed-gap')];
  // Images one by one: most of the round is images.
  const own = ['--set', 'methods=[gap]', '--set', 'rounds.count=1', '--set', 'sampling.batchSize=1', '--set', 'rounds.imagesPerRound=40'];
  assert.is(cli(args(whole, ...own)).status, 0);
  const stage = join(killed, `seed-${seed}/gap`);
  const found = join(stage, 'conditions-0.safetensors');
  const { child, ended } = startCli(args(killed, ...own));
  const drawn = () => existsSync(join(stage, 'store/shards')) && readdirSync(join(stage, 'store/shards')).length > 2;
  while (child.exitCode === null && !drawn()) await sleep(1);
  child.kill('SIGKILL');
  assert.is((await ended).signal, 'SIGKILL', 'it ended before it was killed');
  assert.ok(readdirSync(join(stage, 'store/shards')).length < 40);
  const { mtimeMs } = statSync(found);
  const resumed = cli(args(killed, '--resume', ...own));
  assert.is(resumed.status, 0, resumed.stderr);
  assert.is(statSync(found).mtimeMs, mtimeMs, 'they were searched for again');
  assert.ok((await imagesOf('gap', killed)).equals(await imagesOf('gap', whole)));
  for (const name of ['conditions-0.safetensors', 'student.safetensors']) {
    assert.is(readFileSync(join(stage, name), 'base64'), readFileSync(join(whole, `seed-${seed}/gap`, name), 'base64'), name);
  }
});

test('of several rounds of gap the newest embeddings are kept', () => {
  assert.equal(readdirSync(join(run, `seed-${seed}/gap`)).filter((name) => name.startsWith('conditions')), ['conditions-1.safetensors']);
});

test('the other rows are those of a run without these', async () => {
  const without = join(folder, 'without');
  const ended = cli(args(without, '--set', 'methods=[sdedit]'));
  assert.is(ended.status, 0, ended.stderr);
  assert.ok((await imagesOf('sdedit', without)).equals(await imagesOf('sdedit')));
});

test.run();
