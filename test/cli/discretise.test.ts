/** `discretise`, the pass of DAD over a training split, and the adversarial accuracy of `evaluate`, on small random networks. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';

import { attackFromFlags } from '../../lib/cli/attack-flags.js';
import { zeroShotClassifier } from '../../lib/clip/zero-shot.js';
import { applyOverrides, readConfigFile, resolveConfig } from '../../lib/config/load.js';
import { birdClasses } from '../../lib/data/birds.js';
import { openData } from '../../lib/data/open.js';
import { discretiseToStore } from '../../lib/methods/discretise-to-store.js';
import { argmax } from '../../lib/metrics/softmax.js';
import { Engine } from '../../lib/native/engine.js';
import { Autoencoder, Classifier } from '../../lib/native/models.js';
import { openStore } from '../../lib/store/store.js';
import { cli, lastLine, startCli } from '../support/cli.js';
import { relativeError } from '../support/numeric.js';
import { failure } from '../support/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-discretise-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const count = 300;
const text = `
name: dad
threads: 1
precision: fp32
seed: 4
data: { kind: birds, train: ${count}, test: 40, broad: 8 }
teacher: { weights: teacher.safetensors }
discretiser: { weights: vqgan.safetensors }
dad: { attack: { epsilon: 5, stepSize: 5, randomStart: 0.5 } }
sampling: { batchSize: 8 }
`;
const configFile = join(folder, 'dad.yaml');
writeFileSync(configFile, text);
const weights = (name: string): string => join(folder, `${name}.safetensors`);
const args = (output: string, ...more: string[]): string[] => ['discretise', '--config', configFile, '--output', output, '--json', '--quiet', ...more];
const whole = join(folder, 'whole');

test.before(async () => {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  const spec = { architecture: { family: 'cnn', width: 8, stages: 2 }, numClasses: 2, imageSize: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
  await (await Classifier.create(engine, spec, birdClasses, 5)).save(weights('teacher'));
  await (await Autoencoder.create(engine, { kind: 'vqgan', blockChannels: [4, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 2, latentChannels: 4, numCodes: 64, codeChannels: 3 }, 1)).save(weights('vqgan'));
  await (await Autoencoder.create(engine, { kind: 'taesd', width: 4, encoderBlocks: [1, 1], decoderBlocks: [1, 1], latentChannels: 4 }, 1)).save(weights('taesd'));
});

/** What a store says of each training image, by its number: one each. */
async function bySource(path: string) {
  const store = await openStore(path);
  const records = store.samples().sort((a, b) => a.source! - b.source!);
  assert.equal(records.map(({ source }) => source), Array.from({ length: count }, (_, i) => i));
  const images = Buffer.from(await store.readImages(records.map(({ key }) => key)));
  return { records, images, store };
}

test('every training image is stored once with its own label, and kept where the teacher prefers that', async () => {
  const ended = cli(args(whole));
  assert.is(ended.status, 0, ended.stderr);
  const result = lastLine(ended.stdout);
  const { records, images, store } = await bySource(whole);
  const { train } = await openData(resolveConfig({ ...parse(text), teacher: {}, discretiser: {} }).data);
  assert.equal(records.map(({ label }) => label), Array.from(train.labels));
  assert.equal(new Set(records.map(({ seed }) => seed)).size, count);

  const engine = await Engine.open({ device: 'cpu', threads: 1, precision: 'fp32' });
  const teacher = await Classifier.load(engine, weights('teacher'));
  const logits = await teacher.logits(images);
  const predictions = argmax(logits, 2);
  assert.ok(relativeError(records.flatMap(({ teacherProbabilities }) => teacherProbabilities), await teacher.probabilities(images)) < 1e-5, 'of the stored 8-bit image');
  assert.equal(records.map(({ kept }) => kept), records.map(({ label }, i) => label === predictions[i]));
  assert.equal(records.map(({ reason }) => reason), records.map(({ kept }) => (kept ? 'teacher agrees' : 'teacher disagrees')));
  const kept = records.filter((record) => record.kept).length;
  assert.ok(kept > 0 && kept < count, 'both occur');
  assert.equal([result.images, result.stored, result.kept], [count, count, kept]);
  assert.equal(result.classes.map((one: any) => one.class), birdClasses);
  assert.is(result.classes[0].kept + result.classes[1].kept, kept);

  const settings = await store.generatorSettings(records[0].settings) as any;
  assert.equal([settings.method, settings.variant, settings.epsilon, settings.seed], ['dad', 'adversarial', 5, 4]);
  assert.is(records[0].studentProbability, undefined);
  assert.ok(existsSync(join(whole, 'grid.png')));
});

