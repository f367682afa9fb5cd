/**
 * One file with a whole Stable Diffusion 1.x or 2.x (`v1-5-pruned-emaonly.safetensors` and the like): U-Net, autoencoder and
 * text encoder under the names of latent-diffusion. Their sizes are read off the weights; what weights cannot say is what
 * all of these models have in common.
 */
import { openaiNames, transformersNames } from '../clip/key-names.js';
import { openTokenizer } from '../clip/vocabulary.js';
import { SparringError } from '../errors.js';
import type { AutoencoderSpec, KeyNames, TextEncoderSpec, UNetSpec, WeightsInfo } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { unetKeyNames, unetSection } from './checkpoint-keys.js';
import type { PretrainedModel, PretrainedOptions } from './pretrained.js';
import { schedulerConfig } from './scheduler-config.js';

const textSections = { openClip: 'cond_stage_model.model.', transformers: 'cond_stage_model.transformer.' };

/** Of Stable Diffusion 1 and 2, as diffusers has it. */
const publishedScheduler = {
  _class_name: 'PNDMScheduler', beta_schedule: 'scaled_linear', beta_start: 0.00085, beta_end: 0.012, steps_offset: 1, set_alpha_to_one: false, clip_sample: false,
};

export async function describeCheckpoint(engine: Engine, { path, sampler }: Pick<PretrainedOptions, 'path' | 'sampler'>): Promise<PretrainedModel> {
  const info = await engine.run((core) => core.inspectWeights(path));
  const shapes = new Map(info.tensors.map(({ name, shape }) => [name, shape]));
  const unet = unetOf(path, shapes);
  const { secondVersion, ...text } = textOf(path, info);
  const tokenizer = await openTokenizer();
  const { schedule, sampler: { spacing, variance }, clip } = schedulerConfig(publishedScheduler, path, sampler);
  return {
    unet: { spec: unet, weights: path, keyNames: unetKeyNames(unet) },
    // 2.x "base" models predict epsilon, which their files do not tell
    diffusion: { schedule, prediction: secondVersion ? 'v' : 'epsilon', spacing, variance, clip },
    sampleSize: secondVersion ? 96 : 64,
    autoencoder: { spec: autoencoderOf(path, shapes), weights: path },
    // open_clip fills texts with zeros, which is its token '!', and Stable Diffusion 2 leaves out its last block.
    text: { ...text, weights: path, tokenizer, padToken: secondVersion ? 0 : tokenizer.endToken, skip: secondVersion ? 1 : 0 },
  };
}

/** The U-Net that these weights belong to. Version 1 has 8 heads everywhere, version 2 heads of 64 channels. */
export function unetOf(path: string, shapes: ReadonlyMap<string, readonly number[]>): UNetSpec {
  const sizes = (name: string): readonly number[] | undefined => shapes.get(unetSection + name);
  const first = sizes('input_blocks.0.0.weight'), text = [...shapes.keys()].find((name) => name.startsWith(unetSection) && name.endsWith('attn2.to_k.weight'));
  if (first?.length !== 4 || !text || shapes.get(text)!.length !== 2) {
    throw new SparringError('weights', `${path}: expected a Stable Diffusion with tensors such as ${unetSection}input_blocks.0.0.weight, found none.`, 'Give a model folder of diffusers, or the file of a whole text-to-image model.');
  }
  if (first[1] !== 4) throw new SparringError('weights', `${path}: expected a U-Net of 4 channels, found ${first[1]}.`, 'Models for inpainting and the like are not supported.');
  const blockChannels: number[] = [], attention: (0 | 1)[] = [];
  let layers = 0;
  for (let block = 1, inLevel = 0; ; block++) {
    const width = sizes(`input_blocks.${block}.0.out_layers.3.weight`)?.[0];
    if (width !== undefined && inLevel++ === 0) {
      blockChannels.push(width);
      attention.push(sizes(`input_blocks.${block}.1.norm.weight`) ? 1 : 0);
    }
    if (width !== undefined) continue;
    layers = Math.max(layers, inLevel);
    inLevel = 0;
    if (!sizes(`input_blocks.${block}.0.op.weight`)) break;
  }
  const textChannels = shapes.get(text)![1], linearProjection = sizes('middle_block.1.proj_in.weight')?.length === 2;
  return {
    channels: 4, blockChannels, attention, layersPerBlock: layers,
    heads: blockChannels.map((width) => (linearProjection ? Math.max(1, Math.floor(width / 64)) : 8)),
    normGroups: 32, normEps: 1e-5, classEmbeddings: 0, textChannels, transformerLayers: 1, linearProjection,
    downsampleBothSides: true, cosineFirst: true, frequencyShift: 0,
  };
}

