/** Whole model folders of diffusers as generators, against its StableDiffusionPipeline. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { describeFolder } from '../../lib/diffusion/folder.js';
import { pretrainedGenerator, type PretrainedOptions } from '../../lib/diffusion/pretrained.js';
import type { SamplingOptions } from '../../lib/native/contract.js';
import { dot, norm, normals, relativeError } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { goldenPath, readGolden } from '../support/safetensors.js';
import { classifierSpec, exact, failure, fromNoise, generateOptions, openEngine, temporaryFolder, tinyClassifier, trainerOptions } from '../support/tiny.js';

interface PipelineCase {
  prompt: string;
  negative_prompt: string;
  classes: string[];
  guidance_scale: number;
  steps: number;
}

const engine = await openEngine();
const { core } = engine;
const { config, tensors } = readGolden<PipelineCase>('pipeline_case');
const { classes } = config;
const folder = pipelineFolder();
const options = (sampler: SamplingOptions['sampler'] = 'ddim'): PretrainedOptions => ({ path: folder, prompt: config.prompt, negativePrompt: config.negative_prompt, names: {}, sampler });
const sampling = (sampler: SamplingOptions['sampler'] = 'ddim') => ({ sampler, steps: config.steps, eta: 0, guidanceScale: config.guidance_scale, precision: 'fp32' as const, ...fromNoise });
const difference = { form: 'difference', gamma: 1, terms: 'both' } as const;
const judges = async (imageSize: number) => {
  const [teacher, student] = [await tinyClassifier(engine, 2, { ...classifierSpec, imageSize }), await tinyClassifier(engine, 3, { ...classifierSpec, imageSize })];
  return { teacher: teacher.handle, student: student.handle };
};
const latents = tensors.x.values as Float32Array;
const chosen = { x: latents, classes: tensors.classes.values };

for (const version of [1, 2] as const) {
  for (const sampler of ['ddim', 'euler'] as const) {
    test(`images of the pipeline of version ${version} with ${sampler}, from its prompts to its pixels`, async () => {
      const { tensors } = readGolden<PipelineCase>(version === 1 ? 'pipeline_case' : 'pipeline_2_case');
      using generator = await pretrainedGenerator(engine, { ...options(sampler), path: pipelineFolder(version) }, { classes, imageSize: 32 });
      const { images } = await core.chainGradient(generator.handle, await judges(32), { ...sampling(sampler), ...chosen, objective: difference, segmentSteps: config.steps });
      const error = relativeError(images, tensors[`images_${sampler}`].values);
      assert.ok(error < 1e-5, `${error}`);
    });
  }
}

test('each class has its own prompt, and the negative prompt counts', async () => {
  const run = async (given: Partial<PretrainedOptions>, labels: number[]) => {
    using generator = await pretrainedGenerator(engine, { ...options(), ...given }, { classes, imageSize: 32 });
    return (await core.chainGradient(generator.handle, await judges(32), { ...sampling(), x: latents, classes: labels, objective: difference, segmentSteps: 4 })).images;
  };
  const expected = await run({}, [0, 1, 0]);
  assert.ok(relativeError(await run({}, [1, 1, 0]), expected) > 1e-3, 'class');
  assert.ok(relativeError(await run({ negativePrompt: 'bright' }, [0, 1, 0]), expected) > 1e-3, 'negative prompt');
  assert.ok(relativeError(await run({ names: { 'land bird': 'tree' } }, [0, 1, 0]), expected) > 1e-3, 'names');
  assert.equal(await run({ names: { 'land bird': 'land bird', water: 'water' } }, [0, 1, 0]), expected);
});

test('the gradient reaches the latents through classifiers, resizing, decoder and every step', async () => {
  const imageSize = 20;
  using generator = await pretrainedGenerator(engine, options(), { classes, imageSize });
  const opponents = await judges(imageSize);
  const run = (x: Float32Array, segmentSteps: number) => core.chainGradient(generator.handle, opponents, { ...sampling(), guidanceScale: 1.5, x, classes: [0, 1, 0], objective: { form: 'log', gamma: 1, terms: 'both' }, segmentSteps });
  const { gradient, images } = await run(latents, 4);
  assert.is(images.length, 3 * 3 * imageSize ** 2);
  assert.ok(norm(gradient) > 0);
  assert.ok(relativeError((await run(latents, 1)).gradient, gradient) < 1e-4, 'segments of one step');
  const distance = 0.005;
  for (const direction of [gradient, normals(5, latents.length)]) {
    const unit = direction.map((value) => value / norm(direction));
    const at = async (offset: number) => (await run(latents.map((value, i) => value + offset * unit[i]), 4)).score.reduce((sum, value) => sum + value, 0);
    const expected = ((await at(distance)) - (await at(-distance))) / (2 * distance);
    assert.ok(Math.abs(dot(gradient, unit) - expected) < 0.02 * norm(gradient), `${dot(gradient, unit)}, by finite differences ${expected}`);
  }
});

for (const sampler of ['ddim', 'ddpm', 'dpm-solver++-2m', 'euler'] as const) {
  test(`guided generation with ${sampler} does not depend on the batch`, async () => {
    using generator = await pretrainedGenerator(engine, options(sampler), { classes, imageSize: 20 });
    const [teacher, student] = [await tinyClassifier(engine, 2, { imageSize: 20 }), await tinyClassifier(engine, 3, { imageSize: 20 })];
    const guidance = { kind: 'step', objective: difference, scale: 0.3, from: 1, until: 0.2, schedule: 'constant', ...exact } as const;
    const draw = (batchSize: number, more: object = {}) =>
      generator.generate({ teacher, student }, { ...generateOptions({ sampler, guidanceScale: 2, guidance, batchSize, ...more }) });
    const whole = await draw(8);
    assert.is(whole.images.length, 8 * 20 * 20 * 3);
    assert.ok(new Set(whole.images).size > 20, 'the images are not flat');
    const parts = await draw(3);
    const most = whole.images.reduce((largest, value, i) => Math.max(largest, Math.abs(value - parts.images[i])), 0);
    assert.ok(most <= 1, `${most} levels apart`);
    assert.not.equal((await draw(8, { guidance: { kind: 'none' } })).images, whole.images);
  });
}

test('a DDPM of images, without classes and text: config files side by side', async () => {
  const { config: file } = readGolden<Record<string, unknown>>('unet_ddpm_case');
  const plain = join(temporaryFolder(), 'ddpm');
  mkdirSync(plain);
  const { bf16_errors: _, ...unet } = file;
  writeFileSync(join(plain, 'config.json'), JSON.stringify(unet));
  writeFileSync(join(plain, 'scheduler_config.json'), JSON.stringify({ _class_name: 'DDPMScheduler', variance_type: 'fixed_large' }));
  cpSync(goldenPath('unet_ddpm'), join(plain, 'diffusion_pytorch_model.safetensors'));
  const captioned = await pretrainedGenerator(engine, { ...options('ddpm'), path: plain, prompt: 'a {}, {caption}' }, { classes, imageSize: 16 }).then(() => undefined, (error) => error);
  assert.match(captioned?.message, 'generator.pretrained.prompt: expected no {caption} for a model that takes no text');
  using generator = await pretrainedGenerator(engine, { ...options('ddpm'), path: plain }, { classes, imageSize: 16 });
  assert.is(generator.spec.drawSize, 8);
  assert.is(generator.spec.variance, 'fixed-large');
  const { images } = await generator.generate({}, generateOptions({ sampler: 'ddpm' }));
  assert.is(images.length, 8 * 16 * 16 * 3);
  assert.is(generator.spec.clip, 1);
  const error = await failure(() => generator.generate({}, generateOptions({ guidanceScale: 2 })), 'config');
  const sampling = { steps: 5, sampler: 'ddpm', eta: 0, guidanceScale: 2, precision: 'fp32', ...fromNoise, guidance: { kind: 'none' } } as const;
  assert.is((await failure(() => engine.run((core) => core.checkSampling(generator.handle, sampling)), 'config')).message, error.message);
  assert.match(error.message, /classifier-free guidance needs a null class or a text/);
});

test('latents are not clamped and timesteps have their offset, whatever the scheduler file says or leaves out', async () => {
  const copy = pipelineFolder();
  writeFileSync(join(copy, 'scheduler/scheduler_config.json'), JSON.stringify({ _class_name: 'DDIMScheduler', clip_sample: true }));
  const { diffusion } = await describeFolder(engine, { path: copy, sampler: 'ddim' });
  assert.equal([diffusion.clip, diffusion.schedule.stepsOffset], [0, 1]);
});

test('it can be neither trained nor saved', async () => {
  using generator = await pretrainedGenerator(engine, options(), { classes, imageSize: 32 });
  const training = { ...trainerOptions({ emaDecay: 0.9 }), labelDropout: 0.1 };
  assert.match((await failure(() => engine.run((core) => core.createDenoiserTrainer(generator.handle, training)), 'usage')).message, 'Training of a generator');
  assert.match((await failure(() => generator.save(join(temporaryFolder(), 'x.safetensors')), 'usage')).message, 'Saving a generator');
});

test('a folder that does not fit gives one error that says what is expected', async () => {
  const broken = (change: (folder: string) => void): (() => Promise<unknown>) => async () => {
    const copy = pipelineFolder();
    change(copy);
    return pretrainedGenerator(engine, { ...options(), path: copy }, { classes, imageSize: 32 });
  };
  const edit = (path: string, values: object) => (folder: string) => {
    const file = join(folder, path);
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...values }));
  };
  const remove = (path: string) => (folder: string) => rmSync(join(folder, path), { recursive: true });
  const open = (given: Partial<PretrainedOptions>) => () => pretrainedGenerator(engine, { ...options(), ...given }, { classes, imageSize: 32 });
  const cases: [() => Promise<unknown>, Parameters<typeof failure>[1], RegExp][] = [
    [open({ path: '/nowhere' }), 'io', /\/nowhere: expected a model folder of diffusers or a safetensors file, found nothing/],
    [open({ names: { dog: 'hound' } }), 'config', /generator\.pretrained\.names: expected classes of the data \(land bird, water\), found 'dog'/],
    [open({ drawSize: 24 }), 'config', /a multiple of 16 px, found 24 px/],
    [broken(remove('unet/diffusion_pytorch_model.safetensors')), 'io', /unet: expected diffusion_pytorch_model\.safetensors, found no weights/],
    [broken(remove('vae')), 'config', /expected a U-Net of 3 channels, found 4/],
    [broken(remove('text_encoder')), 'io', /text_encoder/],
    [broken(edit('unet/config.json', { cross_attention_dim: 16 })), 'weights', /the weights do not fit/],
    [broken(edit('vae/config.json', { latent_channels: 8 })), 'weights', /the weights do not fit/],
    [broken(edit('vae/config.json', { shift_factor: 0.1 })), 'config', /vae\/config\.json: shift_factor/],
    [broken(edit('vae/config.json', { _class_name: 'AsymmetricAutoencoderKL' })), 'config', /_class_name: expected one of AutoencoderKL, AutoencoderTiny/],
    [broken(edit('scheduler/scheduler_config.json', { prediction_type: 'flow' })), 'config', /prediction_type/],
    [broken(edit('scheduler/scheduler_config.json', { steps_offset: 1000 })), 'config', /scheduler_config\.json: steps_offset: expected less than num_train_timesteps/],
    [broken((copy) => mkdirSync(join(copy, 'vqvae'))), 'config', /expected a model of the parts unet, .* found vqvae as well/],
    [broken((copy) => writeFileSync(join(copy, 'model_index.json'), JSON.stringify({ _class_name: 'x', unet: ['diffusers', 'UNet'], prior: ['a', 'b'], safety_checker: [null, null] }))), 'config', /found prior as well/],
  ];
  for (const [work, code, message] of cases) assert.match((await failure(work, code)).message, message);
});

test.run();
