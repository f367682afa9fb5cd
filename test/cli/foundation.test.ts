/** `foundation` and what it is for: `generate` with the weights that it wrote, guided in each way and not at all. */
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { birdClasses } from '../../lib/data/birds.js';
import { Engine } from '../../lib/native/engine.js';
import { Classifier } from '../../lib/native/models.js';
import { openStore, type SampleStore } from '../../lib/store/store.js';
import { cli, lastLine, startCli } from '../support/cli.js';
import { miniature } from '../support/miniature.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-foundation-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, miniature);
const foundation = join(folder, 'foundation');
const weights = (name: 'teacher' | 'generator'): string => join(foundation, `${name}.safetensors`);

function makeArgs(output: string, ...more: string[]): string[] {
  return ['foundation', '--config', configFile, '--output', output, '--json', '--quiet', ...more];
}

/** The bytes of every tensor of a file but the statistics of batch norm, which move in every training step. */
function learned(path: string): Map<string, Buffer> {
  const bytes = readFileSync(path);
  const data = 8 + Number(bytes.readBigUInt64LE(0));
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.toString('utf8', 8, data)) as Record<string, { data_offsets: [number, number] }>;
  const entries = Object.entries(tensors).filter(([name]) => !/running_|num_batches_tracked/.test(name));
  return new Map(entries.map(([name, { data_offsets: [begin, end] }]) => [name, bytes.subarray(data + begin, data + end)]));
}

const student = join(folder, 'student.safetensors');

function generateArgs(output: string, ...more: string[]): string[] {
  const networks = ['--set', `teacher.weights=${weights('teacher')}`, '--set', `generator.weights=${weights('generator')}`];
  return ['generate', '--config', configFile, ...networks, '--output', output, '--json', '--quiet', ...more];
}

async function imagesOf(store: SampleStore): Promise<Buffer> {
  return Buffer.from(await store.readImages(store.samples().map(({ key }) => key)));
}