test('killed, it goes on and ends as an uninterrupted one', async () => {
  const output = join(folder, 'killed');
  const often = ['--set', 'checkpoint.everySeconds=0.001'];
  const { child, ended } = startCli(args(output, ...often));
  const index = join(output, 'index.jsonl');
  while (!existsSync(index) || readFileSync(index, 'utf8').split('\n').length < 17) await sleep(5);
  child.kill('SIGKILL');
  assert.is((await ended).signal, 'SIGKILL', 'it ended before it was killed');
  assert.ok((await openStore(output)).samples().length < count);
  const again = cli(args(output, ...often));
  assert.is(again.status, 0, again.stderr);
  assert.equal((await bySource(output)).images, (await bySource(whole)).images);
  assert.is(lastLine(cli(args(output)).stdout).stored, count, 'nothing is left to do');
});

test('interrupted with Ctrl-C, what was made is stored', async () => {
  const output = join(folder, 'interrupted');
  const { child, ended } = startCli(args(output, '--set', 'sampling.batchSize=1'));
  while (!existsSync(join(output, 'settings.json'))) await sleep(5);
  await sleep(300);
  child.kill('SIGINT');
  const { status, stderr } = await ended;
  assert.is(status, 130, stderr);
  const { length } = (await openStore(output)).samples();
  assert.match(stderr, new RegExp(`Stopped with ${length} of ${count} images in ${output}`));
  assert.ok(length > 0 && length < count, `${length}`);
});

test('two processes share the work, and the images are the same', async () => {
  const output = join(folder, 'shared');
  const both = ['1/2', '2/2'].map((shard) => startCli(args(output, '--shard', shard)).ended);
  for (const { status, stderr } of await Promise.all(both)) assert.is(status, 0, stderr);
  const { records, images } = await bySource(output);
  assert.equal(records.map(({ key }) => key.split('-')[0]), records.map(({ source }) => (source! % 2 === 0 ? 'shard1of2' : 'shard2of2')));
  assert.equal(images, (await bySource(whole)).images);
});

test('what cannot be done is said before anything is made', async () => {
  const output = join(folder, 'wrong');
  const run = (overrides: string[], shard?: { index: number; count: number }) =>
    discretiseToStore(resolveConfig(applyOverrides({ ...readConfigFile(configFile), output }, overrides)), shard && { shard });
  for (const [overrides, code, message] of [
    [[`discretiser.weights=${weights('taesd')}`], 'weights', /expected an autoencoder of kind vqgan, found one of kind taesd/],
    [[`discretiser.weights=${weights('teacher')}`], 'weights', /expected an autoencoder, found a classifier/],
    [[`discretiser.pretrained.path=${weights('vqgan')}`], 'config', /discretiser: expected weights or pretrained, found both/],
    [['discretiser={}'], 'config', /discretise: expected discretiser\.weights or discretiser\.pretrained, found neither/],
    [['data={kind: birds, imageSize: 64, train: 8, test: 8, broad: 8}'], 'weights', /teacher\.safetensors: expected 64 px images/],
    [['teacher={}'], 'config', /discretise: expected teacher\.weights or teacher\.zeroShot, found neither/],
    [['teacher={zeroShot: {clip: x, tune: head}}'], 'config', /discretise: expected a teacher that is ready, found teacher\.zeroShot with tune head, which trains it first/],
  ] as const) {
    assert.match((await failure(() => run([...overrides]), code)).message, message);
  }
  assert.match((await failure(() => run([], { index: 2, count: 2 }), 'usage')).message, /expected a shard from 1 to as many as there are, found 3 of 2/);
  assert.not(existsSync(output));
  assert.match((await failure(() => run([`output=${whole}`, 'dad.attack.variant=noise-only']), 'usage')).message, /made with other weights, data, settings or another seed/);
  const ended = cli(args(output, '--shard', 'two'));
  assert.is(ended.status, 2);
  assert.match(ended.stderr, /--shard: expected number\/count, found two/);
});