/** The autoencoder that these weights belong to. */
export function autoencoderOf(path: string, shapes: ReadonlyMap<string, readonly number[]>): AutoencoderSpec {
  const sizes = (name: string): readonly number[] | undefined => shapes.get(`first_stage_model.${name}`);
  const latent = sizes('post_quant_conv.weight');
  const widths = Array.from({ length: 8 }, (_, level) => sizes(`encoder.down.${level}.block.0.conv1.weight`)?.[0]).filter((width) => width !== undefined);
  if (latent?.length !== 4 || widths.length === 0) {
    throw new SparringError('weights', `${path}: expected an autoencoder with tensors such as first_stage_model.post_quant_conv.weight, found none.`, 'Give the file of a whole text-to-image model, or a model folder of diffusers.');
  }
  const layers = Array.from({ length: 8 }, (_, layer) => sizes(`encoder.down.0.block.${layer}.conv1.weight`)).filter(Boolean).length;
  const attention = widths.map((_, level) => (sizes(`encoder.down.${level}.attn.0.norm.weight`) ? 1 : 0));
  return { kind: 'kl', blockChannels: widths, attention, layersPerBlock: layers, normGroups: 32, latentChannels: latent[1], scalingFactor: 0.18215 };
}

interface TextTower {
  spec: TextEncoderSpec;
  keyNames: KeyNames;
  /** Stable Diffusion 2.x, whose text encoder is that of open_clip. */
  secondVersion: boolean;
}

function textOf(path: string, { tensors }: WeightsInfo): TextTower {
  const secondVersion = tensors.some(({ name }) => name.startsWith(textSections.openClip));
  const section = secondVersion ? textSections.openClip : textSections.transformers;
  const prefix = secondVersion ? section : `${section}text_model.`;
  const names = secondVersion
    ? { tokens: 'token_embedding.weight', positions: 'positional_embedding', block: /^transformer\.resblocks\.\d+\.ln_1\.weight$/ }
    : { tokens: 'embeddings.token_embedding.weight', positions: 'embeddings.position_embedding.weight', block: /^encoder\.layers\.\d+\.layer_norm1\.weight$/ };
  const own = tensors.filter(({ name }) => name.startsWith(prefix)).map(({ name, shape }) => ({ name: name.slice(prefix.length), shape }));
  const sizes = (name: string): number[] => {
    const shape = own.find((tensor) => tensor.name === name)?.shape;
    if (shape?.length !== 2) throw new SparringError('weights', `${path}: expected a matrix ${prefix}${name}, found ${shape ? `shape [${shape}]` : 'none'}.`, 'The file has no text encoder that is known; give a model folder of diffusers.');
    return shape;
  };
  const [vocabSize, dim] = sizes(names.tokens);
  const spec: TextEncoderSpec = {
    vocabSize, dim, contextLength: sizes(names.positions)[0], endToken: vocabSize - 1, depth: own.filter(({ name }) => names.block.test(name)).length,
    heads: Math.max(1, Math.floor(dim / 64)), mlpDim: 4 * dim, projection: 0, logitScale: false, activation: secondVersion ? 'gelu' : 'quick-gelu', normEps: 1e-5,
  };
  const table = secondVersion ? openaiNames.text : transformersNames.text;
  return { spec, keyNames: { ...table, section, ignored: [...table.ignored, 'text_projection', 'logit_scale', 'text_model.embeddings.position_ids'] }, secondVersion };
}
