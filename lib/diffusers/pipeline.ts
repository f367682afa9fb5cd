/**
 * A model folder of diffusers as a generator of the classes of a dataset: `unet/` and `scheduler/` or the two config files
 * side by side, `vae/` where it works on latents, `text_encoder/` and `tokenizer/` where it takes a text.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { openTextTower } from '../clip/open.js';
import { ClipTextEncoder } from '../clip/text-encoder.js';
import { openTokenizer, padTokenOf } from '../clip/vocabulary.js';
import { readDiffusersFile, schedulerConfig, unetConfig } from '../config/diffusers.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { DenoiserSpec, SamplingOptions } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Autoencoder, Generator } from '../native/models.js';
import { autoencoderConfig } from './autoencoder.js';

export interface DiffusersOptions {
  folder: string;
  /** {} stands for the class. */
  prompt: string;
  /** Of the other half of classifier-free guidance. */
  negativePrompt: string;
  /** What a class is called in the prompt, where that is not its name with spaces for _. */
  names: Readonly<Record<string, string>>;
  /** Side in pixels of what is drawn and then resized; by default what the model was trained on. */
  drawSize?: number;
  /** Spacing of its timesteps, where the folder does not say it, is what diffusers takes for this sampler. */
  sampler: SamplingOptions['sampler'];
}

/** Weights files of diffusers, the preferred first. */
const weightFiles = ['diffusion_pytorch_model.safetensors', 'diffusion_pytorch_model.safetensors.index.json', 'diffusion_pytorch_model.fp16.safetensors', 'model.safetensors'];

type Inputs = Pick<Dataset, 'classes' | 'imageSize'>;

/**
 * Opens it for images of `classes` with the size of the data. Throws SparringError 'io' when files are missing, 'config' for
 * models and options that are not supported, 'weights' when weights do not fit.
 */
export async function diffusersGenerator(engine: Engine, options: DiffusersOptions, { classes, imageSize }: Inputs): Promise<Generator> {
  const { folder, sampler } = options;
  const unetFolder = partOf(folder, 'unet');
  const unetPath = join(unetFolder, 'config.json'), schedulerPath = join(partOf(folder, 'scheduler'), 'scheduler_config.json');
  const { unet, sampleSize } = unetConfig(read(folder, unetPath), unetPath);
  const { schedule, prediction, sampler: conventions, clip } = schedulerConfig(read(folder, schedulerPath), schedulerPath, sampler);
  using autoencoder = await openAutoencoder(engine, join(folder, 'vae'));
  const factor = autoencoder ? 2 ** (levelsOf(autoencoder) - 1) : 1;
  const drawSize = options.drawSize ?? (sampleSize ? sampleSize * factor : imageSize);
  const { spacing, variance } = conventions;
  const spec: DenoiserSpec = { unet, schedule, prediction, spacing, variance, clip, numClasses: classes.length, imageSize, drawSize };
  const generator = await Generator.create(engine, spec, classes, 0, autoencoder);
  await engine.run((core) => core.loadWeights(generator.handle, weightsIn(unetFolder), { newHead: false }));
  await engine.run((core) => core.freezeDenoiser(generator.handle, engine));
  if (unet.textChannels > 0) await tellClasses(engine, generator, options);
  return generator;
}

/** The weights files of a folder that `diffusersGenerator` opens. */
export function diffusersWeights(folder: string): string[] {
  const parts = ['vae', 'text_encoder'].map((name) => join(folder, name)).filter((part) => existsSync(part));
  return [partOf(folder, 'unet'), ...parts].map(weightsIn);
}

function partOf(folder: string, name: string): string {
  return existsSync(join(folder, name)) ? join(folder, name) : folder;
}

async function openAutoencoder(engine: Engine, folder: string): Promise<Autoencoder | null> {
  if (!existsSync(folder)) return null;
  const path = join(folder, 'config.json');
  return Autoencoder.load(engine, weightsIn(folder), autoencoderConfig(readDiffusersFile(path), path));
}

function levelsOf({ spec }: Autoencoder): number {
  return spec.kind === 'taesd' ? spec.decoderBlocks.length : spec.blockChannels.length;
}

/** One text for each class and, last, the negative prompt. */
async function tellClasses(engine: Engine, generator: Generator, { folder, prompt, negativePrompt, names }: DiffusersOptions): Promise<void> {
  const { classes } = generator;
  const stranger = Object.keys(names).find((name) => !classes.includes(name));
  if (stranger !== undefined) throw new SparringError('config', `generator.diffusers.names: expected classes of the data (${classes.join(', ')}), found '${stranger}'.`);
  const { weights, text, keyNames } = await openTextTower(engine, join(folder, 'text_encoder'));
  const tokenizer = await openTokenizer(join(folder, 'tokenizer'));
  using encoder = await ClipTextEncoder.load(engine, weights, text, keyNames);
  const called = (name: string): string => (Object.hasOwn(names, name) ? names[name] : name.replaceAll('_', ' '));
  const texts = [...classes.map((name) => prompt.replaceAll('{}', () => called(name))), negativePrompt];
  const tokens = tokenizer.encodeAll(texts, text.contextLength, await padTokenOf(join(folder, 'tokenizer'), tokenizer));
  await engine.run((core) => core.setTexts(generator.handle, encoder.handle, tokens));
}

function read(folder: string, path: string): unknown {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new SparringError('io', `${folder}: expected a model folder of diffusers, found ${existsSync(folder) ? 'a file' : 'nothing'}.`, 'Give the folder that holds model_index.json.');
  }
  return readDiffusersFile(path);
}

function weightsIn(folder: string): string {
  const found = weightFiles.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (!found) throw new SparringError('io', `${folder}: expected ${weightFiles[0]}, found no weights.`, 'Weights are read from safetensors alone; convert others first.');
  return found;
}
