/** The rows that repeat or weigh real images: defined where the data have every group, stopped and resumed, undefined where not. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { birdBackgrounds, birdClasses, drawBird } from '../../lib/data/birds.js';
import { openData } from '../../lib/data/open.js';
import { resolveConfig } from '../../lib/config/load.js';
import { predictAll } from '../../lib/methods/evaluate.js';
import { Classifier } from '../../lib/native/models.js';
import { cli, lastLine, startCli, timeless } from '../support/cli.js';
import { miniature, seed } from '../support/miniature.js';
import { readSafetensors } from '../support/safetensors.js';
import { openEngine } from '../support/tiny.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-reweighting-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const rowNames = ['edrm-longer', 'jtt', 'tab', 'groupdro', 'dfr'];
const root = join(folder, 'birds');
const reference = join(folder, 'reference');

/** The miniature on a folder of images, with a checkpoint after nearly every step and no time lost on a generator. */
function configFile(name: string, data: string, ...more: string[]): string {
  const path = join(folder, `${name}.yaml`);
  const replaced = miniature
    .replace(/^data: .*$/m, `data: ${data}`)
    .replace(/trainOn: broad/, 'trainOn: train')
    .replace(/headDim: 16, training: { steps: 33,/, 'headDim: 16, trainOn: train, training: { steps: 1,')
    .replace(/everySeconds: 0.1/, 'everySeconds: 0.002')
    .replace(/training: { steps: 4,/, 'training: { steps: 30,');
  writeFileSync(path, [replaced, `methods: [${rowNames}]`, ...more].join('\n'));
  return path;
}

const birds = configFile('birds', `{ kind: folder, root: ${root}, imageSize: 32 }`);
const args = (config: string, output: string, ...more: string[]): string[] => ['distill', '--config', config, '--output', output, '--json', '--quiet', ...more];

/** Birds in files: train with rare groups, val and test with all groups alike. */
async function writeBirds(): Promise<void> {
  const counts = { train: [24, 4, 6, 24], val: [4, 4, 4, 4], test: [6, 6, 6, 6] };
  for (const [split, ofGroups] of Object.entries(counts)) {
    for (const [group, count] of ofGroups.entries()) {
      const [species, background] = [Math.floor(group / 2), group % 2] as [0 | 1, 0 | 1];
      const place = join(root, split, birdClasses[species], birdBackgrounds[background]);
      mkdirSync(place, { recursive: true });
      for (let index = 0; index < count; index++) {
        const pixels = drawBird({ species, background, seed: split.length + 10 * group, index, size: 32 });
        writeFileSync(join(place, `${index}.png`), await sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } }).png().toBuffer());
      }
    }
  }
}

const weightsOf = (run: string, row: string) => readFileSync(join(run, `seed-${seed}`, row, 'student.safetensors'));
const metricsOf = (run: string) => readFileSync(join(run, 'metrics.jsonl'), 'utf8');
let rows: any[];

test.before(writeBirds);

test('with every group present all rows are measured, with the steps of the row beside them', () => {
  const ended = cli(args(birds, reference));
  assert.is(ended.status, 0, ended.stderr);
  assert.is(ended.stderr, '', 'no warning');
  ({ rows } = lastLine(ended.stdout));
  assert.equal(rows.map(({ method }) => method), ['teacher', 'edrm', ...rowNames]);
  for (const row of rows) {
    assert.not.ok('undefined' in row, row.method);
    assert.ok(row.worstGroupAccuracy.mean >= 0 && row.worstGroupAccuracy.mean <= 1);
    assert.is('upWeighted' in row, ['jtt', 'tab'].includes(row.method), row.method);
  }
  assert.equal(rows.slice(2).map(({ trainingSteps, generated }) => [trainingSteps, generated]), Array(5).fill([60, 0]));
  const students = rowNames.map((row) => weightsOf(reference, row).toString('base64'));
  assert.is(new Set(students).size, rowNames.length, 'each row trains otherwise');
});

test('JTT up-weights what the EDRM student gets wrong, TAB a smaller cluster', async () => {
  const engine = await openEngine();
  const { train } = await openData(resolveConfig({ data: { kind: 'folder', root, imageSize: 32 } }).data);
  using edrm = await Classifier.load(engine, join(reference, `seed-${seed}/edrm/student.safetensors`));
  const wrong = (await predictAll(edrm, train)).filter((prediction, i) => prediction !== train.labels[i]).length;
  const upWeighted = (method: string): number => rows.find((row) => row.method === method).upWeighted.mean;
  assert.ok(wrong > 0);
  assert.is(upWeighted('jtt'), wrong);
  assert.ok(upWeighted('tab') > 0 && upWeighted('tab') < train.length / 2);
  const html = readFileSync(join(reference, 'report.html'), 'utf8');
  assert.ok(html.includes(`JTT: training images up-weighted: ${wrong}.`));
});

