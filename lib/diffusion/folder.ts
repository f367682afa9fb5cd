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

export async function describeFolder(engine: Engine, { path: folder, sampler }: Pick<PretrainedOptions, 'path' | 'sampler'>): Promise<PretrainedModel> {
  const part = (name: string): string => (existsSync(join(folder, name)) ? join(folder, name) : folder);
  const unetPath = join(part('unet'), 'config.json'), schedulerPath = join(part('scheduler'), 'scheduler_config.json');
  const { unet, sampleSize } = unetConfig(await readConfig(unetPath), unetPath);
  const { schedule, prediction, sampler: { spacing, variance }, clip } = schedulerConfig(await readConfig(schedulerPath), schedulerPath, sampler);
  const vae = join(folder, 'vae');
  return {
    unet: { spec: unet, weights: weightsIn(part('unet')) },
    diffusion: { schedule, prediction, spacing, variance, clip },
    sampleSize,
    ...(existsSync(vae) && { autoencoder: { spec: autoencoderConfig(await readConfig(join(vae, 'config.json')), join(vae, 'config.json')), weights: weightsIn(vae) } }),
    ...(unet.textChannels > 0 && { text: await describeText(engine, folder) }),
  };
}

async function describeText(engine: Engine, folder: string): Promise<PretrainedModel['text']> {
  const { text: spec, ...tower } = await openTextTower(engine, join(folder, 'text_encoder'));
  const tokenizer = await openTokenizer(join(folder, 'tokenizer'));
  return { spec, ...tower, tokenizer, padToken: await padTokenOf(join(folder, 'tokenizer'), tokenizer), skip: 0 };
}

function weightsIn(folder: string): string {
  const found = weightFiles.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (!found) throw new SparringError('io', `${folder}: expected ${weightFiles[0]}, found no weights.`, 'Weights are read from safetensors alone; convert others first.');
  return found;
}
