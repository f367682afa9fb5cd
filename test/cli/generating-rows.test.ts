/** The rows that generate otherwise than ConfiG, in miniature: what guides their images, and that the rest is equal. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';

import { resolveConfig } from '../../lib/config/load.js';
import { openData } from '../../lib/data/open.js';
import { hardImages } from '../../lib/methods/hard-images.js';
import { planOf } from '../../lib/methods/plan.js';
import { Classifier } from '../../lib/native/models.js';
import { openStore } from '../../lib/store/store.js';
import { cli, lastLine, startCli } from '../support/cli.js';
import { image, text } from '../support/dataset-trees.js';
import { miniature, seed } from '../support/miniature.js';
import { openEngine } from '../support/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-rows-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, miniature);
const methods = ['unguided', 'sdedit', 'distdiff', 'actgen', 'teacher-only', 'student-only', 'config'];
const run = join(folder, 'run');
const [teacher, generator] = ['teacher', 'generator'].map((name) => join(run, 'foundation', name, `${name}.safetensors`));

const args = (output: string, ...more: string[]): string[] => ['distill', '--config', configFile, '--output', output, '--json', '--quiet', ...more];
const distill = (output: string, ...more: string[]) => cli(args(output, ...more));

const storeOf = (method: string) => openStore(join(run, `seed-${seed}`, method, 'store'));

test('every row has equally many steps and images', () => {
  const ended = distill(run, '--set', `methods=[${methods}]`);
  assert.is(ended.status, 0, ended.stderr);
  const rows = lastLine(ended.stdout).rows.slice(2) as { method: string; generated: number; trainingSteps: number }[];
  assert.equal(rows.map(({ method, generated, trainingSteps }) => [method, generated, trainingSteps]), methods.map((method) => [method, 16, 8]));
  const html = readFileSync(join(run, 'report.html'), 'utf8');
  for (const title of ['image to image (SDEdit)', 'guided by prototypes (DistDiff)', 'from images that the student gets wrong (ActGen)', 'guided by the teacher alone', 'guided by the student alone']) assert.ok(html.includes(title), title);
});

test('a round has so many images times the number of classes, where that is asked for', async () => {
  const output = join(folder, 'for-class');
  const ended = distill(output, '--set', `teacher.weights=${teacher}`, '--set', `generator.weights=${generator}`, '--set', 'methods=[unguided]', '--set', 'rounds.imagesPerRound=3', '--set', 'rounds.imagesFor=class');
  assert.is(ended.status, 0, ended.stderr);
  assert.is(lastLine(ended.stdout).rows.at(-1).generated, 2 * 3 * 2);
  const store = await openStore(join(output, `seed-${seed}`, 'unguided', 'store'));
  assert.equal(store.ofRound(1).map(({ label }) => label).sort(), [0, 0, 0, 1, 1, 1]);
});

test('the first round of each row has the same noise, and images of its own', async () => {
  const images: string[] = [];
  const seeds: number[][] = [];
  for (const method of methods) {
    const store = await storeOf(method);
    const first = store.samples().filter(({ round }) => round === 0);
    seeds.push(first.map((record) => record.seed));
    images.push(Buffer.from(await store.readImages(first.map(({ key }) => key))).toString('base64'));
  }
  for (const own of seeds) assert.equal(own, seeds[0]);
  assert.is(new Set(images).size, methods.length);
});

test('the store says by which terms its images were guided; selection is that of ConfiG', async () => {
  for (const [method, terms] of [['teacher-only', 'teacher'], ['student-only', 'student'], ['config', 'both']] as const) {
    const store = await storeOf(method);
    for (const { settings, kept, teacherProbabilities, label } of store.samples()) {
      assert.is(((await store.generatorSettings(settings)).guidance as any).objective.terms, terms);
      assert.is(kept, teacherProbabilities[label]! >= 0.5, method); // of two classes the preferred one, which has the 0.4 that are asked for
    }
  }
});

test('a guided image is compared with what its noise gives unguided', async () => {
  // The first round has the same noise and the same student in all rows.
  const [unguided, ...guided] = await Promise.all(['unguided', 'teacher-only', 'student-only', 'config'].map(async (method) => (await storeOf(method)).samples().filter(({ round }) => round === 0)));
  for (const own of guided) {
    own.forEach(({ unguided: before }, i) => {
      assert.ok(Math.abs(before!.teacherProbability - unguided[i].teacherProbabilities[unguided[i].label]) < 1e-3);
      assert.ok(Math.abs(before!.studentProbability - unguided[i].studentProbability) < 1e-3);
    });
  }
  assert.ok(unguided.every((record) => record.unguided === undefined));
});

test('the images of sdedit come from training images at half the strength, without guidance, and are all kept', async () => {
  const { train } = await openData(resolveConfig(parse(miniature)).data);
  const store = await storeOf('sdedit');
  const samples = store.samples();
  for (const { settings, kept, source, label } of samples) {
    const { guidance, start } = (await store.generatorSettings(settings)) as any;
    assert.equal([guidance, start], [{ kind: 'none' }, { kind: 'image', strength: 0.5 }]);
    assert.ok(kept);
    assert.is(train.labels[source!], label);
  }
  for (const { source } of (await storeOf('config')).samples()) assert.is(source, undefined, 'the other rows start from noise');
  // One of three steps, from t = 1/3 down: an image is nearer to its own start than to those of the others.
  const images = await store.readImages(samples.map(({ key }) => key)), starts = await train.read(samples.map(({ source }) => source!));
  const bytes = images.length / samples.length;
  const distance = (i: number, j: number): number => images.subarray(i * bytes, (i + 1) * bytes).reduce((sum, value, at) => sum + (value - starts[j * bytes + at]) ** 2, 0);
  samples.forEach((_, i) => samples.forEach((other, j) => {
    if (other.source !== samples[i].source) assert.ok(distance(i, i) < distance(i, j), `${i}, ${j}`);
  }));
});

test('the images of distdiff come from training images, are moved towards prototypes, and are all kept', async () => {
  const { train } = await openData(resolveConfig(parse(miniature)).data);
  const samples = (await storeOf('distdiff')).samples();
  for (const { settings, kept, source, label } of samples) {
    const { guidance, start, localPrototypes, prototypes } = (await (await storeOf('distdiff')).generatorSettings(settings)) as any;
    assert.equal(guidance, { kind: 'prototypes', rate: 10, radius: 0.2, remaining: 0.4, span: 2 });
    assert.equal([start, localPrototypes, prototypes], [{ kind: 'image', strength: 0.5 }, 3, undefined]);
    assert.ok(kept);
    assert.is(train.labels[source!], label);
  }
  // Both start from the same training images.
  const unguided = (await storeOf('sdedit')).samples();
  samples.forEach(({ source, unguided: before, round, label }, i) => {
    assert.is(source, unguided[i].source);
    if (round === 0) assert.ok(Math.abs(before!.teacherProbability - unguided[i].teacherProbabilities[label]) < 1e-3);
  });
});

test('the images of actgen start where the student of the round errs, are guided by it, and are all kept', async () => {
  const { train } = await openData(resolveConfig(parse(miniature)).data);
  const store = await storeOf('actgen');
  using student = await Classifier.load(await openEngine({ precision: 'auto' }), join(run, `seed-${seed}/edrm/student.safetensors`));
  const { startRecords, provenance } = await hardImages(student, train, 4);
  assert.ok(startRecords.some((own, label) => own.length < train.labels.filter((other) => other === label).length), 'some images are not hard');
  for (const { settings, kept, source, label, round } of store.samples()) {
    const { guidance, start, wrongTrainingImages } = (await store.generatorSettings(settings)) as any;
    assert.equal([guidance.kind, guidance.objective, guidance.until, start], ['step', { form: 'log', gamma: 1, terms: 'student' }, 0.525, { kind: 'image', strength: 0.7 }]);
    assert.ok(kept);
    assert.is(train.labels[source!], label);
    if (round > 0) continue;
    assert.ok(startRecords[label].includes(source!)); // the student of the first round is the EDRM student
    assert.is(wrongTrainingImages, provenance.wrongTrainingImages);
  }
});

for (const row of ['distdiff', 'actgen']) test(`killed after the images of either round, ${row} ends with the same images and weights when it is resumed`, async () => {
  const stage = join(run, `seed-${seed}/${row}`);
  const [index, weights] = ['store/index.jsonl', 'student.safetensors'].map((name) => join(stage, name));
  const expected = [index, weights].map((file) => readFileSync(file!));
  rmSync(stage, { recursive: true }); // the row begins again
  const again = ['--set', `methods=[${methods}]`, '--resume'];
  const images = (): number => (existsSync(index!) ? readFileSync(index!, 'utf8').split('\n').length - 1 : 0);
  for (const enough of [1, 9]) {
    const { child, ended } = startCli(args(run, ...again));
    while (child.exitCode === null && images() < enough) await sleep(2);
    child.kill('SIGKILL');
    const { signal, stderr } = await ended;
    assert.is(signal, 'SIGKILL', stderr);
  }
  const ended = distill(run, ...again);
  assert.is(ended.status, 0, ended.stderr);
  [index, weights].forEach((file, i) => assert.ok(readFileSync(file!).equals(expected[i]!), file));
});

test('with image starts every sample begins at a training image of its class, which the store names', async () => {
  const output = join(folder, 'from-images');
  const ended = distill(output, '--set', 'methods=[unguided, unguided-selected, config]', '--set', 'sampling.start={kind: image, strength: 0.7}', '--set', `teacher.weights=${teacher}`, '--set', `generator.weights=${generator}`);
  assert.is(ended.status, 0, ended.stderr);
  const { train } = await openData(resolveConfig(parse(miniature)).data);
  const sources: unknown[] = [];
  for (const method of ['unguided', 'unguided-selected', 'config']) {
    const samples = (await openStore(join(output, `seed-${seed}`, method, 'store'))).samples();
    for (const { source, label } of samples) assert.is(train.labels[source!], label, method);
    sources.push(samples.map(({ source }) => source));
  }
  assert.ok(new Set(sources[0] as number[]).size > 8, 'not the same image again and again');
  for (const own of sources) assert.equal(own, sources[0], 'from the seed, the round and the position alone');
});

test('generate starts from images too, goes on in the same way, and knows those of other data', async () => {
  const output = join(folder, 'images');
  const generate = (count: number, ...more: string[]) => cli(['generate', '--config', configFile, '--student', join(run, `seed-${seed}/edrm/student.safetensors`), '--count', String(count), '--output', output, '--json', '--quiet',
    '--set', `teacher.weights=${teacher}`, '--set', `generator.weights=${generator}`, '--set', 'sampling.start={kind: image, strength: 0.7}', ...more]);
  assert.is(generate(4).status, 0);
  const first = (await openStore(output)).samples();
  const ended = generate(10);
  assert.is(ended.status, 0, ended.stderr);
  const samples = (await openStore(output)).samples();
  assert.equal(samples.slice(0, 4), first);
  assert.ok(samples.every(({ source }) => source !== undefined));
  const other = generate(12, '--set', 'data.train=60');
  assert.is(other.status, 2, other.stderr);
  assert.match(other.stderr, 'other weights, settings or another seed');
});

test('generate starts from the inversion of training images', async () => {
  const output = join(folder, 'inverted');
  const ended = cli(['generate', '--config', configFile, '--student', join(run, `seed-${seed}/edrm/student.safetensors`), '--count', '4', '--output', output, '--json', '--quiet',
    '--set', `teacher.weights=${teacher}`, '--set', `generator.weights=${generator}`, '--set', 'sampling.start={kind: inversion, strength: 0.7, nullText: {iterations: 2}}', '--set', 'sampling.guidanceScale=2']);
  assert.is(ended.status, 0, ended.stderr);
  const store = await openStore(output);
  for (const { source, settings } of store.samples()) {
    assert.ok(source !== undefined);
    assert.equal((await store.generatorSettings(settings)).start, { kind: 'inversion', strength: 0.7, nullText: { iterations: 2, learningRate: 0.01 } });
  }
});

test('a class without training images is found before anything is trained', async () => {
  const lines = ['path,label,split'];
  for (const [name, label, split] of [['a.png', 'land', 'train'], ['b.png', 'land', 'train'], ['c.png', 'water', 'test']]) {
    await image(join(folder, 'manifest', name!));
    lines.push(`${name},${label},${split}`);
  }
  const file = text(join(folder, 'manifest/images.csv'), `${lines.join('\n')}\n`);
  const ended = distill(join(folder, 'no-class'), '--dry-run', '--set', `data={kind: manifest, file: '${file}', imageSize: 32}`, '--set', 'teacher.trainOn=train', '--set', 'generator.trainOn=train', '--set', 'sampling.start={kind: image, strength: 0.7}');
  assert.is(ended.status, 1, ended.stderr);
  assert.match(ended.stderr, /expected images of class water in train, found none/);
});

test('actgen with so few steps that nothing would be guided is refused before any training', async () => {
  const config = resolveConfig({ ...parse(miniature), methods: ['actgen'], sampling: { steps: 2 } });
  const error: any = await planOf(config).catch((reason) => reason);
  assert.is(error.code, 'config');
  assert.match(error.message, /^actgen: sampling\.guidance: expected a step from 0\.525 \(until\) to 1 \(from\), found 1 between 0\.5/);
});

test.run();