test.before(async () => {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  const spec = { architecture: { family: 'cnn', width: 8, stages: 2 }, numClasses: 2, imageSize: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
  await (await Classifier.create(engine, spec, birdClasses, 0)).save(student);
});

test('foundation writes both networks and how they were made', () => {
  const ended = cli(makeArgs(foundation));
  assert.is(ended.status, 0, ended.stderr);
  const result = lastLine(ended.stdout);
  assert.is(result.command, 'foundation');
  assert.equal(readdirSync(foundation).sort(), ['foundation.json', 'generator.safetensors', 'teacher.safetensors']);
  const record = JSON.parse(readFileSync(join(foundation, 'foundation.json'), 'utf8'));
  assert.is(record.config.generator.training.steps, 33);
  assert.is(record.teacher.worstGroupAccuracy, result.teacher.worstGroupAccuracy);
  assert.match(record.command, 'sparring foundation --config');
  assert.ok(record.seconds.teacher > 0 && record.seconds.generator > 0);
});

test('a CLIP model as teacher: zero-shot, and with its head trained on', () => {
  const clip = new URL('../parity/goldens/clip_transformers', import.meta.url).pathname;
  const make = (tune: 'none' | 'head'): Map<string, Buffer> => {
    const output = join(folder, `clip-${tune}`);
    const settings = [`teacher.zeroShot={clip: "${clip}", tune: ${tune}, names: {waterbird: duck}}`, 'teacher.training.steps=3', 'generator.training.steps=2'];
    const ended = cli(makeArgs(output, ...settings.flatMap((value) => ['--set', value])));
    assert.is(ended.status, 0, ended.stderr);
    const { teacher } = JSON.parse(readFileSync(join(output, 'foundation.json'), 'utf8'));
    assert.ok(teacher.meanGroupAccuracy >= 0 && teacher.meanGroupAccuracy <= 1);
    return learned(join(output, 'teacher.safetensors'));
  };
  const [plain, probe] = [make('none'), make('head')];
  assert.equal([...plain.keys()], [...probe.keys()]);
  const changed = [...plain.keys()].filter((name) => !plain.get(name)!.equals(probe.get(name)!));
  assert.equal(changed.sort(), ['head.bias', 'head.weight']);
});

test('generate takes a CLIP model as teacher, and knows the images of other prompts', async () => {
  const clip = new URL('../parity/goldens/clip_transformers', import.meta.url).pathname;
  const output = join(folder, 'clip-images');
  const generate = (teacher: string) => cli(['generate', '--config', configFile, '--set', `teacher={zeroShot: {clip: "${clip}"${teacher}}}`, '--set', `generator.weights=${weights('generator')}`, '--student', student, '--count', '3', '--output', output, '--json', '--quiet']);
  const ended = generate('');
  assert.is(ended.status, 0, ended.stderr);
  assert.is(lastLine(ended.stdout).generated, 3);
  const store = await openStore(output);
  const { teacher } = await store.generatorSettings(store.samples()[0]!.settings) as any;
  assert.equal([teacher.prompts, teacher.names, /^[0-9a-f]{64}$/.test(teacher.clip)], [['a photo of a {}.'], {}, true]);
  for (const [more, message] of [[', prompts: ["a {}"]', /other weights, settings or another seed/], [', tune: all', /generate: expected a teacher that is ready, found teacher\.zeroShot with tune all/]] as const) {
    const refused = generate(more);
    assert.is(refused.status, 2);
    assert.match(refused.stderr, message);
  }
});

test('start: the training goes on from the given weights', () => {
  const still = ['teacher', 'generator'].flatMap((role) => [`${role}.start=${join(foundation, `${role}.safetensors`)}`, `${role}.training.steps=2`, `${role}.training.learningRate=1e-12`]);
  const output = join(folder, 'started');
  const ended = cli(makeArgs(output, ...still.flatMap((value) => ['--set', value])));
  assert.is(ended.status, 0, ended.stderr);
  for (const role of ['teacher', 'generator']) {
    const [found, expected] = [output, foundation].map((of) => learned(join(of, `${role}.safetensors`)));
    assert.ok(expected!.size > 4);
    assert.equal(found, expected, `steps of no length leave the ${role} as it was`);
  }
  const refused = cli(makeArgs(join(folder, 'wrong-start'), '--set', `generator.start=${student}`));
  assert.is(refused.status, 1);
  assert.match(refused.stderr, /error \(weights\): .*student\.safetensors: expected a generator, found a classifier/);
});

test('a run goes on without the file that its finished teacher began with', () => {
  const [start, output] = [join(folder, 'start.safetensors'), join(folder, 'begun')];
  const distill = (...more: string[]) => cli(['distill', '--config', configFile, '--output', output, '--json', '--quiet', '--set', `teacher.start=${start}`, '--set', 'teacher.training.steps=2', ...more]);
  cpSync(weights('teacher'), start);
  const ended = distill('--set', 'methods=[edrm-longer]');
  assert.is(ended.status, 0, ended.stderr);
  assert.equal(Object.keys(JSON.parse(readFileSync(join(output, 'weights.json'), 'utf8'))), [start]);
  rmSync(start);
  const joined = distill('--resume', '--set', 'methods=[edrm-longer, randaugment]');
  assert.is(joined.status, 0, joined.stderr);
  assert.equal(lastLine(joined.stdout).rows.map(({ method }: { method: string }) => method), ['teacher', 'edrm', 'edrm-longer', 'randaugment']);
});

test('stopped by Ctrl-C and resumed, it ends with the same weights; without --resume it is refused', async () => {
  const output = join(folder, 'stopped');
  const { child, ended } = startCli(makeArgs(output));
  const metrics = join(output, 'work/metrics.jsonl');
  while (child.exitCode === null && !(existsSync(metrics) && readFileSync(metrics, 'utf8').includes('foundation/generator'))) await sleep(2);
  child.kill('SIGINT');
  const { status, stdout, stderr } = await ended;
  assert.is(status, 130, stderr);
  assert.is(stdout, '');
  assert.match(stderr, 'Continue with --resume.');

  const again = cli(makeArgs(output));
  assert.is(again.status, 2);
  assert.match(again.stderr, /error \(usage\): .*expected an empty folder, found a run/);
  assert.is(cli(makeArgs(output, '--resume')).status, 0);
  for (const name of ['teacher.safetensors', 'generator.safetensors']) {
    assert.ok(readFileSync(join(output, name)).equals(readFileSync(join(foundation, name))), name);
  }
});

test('generate: per step, through the chain, with conditions, and unguided start from the same noise and end in different images', async () => {
  const ways: [string, string[]][] = [
    ['unguided', ['--unguided']],
    ['step', []],
    ['chain', ['--set', 'sampling.guidance={"kind":"chain","iterations":2}']],
    ['chain of DiG-IN', ['--set', 'sampling.guidance={kind: chain, iterations: 2, lastPredictions: 3, cutouts: {count: 2, noise: 0.01}, conditions: {moved: both, learningRate: 0.1}}', '--set', 'sampling.guidanceScale=2']],
  ];
  const images: Buffer[] = [];
  for (const [name, flags] of ways) {
    const output = join(folder, name);
    const ended = cli(generateArgs(output, '--student', student, '--count', '12', ...flags));
    assert.is(ended.status, 0, ended.stderr);
    assert.is(lastLine(ended.stdout).generated, 12);
    assert.ok((await sharp(join(output, 'grid.png')).metadata()).width! > 32);
    const store = await openStore(output);
    const samples = store.samples();
    assert.equal(samples.map(({ label }) => label), Array.from({ length: 12 }, (_, i) => i % 2));
    const settings = (await store.generatorSettings(samples[0]!.settings)) as { guidance: { kind: string } };
    assert.is(settings.guidance.kind, name === 'unguided' ? 'none' : name.split(' ')[0]);
    images.push(await imagesOf(store));
  }
  images.forEach((own, i) => images.slice(0, i).forEach((other) => assert.not(own.equals(other))));
});

test('generate: stopped by Ctrl-C, the same command goes on and makes the same images', async () => {
  const slow = ['--student', student, '--count', '24', '--set', 'sampling.batchSize=2', '--set', 'sampling.steps=12'];
  const whole = join(folder, 'whole'), stopped = join(folder, 'cut');
  assert.is(cli(generateArgs(whole, ...slow)).status, 0);
  const { child, ended } = startCli(generateArgs(stopped, ...slow));
  while (child.exitCode === null && !existsSync(join(stopped, 'index.jsonl'))) await sleep(2);
  child.kill('SIGINT');
  const { status, stderr } = await ended;
  assert.is(status, 130, stderr);
  assert.match(stderr, /Stopped with \d+ of 24 images in .*cut\.\nThe same command goes on from there\./);
  assert.is(cli(generateArgs(stopped, ...slow)).status, 0);
  assert.ok((await imagesOf(await openStore(stopped))).equals(await imagesOf(await openStore(whole))));
});

test('generate: a folder with images of another seed is refused, a larger count adds to those of the same', async () => {
  const output = join(folder, 'step');
  const other = cli(generateArgs(output, '--student', student, '--count', '12', '--seed', '99'));
  assert.is(other.status, 2, other.stderr);
  assert.match(other.stderr, /error \(usage\): .*step: the images there were made with other weights, settings or another seed/);
  const before = await imagesOf(await openStore(output));
  const more = cli(generateArgs(output, '--student', student, '--count', '20'));
  assert.is(more.status, 0, more.stderr);
  assert.is(lastLine(more.stdout).generated, 20);
  assert.ok((await imagesOf(await openStore(output))).subarray(0, before.length).equals(before));
});

test('foundation --dry-run prints the plan and trains nothing', () => {
  const output = join(folder, 'dry');
  const ended = cli(['foundation', '--config', configFile, '--output', output, '--dry-run']);
  assert.is(ended.status, 0, ended.stderr);
  assert.match(ended.stdout, /^generator .* to be trained, 33 steps$/m);
  assert.not(existsSync(output));
});

test('evaluate: accuracy by group, as text and as one JSON object', () => {
  const evaluateArgs = ['evaluate', '--config', configFile, '--weights', weights('teacher')];
  const plain = cli(evaluateArgs);
  assert.is(plain.status, 0, plain.stderr);
  assert.match(plain.stdout, /^waterbird\/land +\d+\.\d % .* of 10\)$/m);
  const { command, groups, worstGroupAccuracy } = lastLine(cli([...evaluateArgs, '--json']).stdout);
  assert.is(command, 'evaluate');
  assert.equal(groups.map(({ count }: { count: number }) => count), [10, 10, 10, 10]);
  assert.is(worstGroupAccuracy, JSON.parse(readFileSync(join(foundation, 'foundation.json'), 'utf8')).teacher.worstGroupAccuracy);
});

test('generate: a student that is no classifier is refused before anything is made', () => {
  const output = join(folder, 'refused');
  const ended = cli(generateArgs(output, '--student', weights('generator')));
  assert.is(ended.status, 1);
  assert.match(ended.stderr, /error \(weights\): .*generator\.safetensors: expected a classifier, found a generator/);
  assert.not(existsSync(output));
});

test.run();
