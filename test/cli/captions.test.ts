/** The main job with a generator that is told captions of training images. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openStore } from '../../lib/store/store.js';
import { cli, lastLine } from '../support/cli.js';
import { image } from '../support/dataset-trees.js';
import { pipelineFolder } from '../support/pipeline.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-captions-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const labels = ['cat', 'cat', 'cat', 'dog', 'dog', 'dog'];
for (let i = 0; i < labels.length; i++) await image(join(folder, `${i}.png`), { width: 16, height: 16, grey: 40 * i });
/** The list of the images, of which the last of each class is tested. */
function list(name: string, captionOf: ((i: number) => string) | null): string {
  const lines = labels.map((label, i) => [`${i}.png`, label, i % 3 === 2 ? 'test' : 'train', ...(captionOf ? [captionOf(i)] : [])].join(','));
  const path = join(folder, name);
  writeFileSync(path, `${[`path,label,split${captionOf ? ',caption' : ''}`, ...lines].join('\n')}\n`);
  return path;
}
const captionOf = (i: number): string => `number ${i} in the snow`;
const set = list('set.csv', captionOf);

const configFile = join(folder, 'captions.yaml');
writeFileSync(configFile, `
name: captions
threads: 1
data: { kind: manifest, file: set.csv, imageSize: 16 }
teacher: { architecture: { family: cnn, width: 4, stages: 2 }, trainOn: train, training: { steps: 4, batchSize: 4 } }
generator: { pretrained: { path: ${JSON.stringify(pipelineFolder())}, prompt: 'a {}, {caption}', drawSize: 32 } }
student: { architecture: { family: cnn, width: 4, stages: 2 }, training: { steps: 2, batchSize: 4 } }
methods: [unguided, sdedit, config, gap]
rounds: { count: 1, imagesPerRound: 12, training: { steps: 2, batchSize: 4 }, teacherProbability: 0 }
sampling: { steps: 2, guidanceScale: 2, batchSize: 4, guidance: { kind: step, scale: 0.2, until: 0.2 } }
gap: { iterations: 1, imagesPerClass: 1, steps: 2 }
`);
const run = join(folder, 'run');
const distill = (...more: string[]) => cli(['distill', '--config', configFile, '--output', run, '--json', '--quiet', ...more]);
const samplesOf = async (of: string) => (await openStore(of)).samples();

test('without the captions of some or all images the run ends before it begins', () => {
  const none = distill('--set', `data.file=${list('none.csv', null)}`, '--dry-run');
  assert.is(none.status, 1, none.stderr);
  assert.match(none.stderr, /expected a caption of every training image, which generator\.pretrained\.prompt has as \{caption\}, found none/);
  const some = distill('--set', `data.file=${list('some.csv', (i) => (i === 3 ? '' : captionOf(i)))}`);
  assert.is(some.status, 1, some.stderr);
  assert.match(some.stderr, /found 1 of 4 without, first image 2 \(of class dog\)/);
  assert.not(existsSync(join(run, 'config.yaml')));
  assert.not(existsSync(join(run, 'foundation')));
});

test('each image is told the caption of an image of its class: that from which it starts, where it starts from one', async () => {
  const ended = distill();
  assert.is(ended.status, 0, ended.stderr);
  assert.equal(lastLine(ended.stdout).rows.slice(2).map(({ generated }: { generated: number }) => generated), [12, 12, 12, 12]);
  const trainLabels = [0, 0, 1, 1]; // in the order of their names
  const [unguided, sdedit, config, gap] = await Promise.all(['unguided', 'sdedit', 'config', 'gap'].map((row) => samplesOf(join(run, `seed-0/${row}/store`))));
  for (const { label, captionOf: record } of [...unguided, ...sdedit, ...config]) assert.is(trainLabels[record!], label);
  assert.ok(sdedit.every(({ source, captionOf }) => source === captionOf));
  assert.ok(unguided.every(({ source }) => source === undefined));
  assert.equal(config.map(({ captionOf }) => captionOf), unguided.map(({ captionOf }) => captionOf));
  assert.equal(sdedit.map(({ captionOf }) => captionOf), unguided.map(({ captionOf }) => captionOf));
  assert.is(new Set(unguided.map(({ captionOf }) => captionOf)).size, 4);
  assert.ok(gap.every(({ captionOf }) => captionOf === undefined), 'a row with embeddings of its own is told no captions');
  const { captions } = JSON.parse(readFileSync(join(run, 'captions.json'), 'utf8'));
  const store = await openStore(join(run, 'seed-0/unguided/store'));
  assert.is((await store.generatorSettings(unguided[0].settings)).captions, captions);
});

test('with other captions under the same name the run does not go on', () => {
  list('set.csv', (i) => (i === 1 ? 'another' : captionOf(i)));
  const refused = distill('--resume');
  list('set.csv', captionOf);
  assert.is(refused.status, 1, refused.stderr);
  assert.match(refused.stderr, /expected the captions that the run in .* was begun with/);
});

test('generate tells captions too, those of a run with its seed, and knows other captions', async () => {
  const output = join(folder, 'images');
  const generate = (count: number) =>
    cli(['generate', '--config', configFile, '--set', `teacher.weights=${join(run, 'foundation/teacher/teacher.safetensors')}`, '--student', join(run, 'seed-0/config/student.safetensors'), '--count', String(count), '--output', output, '--json', '--quiet']);
  for (const count of [3, 7]) {
    const ended = generate(count);
    assert.is(ended.status, 0, ended.stderr);
  }
  const told = async (of: string) => (await samplesOf(of)).slice(0, 7).map(({ label, captionOf }) => [label, captionOf]);
  assert.equal(await told(output), await told(join(run, 'seed-0/unguided/store')));
  list('set.csv', (i) => (i === 1 ? 'another' : captionOf(i)));
  const refused = generate(8);
  list('set.csv', captionOf);
  assert.is(refused.status, 2, refused.stderr);
  assert.match(refused.stderr, 'other weights, settings or another seed');
});

test.run();
