/**
 * Image classifiers in folders of transformers: what `config.json` says, and how their names of the weights read as ours,
 * which are those of timm.
 */
import { z } from 'zod';

import type { Architecture, KeyNames, KeyRule } from '../native/contract.js';

const count = z.int().min(1);
const labels = { id2label: z.record(z.string(), z.string()).optional() };
const transformer = {
  ...labels,
  hidden_size: count.default(768),
  num_hidden_layers: count.default(12),
  num_attention_heads: count.default(12),
  hidden_act: z.literal('gelu').default('gelu'),
  image_size: count.max(16384).default(224),
  patch_size: count.default(16),
  num_channels: z.literal(3).default(3),
  qkv_bias: z.literal(true).default(true),
};
const vit = { ...transformer, intermediate_size: count.default(3072), layer_norm_eps: z.number().positive().max(1e-3).default(1e-12) };

/** Of a config file; strictness is the weights' matter: what the options leave out shows as a missing or unexpected tensor. */
export const transformersClassifier = z.discriminatedUnion('model_type', [
  z.object({ model_type: z.literal('vit'), ...vit }),
  z.object({ model_type: z.literal('deit'), ...vit }),
  z.object({
    model_type: z.literal('dinov2'),
    ...transformer,
    mlp_ratio: z.number().positive().default(4),
    layer_norm_eps: z.number().positive().max(1e-3).default(1e-6),
    use_swiglu_ffn: z.literal(false).default(false),
  }),
  z.object({
    model_type: z.literal('convnext'),
    ...labels,
    depths: z.array(count).default([3, 3, 9, 3]),
    hidden_sizes: z.array(count).default([96, 192, 384, 768]),
    hidden_act: z.literal('gelu').default('gelu'),
    layer_norm_eps: z.number().positive().max(1e-5).default(1e-12), // of the last norm only; ours has 1e-6 in all
    patch_size: z.literal(4).default(4),
    num_channels: z.literal(3).default(3),
  }),
  z.object({
    model_type: z.literal('resnet'),
    ...labels,
    embedding_size: count.default(64),
    depths: z.array(count).default([3, 4, 6, 3]),
    hidden_sizes: z.array(count).default([256, 512, 1024, 2048]),
    layer_type: z.enum(['basic', 'bottleneck']).default('bottleneck'),
    hidden_act: z.literal('relu').default('relu'),
    downsample_in_first_stage: z.literal(false).default(false),
    downsample_in_bottleneck: z.literal(false).default(false),
    num_channels: z.literal(3).default(3),
  }),
]);
type Description = z.output<typeof transformersClassifier>;

export function architectureOfTransformers(config: Description): Architecture {
  switch (config.model_type) {
    case 'convnext':
      return { family: 'convnext', depths: config.depths, dims: config.hidden_sizes };
    case 'resnet':
      return { family: 'resnet', layers: config.depths, width: config.embedding_size, bottleneck: config.layer_type === 'bottleneck', stem: 'imagenet' };
    default:
      return {
        family: 'vit', patch: config.patch_size, dim: config.hidden_size, depth: config.num_hidden_layers, heads: config.num_attention_heads,
        mlpDim: config.model_type === 'dinov2' ? Math.floor(config.hidden_size * config.mlp_ratio) : config.intermediate_size,
        registers: 0, distilled: config.model_type === 'deit', layerScale: config.model_type === 'dinov2', prefixPositions: true, preNorm: false, projection: 0,
        pool: 'token', activation: 'gelu', normEps: config.layer_norm_eps,
      };
  }
}

const same = (ours: string, ...theirs: string[]): KeyRule => ({ ours, theirs, layout: 'same' });

/** The parts of a block that all transformers share. */
const block = (theirs: string): KeyRule[] => [
  same('blocks.*.attn.qkv.*', `${theirs}.attention.attention.query.*`, `${theirs}.attention.attention.key.*`, `${theirs}.attention.attention.value.*`),
  same('blocks.*.attn.proj.*', `${theirs}.attention.output.dense.*`),
];
const embeddings = (theirs: string): KeyRule[] => [
  same('cls_token', `${theirs}.cls_token`),
  same('dist_token', `${theirs}.distillation_token`),
  same('pos_embed', `${theirs}.position_embeddings`),
  same('patch_embed.proj.*', `${theirs}.patch_embeddings.projection.*`),
];

