/**
 * A model folder of diffusers: `unet/` and `scheduler/` or the two config files side by side, `vae/` where it works on
 * latents, `text_encoder/` and `tokenizer/` where it takes a text.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { openTextTower } from '../clip/open.js';
import { openTokenizer, padTokenOf } from '../clip/vocabulary.js';
import { readJson } from '../config/json.js';
import { SparringError } from '../errors.js';
import type { Engine } from '../native/engine.js';
import { autoencoderConfig } from './autoencoder-config.js';
import type { PretrainedModel, PretrainedOptions } from './pretrained.js';
import { schedulerConfig } from './scheduler-config.js';
import { unetConfig } from './unet-config.js';

/** Weights files of diffusers, the preferred first. */
const weightFiles = ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.safetensors.index.json', 'diffusion_pytorch_model.fp16.safetensors', 'diffusion_pytorch_model.fp16.safetensors.index.json'];

const readConfig = (path: string): Promise<unknown> => readJson(path, z.unknown(), 'Give a model folder of diffusers.');

/** model_index.json names the parts: [library, class], or values. */
const pipeline = z.record(z.string(), z.unknown());
/** Parts that are read, and those that sampling does without. */
const knownParts = ['unet', 'scheduler', 'vae', 'text_encoder', 'tokenizer', 'safety_checker', 'feature_extractor', 'image_encoder'];

export async function describeFolder(engine: Engine, { path: folder, sampler }: Pick<PretrainedOptions, 'path' | 'sampler'>): Promise<PretrainedModel> {
  const part = (name: string): string => (existsSync(join(folder, name)) ? join(folder, name) : folder);
  await refuseUnknownParts(folder);
  const unetPath = join(part('unet'), 'config.json'), schedulerPath = join(part('scheduler'), 'scheduler_config.json');
  const { unet, sampleSize } = unetConfig(await readConfig(unetPath), unetPath);
  const found = schedulerConfig(await readConfig(schedulerPath), schedulerPath, sampler);
  const vae = join(folder, 'vae'), inLatents = existsSync(vae);
  // Latents are not clamped, and text models start one timestep later, whatever the file says: diffusers' pipelines do the same.
  const schedule = unet.textChannels > 0 ? { ...found.schedule, stepsOffset: 1 } : found.schedule;
  const { prediction, sampler: { spacing, variance } } = found;
  return {
    unet: { spec: unet, weights: weightsIn(part('unet')) },
    diffusion: { schedule, prediction, spacing, variance, clip: inLatents ? 0 : found.clip },
    sampleSize,
    ...(inLatents && { autoencoder: { spec: autoencoderConfig(await readConfig(join(vae, 'config.json')), join(vae, 'config.json')), weights: weightsIn(vae) } }),
    ...(unet.textChannels > 0 && { text: await describeText(engine, folder) }),
  };
}

async function refuseUnknownParts(folder: string): Promise<void> {
  const path = join(folder, 'model_index.json');
  const parts = existsSync(path) ? Object.entries(await readJson(path, pipeline, 'Give a model folder of diffusers.')) : [];
  // A part that is left out is [null, null].
  const named = parts.filter(([, value]) => Array.isArray(value) && value.some((entry) => entry !== null)).map(([name]) => name);
  const stranger = [...named, 'vqvae', 'movq', 'text_encoder_2'].find((name) => !knownParts.includes(name) && (named.includes(name) || existsSync(join(folder, name))));
  if (stranger) throw new SparringError('config', `${folder}: expected a model of the parts ${knownParts.slice(0, 5).join(', ')}, found ${stranger} as well.`, 'Models of other parts are not supported.');
}

async function describeText(engine: Engine, folder: string): Promise<PretrainedModel['text']> {
  const { text: spec, ...tower } = await openTextTower(engine, join(folder, 'text_encoder'));
  const tokenizer = await openTokenizer(join(folder, 'tokenizer'));
  // Nothing is pooled, so the end of a text is what the tokenizer says it is, also in models with added tokens.
  return { spec: { ...spec, endToken: tokenizer.endToken }, ...tower, tokenizer, padToken: await padTokenOf(join(folder, 'tokenizer'), tokenizer), skip: 0 };
}

/** The weights of a part of such a folder. */
export function weightsIn(folder: string): string {
  const found = weightFiles.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (!found) throw new SparringError('io', `${folder}: expected ${weightFiles[0]}, found no weights.`, 'Weights are read from safetensors alone; convert others first.');
  return found;
}