test('DFR changes the head of the EDRM student and nothing below it', () => {
  const tensors = (row: string) => readSafetensors(join(reference, `seed-${seed}`, row, 'student.safetensors')).tensors;
  const [before, after] = [tensors('edrm'), tensors('dfr')];
  const changed = Object.keys(before).filter((name) => before[name]!.values.some((value, i) => value !== after[name]!.values[i]));
  assert.equal(changed.sort(), ['fc.bias', 'fc.weight']);
});

test('killed in each of the rows and in the helper of TAB, a resumed run ends as if nothing had happened', async () => {
  const run = join(folder, 'killed');
  for (const stage of ['jtt', 'tab/helper', 'tab', 'groupdro', 'dfr']) {
    const marked = () => existsSync(join(run, 'metrics.jsonl')) && metricsOf(run).includes(`"stage":"seed-${seed}/${stage}"`);
    const { child, ended } = startCli(args(birds, run, '--resume'));
    while (child.exitCode === null && !marked()) await sleep(2);
    child.kill('SIGKILL');
    const { signal, stderr } = await ended;
    assert.is(signal, 'SIGKILL', `${stage}: it ended before it could be killed: ${stderr}`);
  }
  const last = cli(args(birds, run, '--resume'));
  assert.is(last.status, 0, last.stderr);
  assert.equal(timeless(lastLine(last.stdout).rows), timeless(rows));
  assert.is(metricsOf(run), metricsOf(reference));
  for (const row of rowNames) assert.ok(weightsOf(run, row).equals(weightsOf(reference, row)), row);
});

test('without a mistake JTT repeats nothing, says so, and is the row of plain training', async () => {
  const plain = join(folder, 'plain');
  for (const split of ['train', 'test']) {
    for (const [name, grey] of [['dark', 30], ['bright', 220]] as const) {
      mkdirSync(join(plain, split, name), { recursive: true });
      for (let index = 0; index < 8; index++) {
        const background = { r: grey + index, g: grey, b: grey };
        writeFileSync(join(plain, split, name, `${index}.png`), await sharp({ create: { width: 32, height: 32, channels: 3, background } }).png().toBuffer());
      }
    }
  }
  const run = join(folder, 'plain-run');
  const ended = cli(args(configFile('plain', `{ kind: folder, root: ${plain}, imageSize: 32 }`), run, '--set', 'methods=[edrm-longer,jtt,groupdro,dfr]', '--set', 'student.training.steps=100'));
  assert.is(ended.status, 0, ended.stderr);
  const found = lastLine(ended.stdout).rows;
  assert.equal(found.find((row: any) => row.method === 'jtt').upWeighted, { mean: 0, values: [0] });
  assert.ok(weightsOf(run, 'jtt').equals(weightsOf(run, 'edrm-longer')));
  assert.ok(readFileSync(join(run, 'report.html'), 'utf8').includes('JTT: training images up-weighted: 0.'));
  // Two classes of one attribute are two groups, both there; but no image is held out.
  assert.not.ok('undefined' in found.find((row: any) => row.method === 'groupdro'));
  assert.is(found.find((row: any) => row.method === 'dfr').undefined, 'needs held-out images of every group, and the data have no validation split');
});

test('with groups absent the oracles are undefined: said before the run, in the result, the table and the report', () => {
  const run = join(folder, 'undefined');
  const config = configFile('absent', `{ kind: folder, root: ${root}, imageSize: 32, dropGroups: [landbird/water, waterbird/land] }`);
  const flags = ['--set', 'methods=[edrm-longer,groupdro,dfr]'];
  const absent = 'images of every group, and there are none of landbird/water, waterbird/land';
  assert.match(cli(['distill', '--config', config, '--dry-run', ...flags]).stdout, `warning: 'groupdro' is undefined on these data: it needs training ${absent}`);
  const ended = cli(['distill', '--config', config, '--output', run, '--json', ...flags, '--seeds', '2']);
  assert.is(ended.status, 0, ended.stderr);
  assert.match(ended.stderr, `warning: 'dfr' is undefined on these data: it needs validation ${absent}`);
  assert.match(ended.stderr, /^GroupDRO \(oracle\) +undefined /m);
  assert.match(ended.stderr, `GroupDRO (oracle) is undefined on these data: it needs training ${absent}.`);
  const { rows } = lastLine(ended.stdout);
  const none = { mean: null, values: [null, null] };
  assert.equal(rows.slice(3), [['groupdro', 'training'], ['dfr', 'validation']].map(([method, split]) => ({
    method, undefined: `needs ${split} ${absent}`, worstGroupAccuracy: none, meanGroupAccuracy: none, trainWeightedAccuracy: none, accuracy: none, classes: [], gapClosed: none, generated: 0, trainingSteps: 0, seconds: 0,
  })));
  assert.equal(JSON.parse(readFileSync(join(run, 'result.json'), 'utf8')).rows, rows);
  assert.ok(readFileSync(join(run, 'report.html'), 'utf8').includes(`it needs training ${absent}.`));
  for (const row of ['groupdro', 'dfr']) assert.not(existsSync(join(run, `seed-${seed}`, row)), row);
});

test.run();
