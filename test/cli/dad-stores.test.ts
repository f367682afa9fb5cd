/** Rows that learn from what `sparring discretise` made, in miniature: as if the run had made it, and only where it is of this run. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { applyOverrides, readConfigFile, resolveConfig } from '../../lib/config/load.js';
import { birdClasses } from '../../lib/data/birds.js';
import { openData } from '../../lib/data/open.js';
import { discretiseToStore } from '../../lib/methods/discretise-to-store.js';
import { openGivenAdversaries } from '../../lib/methods/given-adversaries.js';
import { runDistil } from '../../lib/methods/run.js';
import { Engine } from '../../lib/native/engine.js';
import { Autoencoder, Classifier } from '../../lib/native/models.js';
import { cli, timelessRows } from '../support/cli.js';
import { image } from '../support/dataset-trees.js';
import { miniature, studentWeights } from '../support/miniature.js';
import { failure } from '../support/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-dad-stores-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const within = (...names: string[]): string => join(folder, ...names);
const rows = ['dad-noise', 'dad'];
const variants = ['adversarial', 'noise-only'];
const made = `${miniature.replace(/^(teacher|generator): .*\n/gm, '')}methods: [${rows}]
precision: fp32
teacher: { weights: teacher.safetensors }
discretiser: { weights: vqgan.safetensors }
`;
// The ball is as large as an image of 32 px needs for an untrained teacher to doubt some of them.
const attack = 'attack: { epsilon: 8, stepSize: 8 }';
writeFileSync(within('made.yaml'), `${made}dad: { ${attack} }\n`);
writeFileSync(within('given.yaml'), `${made}dad: { ${attack}, stores: [${variants}] }\n`); // from the folder of the file on
const args = (config: string, output: string, ...more: string[]): string[] => ['distill', '--config', within(config), '--output', within(output), '--json', '--quiet', ...more];
const configOf = (overrides: readonly string[]) => resolveConfig(applyOverrides({ ...readConfigFile(within('given.yaml')), output: within('wrong') }, overrides));
const secondsFile = (store: string, writer = 'main'): string => within(store, `seconds-${writer}.json`);

test.before(async () => {
  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  const spec = { architecture: { family: 'cnn', width: 8, stages: 2 }, numClasses: 2, imageSize: 32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const;
  const q = { kind: 'vqgan', blockChannels: [4, 8], attention: [0, 0], layersPerBlock: 1, normGroups: 2, latentChannels: 4, numCodes: 64, codeChannels: 3 } as const;
  for (const [name, seed] of [['teacher', 5], ['other-teacher', 6]] as const) await (await Classifier.create(engine, spec, birdClasses, seed)).save(within(`${name}.safetensors`));
  for (const [name, seed] of [['vqgan', 1], ['other-vqgan', 2]] as const) await (await Autoencoder.create(engine, q, seed)).save(within(`${name}.safetensors`));
  await (await Classifier.create(engine, spec, ['cat', 'dog'], 5)).save(within('pets.safetensors'));
  for (const variant of variants) await discretiseToStore(configOf([`output=${within(variant)}`, `dad.attack.variant=${variant}`]));
});

test('rows learn from the stores to the last bit as from what the run makes itself, and count their time', () => {
  const first = cli(args('made.yaml', 'made'));
  assert.is(first.status, 0, first.stderr);
  const { seconds } = JSON.parse(readFileSync(secondsFile('adversarial'), 'utf8'));
  assert.ok(seconds > 0 && seconds < 300, `${seconds}`);
  writeFileSync(secondsFile('adversarial'), '{"seconds": 1000}');
  writeFileSync(secondsFile('adversarial', 'shard2of2'), '{"seconds": 500}');
  const second = cli(args('given.yaml', 'given'));
  assert.is(second.status, 0, second.stderr);
  assert.equal(timelessRows(second.stdout), timelessRows(first.stdout));
  for (const row of rows) assert.ok(studentWeights(within('given'), row).equals(studentWeights(within('made'), row)), row);
  for (const variant of variants) {
    assert.ok(existsSync(within('made', 'dad', variant, 'store')));
    assert.not(existsSync(within('given', 'dad', variant, 'store')), 'made again');
    assert.equal(readFileSync(within('given', 'grids', `dad-${variant}.png`)), readFileSync(within('made', 'grids', `dad-${variant}.png`)));
  }
  const took = (name: string): number => JSON.parse(second.stdout.trimEnd().split('\n').at(-1)!).rows.find(({ method }: any) => method === name).seconds;
  assert.ok(took('dad') > 1500 && took('dad') < 1800, `${took('dad')}`);
  assert.ok(took('dad-noise') < 300, `${took('dad-noise')}`);
});

test('a store that is not of this run, or not complete, is refused before anything is trained', async () => {
  const half = within('half');
  await discretiseToStore(configOf([`output=${half}`]), { shard: { index: 0, count: 2 } });
  const copy = within('copy');
  cpSync(within('adversarial'), copy, { recursive: true });
  for (const [overrides, code, message] of [
    [[`dad.stores=[${within('nowhere')}]`], 'data', /nowhere: expected a sample store, found no settings\.json/],
    [[`dad.stores=[${within('made', 'dad', 'adversarial', 'store')}]`], 'data', /store: expected a store that sparring discretise wrote, found images made otherwise/],
    [[`dad.stores=[${within('adversarial')}, ${copy}]`], 'config', /dad\.stores: expected one store of a variant, found \S+adversarial and \S+copy, both of adversarial/],
    [[`dad.stores=[${half}]`], 'data', /half: expected an image for each of 64 training images, found 32/],
    [['dad.attack.epsilon=4'], 'config', /adversarial: epsilon: expected 4, as this run has it, found 8, with which/],
    [['dad.attack.norm=linf'], 'config', /norm: expected "linf", .* found "l2"/],
    [['dad.attack.steps=2'], 'config', /steps: expected 2, .* found 1/],
    [['dad.attack.stepSize=1'], 'config', /stepSize: expected 1, .* found 8/],
    [['dad.attack.randomStart=1'], 'config', /randomStart: expected 1, .* found 0/],
    [[`teacher.weights=${within('other-teacher.safetensors')}`], 'config', /the teacher: expected SHA-256 \w{12}\.\.\., .* found SHA-256 \w{12}\.\.\./],
    [[`discretiser.weights=${within('other-vqgan.safetensors')}`], 'config', /the discretiser: expected SHA-256/],
    [['data.seed=1'], 'config', /data\.seed: expected 1, .* found 0/],
    [['teacher={}'], 'config', /dad\.stores: expected teacher\.weights beside it, found none/],
    [['discretiser={}'], 'config', /dad\.stores: expected discretiser\.weights or discretiser\.pretrained beside it, found neither/],
    [['dad.stores=adversarial'], 'config', /dad\.stores: expected array, found "adversarial"/],
  ] as const) {
    const { message: found } = await failure(async () => runDistil(configOf(overrides)), code);
    assert.match(found, message);
    assert.not(existsSync(within('wrong', 'config.yaml')), 'not even a run');
  }
});

test('the seed and the precision of a store need not be those of the run; nor need all its variants be there', async () => {
  const config = configOf(['seed=99', 'precision=bf16', `dad.stores=[${within('noise-only')}]`]);
  const given = await openGivenAdversaries({ config, engine: await Engine.open(config), data: await openData(config.data) });
  assert.equal([...given.keys()], ['noise-only']);
  assert.is(given.get('noise-only')!.store.writer, undefined, 'for reading alone');
});

test('a run goes on with the stores that it was begun with alone', async () => {
  const moved = cli(args('given.yaml', 'given', '--resume', '--set', `dad.stores=[${within('noise-only')}]`));
  assert.is(moved.status, 2);
  assert.match(moved.stderr, /the config differs .*: dad\.stores: expected/);
  const store = within('adversarial');
  rmSync(store, { recursive: true });
  await discretiseToStore(configOf([`output=${store}`, 'seed=4']));
  const changed = cli(args('given.yaml', 'given', '--resume', '--set', 'methods=[dad, ard]'));
  assert.is(changed.status, 2, changed.stdout);
  assert.match(changed.stderr, /adversarial: expected the images that this run was begun with \(settings \w{12}\), found others \(\w{12}\)/);
});

test('images on disk may lie elsewhere, but are the same', async () => {
  const pets = within('pets');
  for (const split of ['train', 'test']) for (const name of ['cat', 'dog']) for (const i of [0, 1]) await image(join(pets, split, name, `${i}.png`), { grey: 40 * i });
  const of = (root: string, ...more: string[]) => configOf([`data={kind: folder, imageSize: 32, root: ${root}}`, `teacher.weights=${within('pets.safetensors')}`, ...more]);
  const store = within('of-pets');
  await discretiseToStore(of(pets, `output=${store}`));
  const copy = within('pets-copy');
  cpSync(pets, copy, { recursive: true });
  const open = async () => {
    const config = of(copy, `dad.stores=[${store}]`);
    return openGivenAdversaries({ config, engine: await Engine.open(config), data: await openData(config.data) });
  };
  assert.is((await open()).get('adversarial')!.store.samples().length, 4);
  await image(join(copy, 'train/dog/2.png'));
  assert.match((await failure(open, 'config')).message, /of-pets: images\.train\/dog: expected "3 images, .*, found "2 images/);
});

test.run();
