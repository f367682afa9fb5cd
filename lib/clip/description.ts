/** What a CLIP is, from the config file of its folder; for a file alone, from the shapes of its weights. */
import { z } from 'zod';

import { SparringError } from '../errors.js';
import type { Architecture, TextEncoderSpec, WeightsInfo } from '../native/contract.js';

export interface ClipDescription {
  architecture: Extract<Architecture, { family: 'vit' }>;
  imageSize: number;
  text: Omit<TextEncoderSpec, 'logitScale'>;
}

const count = z.int().min(1);
/** One number per colour. */
export const triple = z.tuple([z.number(), z.number(), z.number()]);

/** config.json of transformers, which leaves out what has its default there. */
const activation = z.enum(['quick_gelu', 'gelu']).default('quick_gelu');
export const transformersText = z.object({
  vocab_size: count.default(49408),
  hidden_size: count.default(512),
  intermediate_size: count.default(2048),
  num_hidden_layers: count.default(12),
  num_attention_heads: count.default(8),
  max_position_embeddings: count.default(77),
  hidden_act: activation,
  layer_norm_eps: z.number().positive().default(1e-5),
  eos_token_id: z.int().min(0).default(49407),
});
const transformersVision = z.object({
  hidden_size: count.default(768),
  intermediate_size: count.default(3072),
  num_hidden_layers: count.default(12),
  num_attention_heads: count.default(12),
  image_size: count.default(224),
  patch_size: count.default(32),
  hidden_act: activation,
  layer_norm_eps: z.number().positive().default(1e-5),
});
export const transformersConfig = z.object({
  model_type: z.literal('clip'),
  projection_dim: count.default(512),
  text_config: transformersText.prefault({}),
  vision_config: transformersVision.prefault({}),
});

/** open_clip_config.json. Strict: settings not listed here change the network. */
export const openClipConfig = z.object({
  model_cfg: z.strictObject({
    embed_dim: count,
    quick_gelu: z.boolean().default(false),
    vision_cfg: z.strictObject({ image_size: count.default(224), layers: count, width: count, patch_size: count, head_width: count.default(64), mlp_ratio: z.number().positive().default(4) }),
    text_cfg: z.strictObject({ context_length: count.default(77), vocab_size: count.default(49408), width: count, heads: count, layers: count, mlp_ratio: z.number().positive().default(4) }),
  }),
  preprocess_cfg: z.object({ mean: triple.optional(), std: triple.optional() }).prefault({}),
});

const activationOf = (name: 'quick_gelu' | 'gelu') => (name === 'gelu' ? 'gelu' : 'quick-gelu');

/** The options that all image towers of CLIP share. */
const clipViT = { family: 'vit', registers: 0, distilled: false, layerScale: false, prefixPositions: true, preNorm: true, pool: 'token' } as const;

export function textOfTransformers(text: z.output<typeof transformersText>, projection: number): ClipDescription['text'] {
  return {
    vocabSize: text.vocab_size, contextLength: text.max_position_embeddings,
    endToken: text.eos_token_id === 2 ? text.vocab_size - 1 : text.eos_token_id, // older files say 2 and mean the last token
    dim: text.hidden_size, depth: text.num_hidden_layers, heads: text.num_attention_heads, mlpDim: text.intermediate_size,
    projection, activation: activationOf(text.hidden_act), normEps: text.layer_norm_eps,
  };
}

export function describeTransformers({ projection_dim: projection, text_config: text, vision_config: vision }: z.output<typeof transformersConfig>): ClipDescription {
  return {
    architecture: {
      ...clipViT, patch: vision.patch_size, dim: vision.hidden_size, depth: vision.num_hidden_layers, heads: vision.num_attention_heads,
      mlpDim: vision.intermediate_size, projection, activation: activationOf(vision.hidden_act), normEps: vision.layer_norm_eps,
    },
    imageSize: vision.image_size,
    text: textOfTransformers(text, projection),
  };
}

export function describeOpenClip({ embed_dim: projection, quick_gelu, vision_cfg: vision, text_cfg: text }: z.output<typeof openClipConfig>['model_cfg']): ClipDescription {
  const shared = { projection, activation: quick_gelu ? 'quick-gelu' : 'gelu', normEps: 1e-5 } as const;
  return {
    architecture: {
      ...clipViT, ...shared, patch: vision.patch_size, dim: vision.width, depth: vision.layers,
      heads: Math.floor(vision.width / vision.head_width), mlpDim: Math.floor(vision.width * vision.mlp_ratio),
    },
    imageSize: vision.image_size,
    text: {
      ...shared, vocabSize: text.vocab_size, contextLength: text.context_length, endToken: text.vocab_size - 1, dim: text.width,
      depth: text.layers, heads: text.heads, mlpDim: Math.floor(text.width * text.mlp_ratio),
    },
  };
}

/** A file with OpenAI's names says all but the activation, which is OpenAI's, and the heads, which have 64 channels. */
export function describeOpenAI(path: string, { tensors }: WeightsInfo): ClipDescription {
  const shapes = new Map(tensors.map(({ name, shape }) => [name, shape]));
  const size = (name: string, dimension: number): number => {
    const value = shapes.get(name)?.[dimension];
    if (!value) throw new SparringError('weights', `${path}: expected a tensor ${name} of at least ${dimension + 1} dimensions, found ${shapes.has(name) ? `shape [${shapes.get(name)}]` : 'none'}.`, 'Only CLIP models with a vision transformer as image tower are read.');
    return value;
  };
  const depth = (tower: string): number => tensors.filter(({ name }) => name.startsWith(`${tower}.resblocks.`) && name.endsWith('.ln_1.weight')).length;
  const shared = { projection: size('text_projection', 1), activation: 'quick-gelu', normEps: 1e-5 } as const;
  const tower = (name: string, dim: number) => ({ ...shared, dim, depth: depth(name), heads: Math.max(1, Math.floor(dim / 64)), mlpDim: 4 * dim });
  const patch = size('visual.conv1.weight', 2);
  const vocabSize = size('token_embedding.weight', 0);
  return {
    architecture: { ...clipViT, ...tower('visual.transformer', size('visual.conv1.weight', 0)), patch },
    imageSize: patch * Math.round(Math.sqrt(size('visual.positional_embedding', 0) - 1)),
    text: { ...tower('transformer', size('token_embedding.weight', 1)), vocabSize, contextLength: size('positional_embedding', 0), endToken: vocabSize - 1 },
  };
}
