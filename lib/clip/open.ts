/** Finds out what a CLIP model on disk is: a folder of transformers or open_clip, or a single file with OpenAI's names. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

import { architectureProblem } from '../config/architectures.js';
import { readJson } from '../config/json.js';
import { SparringError } from '../errors.js';
import type { ClassifierSpec, KeyNames, TextEncoderSpec } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { describeOpenAI, describeOpenClip, describeTransformers, openClipConfig, textOfTransformers, transformersConfig, transformersText, triple, type ClipDescription } from './description.js';
import { openaiNames, transformersNames, transformersTextNames, type ClipKeyNames } from './key-names.js';
import type { ClipTokenizer } from './tokenizer.js';
import { openTokenizer } from './vocabulary.js';

export interface ClipModel {
  /** Safetensors file of both towers. */
  weights: string;
  keyNames: ClipKeyNames;
  image: Omit<ClassifierSpec, 'numClasses'>;
  text: TextEncoderSpec;
  tokenizer: ClipTokenizer;
}

type Triple = readonly [number, number, number];
type Normalisation = { mean?: Triple | undefined; std?: Triple | undefined };

/** CLIP's own normalisation, for folders that do not say. */
const mean: Triple = [0.48145466, 0.4578275, 0.40821073];
const std: Triple = [0.26862954, 0.26130258, 0.27577711];

const preprocessor = z.object({ image_mean: triple.optional(), image_std: triple.optional() });
const textTowerConfig = transformersText.extend({ model_type: z.literal('clip_text_model'), projection_dim: z.int().min(1).default(512) });
/** Weights files, the preferred first. */
const weightFiles = ['model.safetensors', 'model.safetensors.index.json', 'model.fp16.safetensors', 'model.fp16.safetensors.index.json', 'open_clip_model.safetensors', 'open_clip_model.safetensors.index.json'];
const readable = 'Only CLIP models with a vision transformer as image tower are read.';

/** Throws SparringError 'io' when there is nothing at `path`, 'weights' when it is no CLIP that can be read. */
export async function openClip(engine: Engine, path: string): Promise<ClipModel> {
  const weights = weightsFile(path);
  const info = await engine.run((core) => core.inspectWeights(weights));
  const has = (name: string): boolean => info.tensors.some((tensor) => tensor.name === name);
  const folder = dirname(weights);
  const ofTransformers = has('vision_model.embeddings.class_embedding');
  const found = ofTransformers ? await readTransformers(folder) : await readOpenClip(folder, () => describeOpenAI(weights, info));
  const { heads, dim } = found.text;
  const problem = architectureProblem(found.architecture, found.imageSize) ?? (dim % heads !== 0 ? `${heads} heads do not divide ${dim} channels of the text tower.` : undefined);
  if (problem) throw new SparringError('weights', `${folder}: ${problem}`, 'The config file and the weights must be of one model.');
  const tokenizer = await openTokenizer(folder);
  if (tokenizer.endToken !== found.text.endToken) {
    throw new SparringError('weights', `${folder}: the tokenizer ends a text with token ${tokenizer.endToken}, the model with ${found.text.endToken}.`, "Put the model's own vocab.json and merges.txt beside its weights.");
  }
  return {
    weights,
    keyNames: ofTransformers ? transformersNames : openaiNames,
    image: { architecture: found.architecture, imageSize: found.imageSize, mean: found.mean ?? mean, std: found.std ?? std },
    text: { ...found.text, logitScale: has('logit_scale') },
    tokenizer,
  };
}

/** A text tower alone, in a folder of transformers such as the text encoder of Stable Diffusion. Errors as of `openClip`. */
export async function openTextTower(engine: Engine, folder: string): Promise<{ weights: string; keyNames: KeyNames; text: TextEncoderSpec }> {
  const weights = weightsFile(folder);
  const config = await readJson(join(folder, 'config.json'), textTowerConfig, 'Only the text encoders of Stable Diffusion 1 and 2 are read.');
  const names = new Set((await engine.run((core) => core.inspectWeights(weights))).tensors.map(({ name }) => name));
  const text = textOfTransformers(config, names.has('text_projection.weight') ? config.projection_dim : 0);
  return { weights, keyNames: names.has('embeddings.token_embedding.weight') ? transformersTextNames : transformersNames.text, text: { ...text, logitScale: false } };
}

async function readTransformers(folder: string): Promise<ClipDescription & Normalisation> {
  const description = describeTransformers(await readJson(join(folder, 'config.json'), transformersConfig, readable));
  const path = join(folder, 'preprocessor_config.json');
  const { image_mean, image_std } = existsSync(path) ? await readJson(path, preprocessor, readable) : {};
  return { ...description, mean: image_mean, std: image_std };
}

async function readOpenClip(folder: string, otherwise: () => ClipDescription): Promise<ClipDescription & Normalisation> {
  const path = join(folder, 'open_clip_config.json');
  if (!existsSync(path)) return otherwise();
  const { model_cfg, preprocess_cfg } = await readJson(path, openClipConfig, readable);
  return { ...describeOpenClip(model_cfg), ...preprocess_cfg };
}

function weightsFile(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new SparringError('io', `${path}: expected the folder or the safetensors file of a CLIP model, found nothing.`, 'Check the path.');
  if (!stat.isDirectory()) return path;
  const found = weightFiles.map((name) => join(path, name)).find((file) => existsSync(file));
  if (!found) throw new SparringError('weights', `${path}: expected one of ${weightFiles.join(', ')}, found none.`, 'Weights are read from safetensors alone; convert others first.');
  return found;
}
