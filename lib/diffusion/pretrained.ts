/**
 * A published diffusion model as a generator of the classes of a dataset: a model folder of diffusers, or one file with a
 * whole Stable Diffusion as CompVis and Stability AI wrote it.
 */
import { existsSync, statSync } from 'node:fs';

import { checkClassNames, fillCaption, takesCaption, type ClassNames } from '../clip/prompts.js';
import { ClipTextEncoder } from '../clip/text-encoder.js';
import type { ClipTokenizer } from '../clip/tokenizer.js';
import type { Config } from '../config/schema.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { AutoencoderSpec, DenoiserSpec, KeyNames, PredictionType, SamplingOptions, TextEncoderSpec, UNetSpec } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Autoencoder, Generator } from '../native/models.js';
import { TextCaptions } from './captions.js';
import { describeCheckpoint } from './checkpoint.js';
import { describeFolder } from './folder.js';
import { describeGuidanceDecoder, openGuidanceDecoder } from './guidance-decoder.js';

export interface PretrainedOptions {
  /** Folder of diffusers, or safetensors file. */
  path: string;
  /** {} stands for the class, {caption} for the caption of an image; classes as a whole are told a text without it. */
  prompt: string;
  /** Of the other half of classifier-free guidance. */
  negativePrompt: string;
  names: ClassNames;
  /** Side in pixels of what is drawn and then resized; by default what the model was trained on. */
  drawSize?: number;
  /** What the network predicts, where the files do not say it. */
  prediction?: PredictionType;
  /** Spacing of its timesteps, where the files do not say it, is what diffusers takes for this sampler. */
  sampler: SamplingOptions['sampler'];
  /** A small autoencoder for its latents, such as TAESD, through which guidance may take its gradient: folder of diffusers or safetensors file. */
  guidanceDecoder?: string;
}

interface Part<Spec> {
  spec: Spec;
  /** Path of the weights. */
  weights: string;
  keyNames?: KeyNames;
}

/** The encoder of its texts. */
export type PretrainedText = Part<TextEncoderSpec> & { tokenizer: ClipTokenizer; padToken: number; skip: number };

/** A model as its files say it is. */
export interface PretrainedModel {
  unet: Part<UNetSpec>;
  /** How it was trained, and the conventions of its samplers. */
  diffusion: Pick<DenoiserSpec, 'schedule' | 'prediction' | 'spacing' | 'variance' | 'clip'>;
  /** Side of the images or latents that it was trained on. */
  sampleSize: number | undefined;
  autoencoder?: Omit<Part<AutoencoderSpec>, 'keyNames'>;
  text?: PretrainedText;
}

type Inputs = Pick<Dataset, 'classes' | 'imageSize'>;

/**
 * Opens it for images of `classes` with the size of the data. Throws SparringError 'io' when files are missing, 'config' for
 * models and options that are not supported, 'weights' when weights do not fit.
 */
export async function pretrainedGenerator(engine: Engine, options: PretrainedOptions, { classes, imageSize }: Inputs): Promise<Generator> {
  checkClassNames(options.names, classes, 'generator.pretrained.names');
  const { unet, diffusion, sampleSize, autoencoder: decoder, text } = await describe(engine, options);
  if (!text && takesCaption(options.prompt)) throw new SparringError('config', `generator.pretrained.prompt: expected no {caption} for a model that takes no text, found ${JSON.stringify(options.prompt)}.`, 'Leave {caption} out, or take a model with a text encoder.');
  using autoencoder = decoder ? await Autoencoder.load(engine, decoder.weights, decoder.spec) : null;
  const trained = sampleSize && sampleSize * (decoder ? 2 ** (levelsOf(decoder.spec) - 1) : 1);
  const spec: DenoiserSpec = { unet: unet.spec, ...diffusion, numClasses: classes.length, imageSize, drawSize: options.drawSize ?? trained ?? imageSize };
  const { device, precision } = engine;
  const handle = await engine.run((core) => core.createDenoiser({ ...spec, device, seed: null, weights: precision }, autoencoder?.handle ?? null));
  const generator = new Generator(engine, handle, spec, classes);
  await engine.run((core) => core.loadWeights(generator.handle, unet.weights, { newHead: false, ...(unet.keyNames && { keyNames: unet.keyNames }) }));
  await engine.run((core) => core.freezeDenoiser(generator.handle, engine));
  if (options.guidanceDecoder !== undefined) {
    using small = await openGuidanceDecoder(engine, options.guidanceDecoder);
    await generator.setGuidanceDecoder(small);
  }
  if (text) await tellClasses(engine, generator, text, options);
  return generator;
}

/** What makes its images what they are: files of weights, and what the other files say. */
export async function pretrainedIdentity(engine: Engine, options: PretrainedOptions): Promise<{ weights: string[]; described: object }> {
  const { unet, diffusion, sampleSize, autoencoder, text } = await describe(engine, options);
  const small = options.guidanceDecoder === undefined ? undefined : await describeGuidanceDecoder(engine, options.guidanceDecoder);
  const weights = [...new Set([unet, autoencoder, text, small].flatMap((part) => (part ? [part.weights] : [])))];
  const tokens = text?.tokenizer.encodeAll([options.prompt, options.negativePrompt], text.spec.contextLength, text.padToken);
  return { weights, described: { unet: unet.spec, diffusion, sampleSize, autoencoder: autoencoder?.spec, ...(small?.spec && { guidanceDecoder: small.spec }), text: text?.spec, skip: text?.skip, tokens: tokens && Array.from(tokens) } };
}

async function describe(engine: Engine, options: PretrainedOptions): Promise<PretrainedModel> {
  const { path, prediction } = options;
  if (!existsSync(path)) throw new SparringError('io', `${path}: expected a model folder of diffusers or a safetensors file, found nothing.`, 'Check generator.pretrained.path.');
  const model = statSync(path).isDirectory() ? await describeFolder(engine, options) : await describeCheckpoint(engine, options);
  return prediction ? { ...model, diffusion: { ...model.diffusion, prediction } } : model;
}

/** As configured, with the decoder that guidance names. */
export function pretrainedOptions(pretrained: NonNullable<Config['generator']['pretrained']>, { sampler, guidance }: Config['sampling']): PretrainedOptions {
  return { ...pretrained, sampler, ...(guidance.decoder !== undefined && { guidanceDecoder: guidance.decoder }) };
}

function levelsOf(spec: AutoencoderSpec): number {
  return spec.kind === 'taesd' ? spec.decoderBlocks.length : spec.blockChannels.length;
}

/** One text for each class and, last, the negative prompt. The encoder stays where captions come later. */
async function tellClasses(engine: Engine, generator: Generator, text: PretrainedText, { prompt, negativePrompt, names }: PretrainedOptions): Promise<void> {
  const { weights, spec, keyNames, tokenizer, padToken, skip } = text;
  const encoder = await ClipTextEncoder.load(engine, weights, spec, keyNames!);
  if (takesCaption(prompt)) generator.captions = new TextCaptions(encoder, text, { prompt, names, classes: generator.classes });
  using _unneeded = generator.captions ? null : encoder;
  const texts = [...generator.classes.map((name) => fillCaption(prompt, name, names, '')), negativePrompt];
  const tokens = tokenizer.encodeAll(texts, spec.contextLength, padToken);
  await engine.run((core) => core.setTexts(generator.handle, encoder.handle, tokens, { skip }));
}