const vitNames = (prefix: string): KeyNames => ({
  rules: [
    ...embeddings(`${prefix}.embeddings`),
    ...block(`${prefix}.encoder.layer.*`),
    same('blocks.*.norm1.*', `${prefix}.encoder.layer.*.layernorm_before.*`),
    same('blocks.*.norm2.*', `${prefix}.encoder.layer.*.layernorm_after.*`),
    same('blocks.*.mlp.fc1.*', `${prefix}.encoder.layer.*.intermediate.dense.*`),
    same('blocks.*.mlp.fc2.*', `${prefix}.encoder.layer.*.output.dense.*`),
    same('norm.*', `${prefix}.layernorm.*`),
    same('head.*', prefix === 'deit' ? 'cls_classifier.*' : 'classifier.*'),
    same('head_dist.*', 'distillation_classifier.*'),
  ],
  ignored: [],
});

/** The head of transformers' DINOv2 takes more than the class token, so the file counts as one without a head. */
const dinov2Names: KeyNames = {
  rules: [
    ...embeddings('embeddings'),
    ...block('encoder.layer.*'),
    same('blocks.*.norm1.*', 'encoder.layer.*.norm1.*'),
    same('blocks.*.norm2.*', 'encoder.layer.*.norm2.*'),
    same('blocks.*.ls1.gamma', 'encoder.layer.*.layer_scale1.lambda1'),
    same('blocks.*.ls2.gamma', 'encoder.layer.*.layer_scale2.lambda1'),
    same('blocks.*.mlp.*.*', 'encoder.layer.*.mlp.*.*'),
    same('norm.*', 'layernorm.*'),
  ],
  ignored: ['embeddings.mask_token'],
};

const convnextNames: KeyNames = {
  rules: [
    same('stem.0.*', 'convnext.embeddings.patch_embeddings.*'),
    same('stem.1.*', 'convnext.embeddings.layernorm.*'),
    same('stages.*.downsample.*.*', 'convnext.encoder.stages.*.downsampling_layer.*.*'),
    same('stages.*.blocks.*.gamma', 'convnext.encoder.stages.*.layers.*.layer_scale_parameter'),
    same('stages.*.blocks.*.conv_dw.*', 'convnext.encoder.stages.*.layers.*.dwconv.*'),
    same('stages.*.blocks.*.norm.*', 'convnext.encoder.stages.*.layers.*.layernorm.*'),
    same('stages.*.blocks.*.mlp.fc1.*', 'convnext.encoder.stages.*.layers.*.pwconv1.*'),
    same('stages.*.blocks.*.mlp.fc2.*', 'convnext.encoder.stages.*.layers.*.pwconv2.*'),
    same('head.norm.*', 'convnext.layernorm.*'),
    same('head.fc.*', 'classifier.*'),
  ],
  ignored: [],
};

const resnetNames = (stages: number, convolutions: number): KeyNames => ({
  rules: [
    same('conv1.*', 'resnet.embedder.embedder.convolution.*'),
    same('bn1.*', 'resnet.embedder.embedder.normalization.*'),
    ...Array.from({ length: stages }, (_, stage) => {
      const [ours, theirs] = [`layer${stage + 1}.*`, `resnet.encoder.stages.${stage}.layers.*`];
      return [
        same(`${ours}.downsample.0.*`, `${theirs}.shortcut.convolution.*`),
        same(`${ours}.downsample.1.*`, `${theirs}.shortcut.normalization.*`),
        ...Array.from({ length: convolutions }, (_, i) => [
          same(`${ours}.conv${i + 1}.*`, `${theirs}.layer.${i}.convolution.*`),
          same(`${ours}.bn${i + 1}.*`, `${theirs}.layer.${i}.normalization.*`),
        ]).flat(),
      ];
    }).flat(),
    same('fc.*', 'classifier.1.*'),
  ],
  ignored: [],
});

/** What a file with these tensors calls the weights of the network. */
export function transformersNames(config: Description, tensors: readonly string[]): KeyNames {
  switch (config.model_type) {
    case 'convnext':
      return convnextNames;
    case 'resnet':
      return resnetNames(config.depths.length, config.layer_type === 'bottleneck' ? 3 : 2);
    case 'dinov2':
      return { ...dinov2Names, ...(tensors.some((name) => name.startsWith('dinov2.')) && { section: 'dinov2.' }) };
    default:
      return vitNames(config.model_type);
  }
}
