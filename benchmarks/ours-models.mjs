/** The networks and inputs of a job on our side: made once (`prepare` of ours.mjs), then loaded by each measurement. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { writePhotographs } from './photographs.mjs';

export const learningRate = 1e-3;
export const noAugmentation = { flip: false, cropPadding: 0, zoom: 0, brightness: 0, contrast: 0, saturation: 0, hue: 0 };

/** core: the native core; job: what measure.mjs asks for. */
export function modelsOf(core, { trial, directory, weights, precision, device }) {
  const { batch, models, photographs, untrained } = trial;
  /** It has the size and the classes of the images. */
  const classifier = models.student ?? models.teacher;
  const isLatent = 'autoencoder' in models;
  const imagesPath = join(directory, 'images.u8');
  const photographsPath = join(directory, 'photographs');
  const noisePath = join(directory, 'noise.f32');

  /** Random pictures, and of them the noise, in the shape that the generator has; or photographs. */
  async function prepareInputs() {
    const { noise } = await core.initialNoise({ seeds: range(batch), size: classifier?.imageSize ?? 32 });
    if (photographs) await writePhotographs(photographsPath, photographs, noise);
    if (!classifier) return;
    writeFileSync(imagesPath, Uint8ClampedArray.from(noise, (value) => 128 + 50 * value));
    if (models.denoiser) writeFileSync(noisePath, noise.subarray(0, batch * elements(models)));
  }

  /**
   * A few steps of training: fresh norm layers are the identity and fresh logits nearly equal, which would hide mistakes.
   * Published autoencoders and latent generators are too large for that; those that are there already stay.
   */
  async function prepareWeights() {
    let seed = 1;
    const made = {};
    for (const [role, spec] of entries()) {
      const placement = { device, seed: seed++ };
      const keep = weights[role].shared && existsSync(weights[role].path);
      // The text conditions are those of the network, whether its weights are there or not.
      made[role] = await create(role, spec, keep ? { ...placement, seed: null } : placement, made.autoencoder);
      if (role === 'denoiser' && spec.unet.textChannels > 0) {
        await tell(made.denoiser, spec);
        await core.saveConditions(made.denoiser, weights.conditions.path);
      }
      if (keep) continue;
      if (!weights[role].shared && !untrained) await train(role, made[role]);
      await core.saveWeights(made[role], weights[role].path, {}, weights[role].shared ? 'fp16' : 'fp32');
    }
  }

  async function train(role, model) {
    const options = trainerOptions('fp32');
    const trainer = role === 'denoiser'
      ? await core.createDenoiserTrainer(model, { ...options, labelDropout: 0 })
      : await core.createClassifierTrainer(model, null, { ...options, mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 1 });
    for (let step = 0; step < 8; ++step) await core.trainStep(trainer, images(), labels(), { learningRate, step });
  }

  /** An autoencoder comes before the generator of its latents. */
  function entries() {
    return Object.entries(models).sort(([a], [b]) => (b === 'autoencoder') - (a === 'autoencoder'));
  }

  function create(role, spec, placement, autoencoder) {
    if (role === 'discretiser' || role === 'autoencoder') return core.createAutoencoder({ ...spec, ...placement });
    if (role !== 'denoiser') return core.createClassifier({ ...spec, ...placement });
    return core.createDenoiser({ ...spec, ...placement, ...(autoencoder && placement.seed === null && { weights: precision }) }, autoencoder ?? null);
  }

  /** A text for each class and the null class, through an encoder of random weights that is the same everywhere. */
  async function tell(denoiser, { unet, numClasses }) {
    const length = 77;
    const vocabSize = 512;
    const encoder = await core.createTextEncoder({
      vocabSize, contextLength: length, endToken: vocabSize - 1, dim: unet.textChannels, depth: 1, heads: 1, mlpDim: unet.textChannels, projection: 0,
      logitScale: false, activation: 'gelu', normEps: 1e-5, device, seed: 0,
    });
    const tokens = Int32Array.from(range((numClasses + 1) * length), (i) => (i % length === length - 1 ? vocabSize - 1 : (i * 197) % (vocabSize - 1)));
    await core.setTexts(denoiser, encoder, tokens, { skip: 0 });
  }

  /** Handles by role. */
  async function load() {
    const handles = {};
    for (const [role, spec] of entries()) {
      const handle = (handles[role] = await create(role, spec, { device, seed: null }, handles.autoencoder));
      await core.loadWeights(handle, weights[role].path, { newHead: false });
      if (role !== 'denoiser') continue;
      if (isLatent) await core.freezeDenoiser(handle, { precision });
      if (spec.unet.textChannels > 0) await tell(handle, spec);
    }
    return handles;
  }

  /** [B, size, size, 3] */
  const images = () => new Uint8Array(readFileSync(imagesPath)).subarray(0, batch * 3 * classifier.imageSize ** 2);
  const labels = () => Int32Array.from(range(batch), (i) => i % classifier.numClasses);
  /** [B, C, h, w] */
  const noise = () => floats(readFileSync(noisePath)).subarray(0, batch * elements(models));

  return { classifier, photographsPath, create, prepareInputs, prepareWeights, load, images, labels, noise };
}

export function trainerOptions(precision) {
  const optimizer = { kind: 'adamw', beta1: 0.9, beta2: 0.999, momentum: 0, weightDecay: 0.01 };
  return { optimizer, clipNorm: 0, emaDecay: 0, precision, seed: 0, augment: noAugmentation };
}

export function range(count) {
  return Array.from({ length: count }, (_, i) => i);
}

/** Of one sample of the space that the generator works in. */
function elements({ denoiser, autoencoder }) {
  const side = denoiser.drawSize >> (autoencoder ? autoencoder.blockChannels.length - 1 : 0);
  return denoiser.unet.channels * side ** 2;
}

function floats(bytes) {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
}