test('a CLIP model as teacher, known by its weights, prompts and names', async () => {
  const clip = join(folder, 'clip');
  cpSync(new URL('../parity/goldens/clip_transformers', import.meta.url), clip, { recursive: true });
  const output = join(folder, 'zero-shot');
  const run = (zeroShot: object) => discretiseToStore(resolveConfig(applyOverrides({ ...readConfigFile(configFile), output, teacher: { zeroShot: { clip, ...zeroShot } } }, ['data.train=12'])));
  const { stored } = await run({});
  assert.is(stored, 12);
  const store = await openStore(output);
  const records = store.samples();
  const engine = await Engine.open({ device: 'cpu', threads: 1, precision: 'fp32' });
  const teacher = await zeroShotClassifier(engine, { clip, prompts: ['a photo of a {}.'], names: {} }, { classes: birdClasses, imageSize: 32 });
  const images = Buffer.from(await store.readImages(records.map(({ key }) => key)));
  assert.ok(relativeError(records.flatMap(({ teacherProbabilities }) => teacherProbabilities), await teacher.probabilities(images)) < 1e-5);
  assert.is((await run({})).stored, 12, 'the same goes on');
  const other = /made with other weights, data, settings or another seed/;
  for (const zeroShot of [{ prompts: ['a {}'] }, { names: { waterbird: 'duck' } }]) assert.match((await failure(() => run(zeroShot), 'usage')).message, other);
  const means = join(clip, 'preprocessor_config.json');
  writeFileSync(means, readFileSync(means, 'utf8').replace('0.48145466', '0.5'));
  assert.match((await failure(() => run({}), 'usage')).message, other);
});

test('evaluate says how often a classifier is right under an attack', async () => {
  const birds = new URL('../../assets/birds/teacher.safetensors', import.meta.url).pathname;
  const evaluate = (...more: string[]) => cli(['evaluate', '--config', configFile, '--weights', birds, '--quiet', ...more]);
  const flags = (more: object) => attackFromFlags({ attack: 'apgd', norm: undefined, epsilon: undefined, 'attack-steps': undefined, ...more });
  const { adversarial, ...clean } = lastLine(evaluate('--json', '--attack', 'pgd', '--epsilon', '8/255', '--attack-steps', '5').stdout);
  assert.ok(adversarial.accuracy < clean.accuracy, `${adversarial.accuracy} and ${clean.accuracy}`);
  assert.equal(adversarial.attack, { kind: 'pgd', norm: 'linf', epsilon: 8 / 255, steps: 5, stepSize: 4 / 255, randomStart: 1 });
  assert.match(evaluate('--attack', 'fgsm').stdout, /under fgsm \(linf, epsilon 0\.0157\):\n\n.*worst group/s);
  for (const [epsilon, found] of [['0.5', 0.5], ['2/8', 0.25], ['0', 0], [undefined, 4 / 255]] as const) assert.is(flags({ epsilon })!.epsilon, found);
  for (const epsilon of ['4/0', '-1', 'x', '1e3', '']) {
    assert.match((await failure(async () => flags({ epsilon }), 'usage')).message, /--epsilon: expected a number of at least 0 or a fraction, found/);
  }
  for (const [more, message] of [
    [{ 'attack-steps': 0 }, /--attack-steps: .*found 0/],
    [{ attack: 'fgsm', 'attack-steps': 5 }, /--attack-steps: expected --attack pgd or apgd, found fgsm/],
    [{ attack: undefined, epsilon: '1' }, /--epsilon: expected --attack with it, found none/],
    [{ attack: undefined, norm: 'l2' }, /--norm: expected --attack with it, found none/],
  ] as const) {
    assert.match((await failure(async () => flags(more), 'usage')).message, message);
  }
  assert.is(flags({ attack: undefined }), undefined);
});

test.run();
