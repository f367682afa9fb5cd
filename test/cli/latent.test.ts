/** The main job with big parts in small: Stable Diffusion's architecture, a vision transformer as teacher, MobileNetV3 as student. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { Engine } from '../../lib/native/engine.js';
import { Autoencoder } from '../../lib/native/models.js';
import { openStore } from '../../lib/store/store.js';
import { cli, lastLine } from '../support/cli.js';
import { pipelineFolder } from '../support/pipeline.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-latent-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const model = pipelineFolder();
const configFile = join(folder, 'latent.yaml');
writeFileSync(configFile, `
name: latent
threads: 1
data: { kind: birds, imageSize: 64, train: 32, test: 24, broad: 32 }
teacher: { architecture: { family: vit, patch: 16, dim: 32, depth: 2, heads: 2, mlpDim: 64 }, training: { steps: 8, batchSize: 8 } }
generator: { pretrained: { path: ${JSON.stringify(model)}, prompt: 'a {}', names: { landbird: land bird, waterbird: water bird }, drawSize: 32 } }
student: { architecture: mobilenetv3_small_100, training: { steps: 4, batchSize: 8 } }
methods: [dad-generator, unguided, distdiff, config]
dad: { generatorStrength: 0.7 }
rounds: { count: 2, imagesPerRound: 6, training: { steps: 3, batchSize: 8 }, teacherProbability: 0 }
sampling: { steps: 3, guidanceScale: 2, batchSize: 4, sampler: euler, guidance: { kind: step, scale: 0.2, until: 0.2 } }
`);

const run = join(folder, 'run');
const args = (...more: string[]): string[] => ['distill', '--config', configFile, '--output', run, '--json', '--quiet', ...more];

test('the plan names the model folder', () => {
  const ended = cli(args('--dry-run'));
  assert.is(ended.status, 0, ended.stderr);
  assert.match(ended.stdout, `from ${model}`);
  assert.match(ended.stdout, '3 euler steps');
  assert.not(existsSync(join(run, 'config.json')));
});

test('the plan refuses what the run could not draw', () => {
  const ended = cli(args('--dry-run', '--set', 'sampling.sampler=ddim', '--set', 'sampling.steps=1000')); // with an offset of 1
  assert.is(ended.status, 2, ended.stderr);
  assert.match(ended.stderr, /timesteps below 1000, found 1000 steps/);
});

test('foundation trains no published generator, and says so before it trains a teacher', () => {
  const ended = cli(['foundation', '--config', configFile, '--output', join(folder, 'foundation'), '--quiet']);
  assert.is(ended.status, 2, ended.stderr);
  assert.match(ended.stderr, 'generator.pretrained: expected a generator to train');
});

test('distil, generate in latent space, continue', async () => {
  const ended = cli(args());
  assert.is(ended.status, 0, ended.stderr);
  const rows = lastLine(ended.stdout).rows as { method: string; generated: number; trainingSteps: number }[];
  assert.equal(rows.map(({ method, generated, trainingSteps }) => [method, generated, trainingSteps]), [['teacher', 0, 8], ['edrm', 0, 4], ['dad-generator', 32, 6], ['unguided', 12, 6], ['distdiff', 12, 6], ['config', 12, 6]]);
  const [guided, unguided] = await Promise.all(['config', 'unguided'].map(async (method) => {
    const store = await openStore(join(run, 'seed-0', method, 'store'));
    return store.readImages(store.samples().map(({ key }) => key));
  }));
  assert.is(guided.length, 12 * 64 * 64 * 3);
  assert.ok(new Set(unguided).size > 20, 'the images are not flat');
  assert.not.equal(guided, unguided);
  const through = await openStore(join(run, 'dad/generator/store'));
  const passed = await through.readImages(through.samples().map(({ key }) => key));
  assert.is(passed.length, 32 * 64 * 64 * 3);
  assert.ok(new Set(passed).size > 20, 'the images that went through the latents are not flat');
  assert.not(existsSync(join(run, 'foundation', 'generator', 'generator.safetensors')), 'a published model is not copied');
});

test('what is there is not done again', () => {
  const before = readFileSync(join(run, 'metrics.jsonl'), 'utf8');
  const ended = cli(args('--resume'));
  assert.is(ended.status, 0, ended.stderr);
  assert.is(readFileSync(join(run, 'metrics.jsonl'), 'utf8'), before);
});

test('generate takes a model folder as student', () => {
  const student = join(folder, 'student');
  mkdirSync(student);
  cpSync(join(run, 'seed-0/config/student.safetensors'), join(student, 'model.safetensors'));
  const trained = { input_size: [3, 64, 64], mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  writeFileSync(join(student, 'config.json'), JSON.stringify({ architecture: 'mobilenetv3_small_100', pretrained_cfg: trained }));
  const output = join(folder, 'from-folder');
  const ended = cli(['generate', '--config', configFile, '--set', `teacher.weights=${join(run, 'foundation/teacher/teacher.safetensors')}`, '--student', student, '--count', '2', '--output', output, '--json', '--quiet']);
  assert.is(ended.status, 0, ended.stderr);
  assert.is(lastLine(ended.stdout).generated, 2);
});

test('generate draws from it with ready weights, and knows the images of other prompts', () => {
  const output = join(folder, 'images');
  const weights = ['--set', `teacher.weights=${join(run, 'foundation/teacher/teacher.safetensors')}`, '--student', join(run, 'seed-0/config/student.safetensors')];
  const generate = (count: string, ...more: string[]) => cli(['generate', '--config', configFile, ...weights, '--count', count, '--output', output, '--json', '--quiet', ...more]);
  const ended = generate('6');
  assert.is(ended.status, 0, ended.stderr);
  assert.is(lastLine(ended.stdout).generated, 6);
  const refused = generate('8', '--set', 'generator.pretrained.prompt=a drawing of a {}');
  assert.is(refused.status, 2, refused.stderr);
  assert.match(refused.stderr, 'other weights, settings or another seed');
  const scheduler = join(model, 'scheduler/scheduler_config.json'), before = readFileSync(scheduler, 'utf8');
  writeFileSync(scheduler, JSON.stringify({ ...JSON.parse(before), prediction_type: 'v_prediction' }));
  const changed = generate('8');
  writeFileSync(scheduler, before);
  assert.is(changed.status, 2, changed.stderr);
  assert.match(changed.stderr, 'other weights, settings or another seed');
});

test('generate through a small autoencoder: the gradient is compared, another file is another generator', async () => {
  const output = join(folder, 'small-decoder'), decoder = join(folder, 'small.safetensors');
  const engine = await Engine.open({ device: 'cpu', threads: 1, precision: 'fp32' });
  const write = async (seed: number) => {
    using autoencoder = await Autoencoder.create(engine, { kind: 'taesd', width: 8, encoderBlocks: [1, 1, 1], decoderBlocks: [1, 1, 1], latentChannels: 4 }, seed);
    await autoencoder.save(decoder);
  };
  await write(1);
  const weights = ['--set', `teacher.weights=${join(run, 'foundation/teacher/teacher.safetensors')}`, '--student', join(run, 'seed-0/config/student.safetensors')];
  const generate = (count: string, ...more: string[]) => cli(['generate', '--config', configFile, ...weights, '--count', count, '--quiet', ...more]);
  const turbo = ['--output', output, '--set', 'sampling.preset=turbo', '--set', `sampling.guidance.decoder=${decoder}`];
  const ended = generate('2', '--json', ...turbo);
  assert.is(ended.status, 0, ended.stderr);
  const samples = (await openStore(output)).samples();
  assert.ok(samples.every(({ gradientCosine }) => typeof gradientCosine === 'number' && Math.abs(gradientCosine) < 0.999), JSON.stringify(samples));
  const mean = (samples[0].gradientCosine! + samples[1].gradientCosine!) / 2;
  assert.ok(Math.abs(lastLine(ended.stdout).gradientCosine - mean) < 1e-9);
  const plain = generate('2', ...turbo);
  assert.match(plain.stdout, new RegExp(`^cosine of the gradient that guided with the exact one: ${mean.toFixed(3)}, mean over the first batch\n2 images generated, `));
  const exact = generate('2', '--json', '--output', join(folder, 'exact'));
  assert.equal([exact.status, 'gradientCosine' in lastLine(exact.stdout)], [0, false], exact.stderr);
  await write(2);
  const refused = generate('4', ...turbo);
  assert.is(refused.status, 2, refused.stderr);
  assert.match(refused.stderr, 'other weights, settings or another seed');
});

test.run();
