/** `foundation --kind vqgan`: what it writes, that it is the same after an interruption, and what it refuses. */
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { Engine } from '../../lib/native/engine.js';
import { Autoencoder } from '../../lib/native/models.js';
import { cli, lastLine, startCli } from '../support/cli.js';
import { goldenPath } from '../support/safetensors.js';
import { miniature } from '../support/miniature.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-discretiser-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const configFile = join(folder, 'miniature.yaml');
writeFileSync(configFile, `${miniature}
discretiser: { blockChannels: [8, 16], attention: [0, 1], normGroups: 4, numCodes: 32, codeChannels: 4, adversarialFrom: 10, training: { steps: 33, batchSize: 8 } }
`);
const made = join(folder, 'made');
const makeArgs = (output: string, ...more: string[]): string[] => ['foundation', '--kind', 'vqgan', '--config', configFile, '--output', output, '--json', '--quiet', ...more];

test('it writes the discretiser, what it does to the test images, and how it was made', async () => {
  const ended = cli(makeArgs(made));
  assert.is(ended.status, 0, ended.stderr);
  const result = lastLine(ended.stdout);
  assert.equal(readdirSync(made).sort(), ['discretiser.json', 'discretiser.png', 'discretiser.safetensors']);
  const record = JSON.parse(readFileSync(join(made, 'discretiser.json'), 'utf8'));
  const { command, config, ...measured } = record;
  const { command: verb, folder: where, ...printed } = result;
  assert.equal([verb, where], ['foundation', made]);
  assert.equal(measured, printed);
  assert.match(command, 'sparring foundation --kind vqgan');
  assert.is(config.discretiser.training.steps, 33);
  assert.ok(measured.psnr > 5 && measured.psnrOfMeanColour > 5 && measured.codesUsed >= 1 && measured.codesUsed <= 32);
  for (const share of [...Object.values(measured.teacher.images), ...Object.values(measured.teacher.discretised), measured.teacher.agreement]) assert.ok((share as number) >= 0 && (share as number) <= 1);
  assert.ok(measured.seconds.teacher > 0 && measured.seconds.discretiser > 0);
  const { width, height } = await sharp(join(made, 'discretiser.png')).metadata();
  assert.ok(width! > 5 * height!, 'twelve columns, two rows');

  const engine = await Engine.open({ device: 'cpu', threads: 1 });
  using model = await Autoencoder.load(engine, join(made, 'discretiser.safetensors'));
  assert.equal(model.spec, { kind: 'vqgan', blockChannels: [8, 16], attention: [0, 1], layersPerBlock: 1, normGroups: 4, latentChannels: 4, numCodes: 32, codeChannels: 4 });
});

test('stopped by Ctrl-C and resumed, it ends with the same weights and measures', async () => {
  const output = join(folder, 'stopped');
  const { child, ended } = startCli(makeArgs(output, '--set', 'discretiser.training.steps=33'));
  const metrics = join(output, 'work/metrics.jsonl');
  while (child.exitCode === null && !(existsSync(metrics) && readFileSync(metrics, 'utf8').includes('foundation/discretiser'))) await sleep(2);
  child.kill('SIGINT');
  const { status, stderr } = await ended;
  assert.is(status, 130, stderr);
  assert.match(stderr, 'Continue with --resume.');
  const logged = readFileSync(metrics, 'utf8').trim().split('\n').map((line) => JSON.parse(line)).find(({ stage, step }) => stage === 'foundation/discretiser' && step === 20);
  for (const name of ['loss', 'absoluteError', 'perceptual', 'codebook', 'adversarial', 'adversarialWeight', 'discriminator']) assert.ok(Number.isFinite(logged[`train/${name}`]), name);
  assert.is(cli(makeArgs(output, '--resume')).status, 0);
  assert.ok(readFileSync(join(output, 'discretiser.safetensors')).equals(readFileSync(join(made, 'discretiser.safetensors'))));
  const measured = (of: string): object => ({ ...JSON.parse(readFileSync(join(of, 'discretiser.json'), 'utf8')), seconds: 0, command: '', config: 0 });
  assert.equal(measured(output), measured(made));
});

