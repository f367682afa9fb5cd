/**
 * Our side: one measurement in its own process.
 *
 *   node ours.mjs prepare|check|time '<job as JSON>'
 *
 * prepare writes weights and inputs that all contenders read; check writes the result of the operation to job.output
 * (fp32); time prints {"msPerImage", "peakMemoryMb", "cpuMs", "version"}. The counterpart is eager.py.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pixelGenerator } from '../dist/config/generators.js';
import { Engine } from '../dist/native/engine.js';
import { median } from './statistics.mjs';

const noAugmentation = { flip: false, cropPadding: 0, zoom: 0, brightness: 0, contrast: 0, saturation: 0, hue: 0 };
const objective = { form: 'difference', gamma: 1, terms: 'both' };
const learningRate = 1e-3;

const [verb, text] = process.argv.slice(2);
const job = JSON.parse(text);
const { trial, directory, precision } = job;
/** It has the size and the classes of the images. */
const classifier = trial.models.student ?? trial.models.teacher;
const { core } = await Engine.open({ device: job.device, threads: job.threads });

/** A few steps of training: fresh norm layers are the identity and fresh logits nearly equal, which would hide mistakes. */
async function prepare() {
  const { batch, models } = trial;
  const noise = (await core.initialNoise({ seeds: range(batch), size: classifier.imageSize })).noise;
  writeFileSync(join(directory, 'noise.f32'), noise);
  writeFileSync(join(directory, 'images.u8'), Uint8ClampedArray.from(noise, (value) => 128 + 50 * value));
  let seed = 1;
  for (const [role, spec] of Object.entries(models)) {
    const placement = { device: job.device, seed: seed++ };
    const isDenoiser = role === 'denoiser';
    const model = await create(role, spec, placement);
    if (role === 'discretiser') {
      await core.saveWeights(model, weightsPath(role), {}, 'fp32');
      continue;
    }
    const options = trainerOptions('fp32');
    const trainer = isDenoiser
      ? await core.createDenoiserTrainer(model, { ...options, labelDropout: 0 })
      : await core.createClassifierTrainer(model, null, { ...options, mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 1 });
    for (let step = 0; step < 8; ++step) await core.trainStep(trainer, images(), labels(), { learningRate, step });
    await core.saveWeights(model, weightsPath(role), {}, 'fp32');
  }
}

async function check() {
  const run = await operations[trial.operation]();
  writeFileSync(job.output, await run(trial.check.runs));
}

async function time() {
  const run = await operations[trial.operation]();
  const until = async (milliseconds, fewest, onRun) => {
    const start = performance.now();
    for (let count = 0; count < fewest || performance.now() - start < milliseconds; ++count) await onRun();
  };
  const times = [];
  await until(job.warmupMs, 2, () => run(trial.repeat));
  await until(job.measureMs, 3, async () => {
    const start = performance.now();
    await run(trial.repeat);
    times.push((performance.now() - start) / (trial.batch * trial.repeat));
  });
  const peakMemoryMb = process.resourceUsage().maxRSS / 1024;
  const { user, system } = process.cpuUsage(); // µs
  console.log(JSON.stringify({ msPerImage: median(times), peakMemoryMb, cpuMs: (user + system) / 1000, version: core.info().libtorch }));
}

/** Each loads what it needs and returns: number of runs -> the numbers to compare, Float32Array. */
const operations = {
  async guidedStep() {
    const { denoiser, ...opponents } = await loadModels();
    const options = { x: noise(), classes: labels(), timestep: trial.timestep, guidanceScale: 1, precision, objective, gradient: 'unet', latentPool: 1, cutouts: { count: 0, leastSide: 1, noise: 0 } };
    return async (repeat) => (await core.guidanceGradient(denoiser, opponents, { ...options, repeat })).gradient;
  },

  async chain() {
    const { denoiser, ...opponents } = await loadModels();
    const { steps } = trial;
    const start = { kind: 'noise' };
    const options = { x: noise(), classes: labels(), steps, sampler: 'ddim', eta: 0, segmentSteps: steps, guidanceScale: 1, precision, start, images: null, objective };
    return async (repeat) => {
      let gradient;
      for (let i = 0; i < repeat; ++i) ({ gradient } = await core.chainGradient(denoiser, opponents, options));
      return gradient;
    };
  },

  async studentStep() {
    const { teacher, student } = await loadModels();
    const options = { ...trainerOptions(precision), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 };
    const trainer = await core.createClassifierTrainer(student, teacher, options);
    const [batch, classes] = [images(), labels()];
    let step = 0;
    return async (repeat) => {
      const values = [];
      for (let i = 0; i < repeat; ++i) {
        const { loss, gradientNorm } = await core.trainStep(trainer, batch, classes, { learningRate, step: step++ });
        values.push(loss, gradientNorm);
      }
      return Float32Array.from(values);
    };
  },

  /** With the way from and to JavaScript, as in use: 8-bit images in, 8-bit images and soft labels out. */
  async discreteAdversary() {
    const { teacher, discretiser } = await loadModels();
    const options = { variant: 'adversarial', norm: 'l2', epsilon: trial.epsilon, stepSize: trial.epsilon, steps: 1, randomStart: 0, seeds: range(trial.batch), precision };
    const [batch, classes] = [images(), labels()];
    return async (repeat) => {
      let found;
      for (let i = 0; i < repeat; ++i) ({ images: found } = await core.discreteAdversarial(teacher, discretiser, batch, classes, options));
      return planes(found);
    };
  },
};

/** [B, size, size, 3] -> [B, 3, size, size], the order of eager.py. */
function planes(images) {
  const plane = classifier.imageSize ** 2;
  return Float32Array.from(images, (_, at) => images[at - (at % (3 * plane)) + (at % plane) * 3 + (Math.floor(at / plane) % 3)]);
}

function create(role, spec, placement) {
  if (role === 'discretiser') return core.createAutoencoder({ ...spec, ...placement });
  if (role !== 'denoiser') return core.createClassifier({ ...spec, ...placement });
  return core.createDenoiser({ ...pixelGenerator(spec, spec.numClasses, spec.imageSize), ...placement }, null);
}

async function loadModels() {
  const handles = {};
  for (const [role, spec] of Object.entries(trial.models)) {
    handles[role] = await create(role, spec, { device: job.device, seed: 0 });
    await core.loadWeights(handles[role], weightsPath(role), { newHead: false });
  }
  return handles;
}

function trainerOptions(precision) {
  const optimizer = { kind: 'adamw', beta1: 0.9, beta2: 0.999, momentum: 0, weightDecay: 0.01 };
  return { optimizer, clipNorm: 0, emaDecay: 0, precision, seed: 0, augment: noAugmentation };
}

function weightsPath(role) {
  return join(directory, `${role}.safetensors`);
}

function noise() {
  const bytes = readFileSync(join(directory, 'noise.f32'));
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}

function images() {
  return new Uint8Array(readFileSync(join(directory, 'images.u8')));
}

function labels() {
  return Int32Array.from(range(trial.batch), (i) => i % classifier.numClasses);
}

function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

if (verb === 'prepare') await prepare();
else if (verb === 'check') await check();
else await time();