test('with LPIPS it is another discretiser', () => {
  const output = join(folder, 'lpips');
  const ended = cli(makeArgs(output, '--set', `discretiser.lpips=${goldenPath('lpips')}`));
  assert.is(ended.status, 0, ended.stderr);
  assert.not(readFileSync(join(output, 'discretiser.safetensors')).equals(readFileSync(join(made, 'discretiser.safetensors'))));
});

test('a run goes on without LPIPS once its discretiser is trained', () => {
  const [lpips, output] = [join(folder, 'lpips.safetensors'), join(folder, 'run')];
  cpSync(goldenPath('lpips'), lpips);
  const distill = (...more: string[]) => cli(['distill', '--config', configFile, '--output', output, '--json', '--quiet', '--set', `discretiser.lpips=${lpips}`, '--set', 'discretiser.training.steps=2', ...more]);
  const ended = distill('--set', 'methods=[dad]');
  assert.is(ended.status, 0, ended.stderr);
  assert.equal(Object.keys(JSON.parse(readFileSync(join(output, 'weights.json'), 'utf8'))), [lpips]);
  rmSync(lpips);
  const joined = distill('--resume', '--set', 'methods=[dad, dad-labels]');
  assert.is(joined.status, 0, joined.stderr);
  assert.equal(lastLine(joined.stdout).rows.map(({ method }: { method: string }) => method), ['teacher', 'edrm', 'dad-labels', 'dad']);
});

test('--dry-run says what would be trained and writes nothing', () => {
  const output = join(folder, 'dry');
  const ended = cli(['foundation', '--kind', 'vqgan', '--config', configFile, '--output', output, '--dry-run']);
  assert.is(ended.status, 0, ended.stderr);
  assert.match(ended.stdout, /^discretiser +[\d,]+ parameters, to be trained, 33 steps; an image is 16 x 16 of 32 codes$/m);
  assert.match(ended.stdout, /^teacher .* to be trained, 45 steps$/m);
  assert.not(existsSync(output));
});

test('what cannot be trained is refused before anything is written', () => {
  const cases: [settings: string[], code: string, message: RegExp, status?: number][] = [
    [['discretiser.attention=[0]'], 'config', /discretiser\.attention: expected 2 entries, one per level, found 1/],
    [['discretiser.normGroups=5'], 'config', /discretiser\.normGroups: 5 does not divide 8 channels/],
    [['discretiser.blockChannels=[8,8,8,8,8,8,8]', 'discretiser.attention=[0,0,0,0,0,0,0]'], 'config', /discretiser\.blockChannels: 7 levels need an image size divisible by 64, found 32/],
    [['discretiser.trainOn=balanced'], 'config', /discretiser\.trainOn: .* has no split 'balanced'/],
    [['discretiser.weights=some.safetensors'], 'config', /discretiser: expected one to train, found weights that are ready/],
    [['discretiser.lpips=nowhere.safetensors'], 'io', /nowhere\.safetensors/, 1],
    [[`discretiser.lpips=${goldenPath('resnet_cifar')}`], 'weights', /expected LPIPS on VGG16/, 1],
    [['discretiser.perceptualWieght=1'], 'config', /unknown key 'discretiser\.perceptualWieght'/],
  ];
  for (const [settings, code, message, status = 2] of cases) {
    const output = join(folder, 'refused');
    const ended = cli(makeArgs(output, ...settings.flatMap((value) => ['--set', value])));
    assert.is(ended.status, status, ended.stderr);
    assert.match(ended.stderr, new RegExp(`error \\(${code}\\)`));
    assert.match(ended.stderr, message);
    assert.not(existsSync(join(output, 'work/config.yaml')));
  }
  const unknown = cli(['foundation', '--kind', 'gan', '--config', configFile]);
  assert.is(unknown.status, 2);
  assert.match(unknown.stderr, 'vqgan');
});

test.run();
