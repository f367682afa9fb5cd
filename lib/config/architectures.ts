/** The architectures of classifiers, as a config gives them: a family with its options, or a name that stands for one. */
import { z } from 'zod';

import { SparringError } from '../errors.js';
import type { Architecture } from '../native/contract.js';
import { nearest } from './suggest.js';

const count = z.int().min(1);

const cnn = z.strictObject({
  family: z.literal('cnn'),
  width: count.default(16).describe('channels of the first stage, doubled at each next one'),
  stages: z.int().min(1).max(6).default(3).describe('3x3 convolutions; each but the first halves the resolution'),
});
const resnet = z.strictObject({
  family: z.literal('resnet'),
  layers: z.array(count).min(1).max(6).default([2, 2, 2, 2]).describe('blocks per stage; [2,2,2,2] is ResNet-18, [3,4,6,3] ResNet-34 or, with bottleneck, -50'),
  width: count.default(64).describe('channels of the first stage, doubled at each next one'),
  bottleneck: z.boolean().default(false).describe('1x1-3x3-1x1 blocks with expansion 4'),
  stem: z.enum(['imagenet', 'cifar']).default('imagenet').describe('7x7 stride 2 and max pool, or 3x3 stride 1'),
});
const vit = z.strictObject({
  family: z.literal('vit'),
  patch: count.default(16).describe('side of a patch in pixels; divides the image size'),
  dim: count.default(384).describe('channels of a token'),
  depth: count.default(12).describe('blocks'),
  heads: count.default(6).describe('attention heads; divides dim'),
  mlpDim: count.default(1536).describe('channels within the MLP of a block'),
  registers: z.int().min(0).max(64).default(0).describe('register tokens (DINOv2 with registers: 4)'),
  distilled: z.boolean().default(false).describe('distillation token and second head of DeiT'),
  layerScale: z.boolean().default(false).describe('a learned factor per channel on each residual branch (DINOv2, DeiT III)'),
  prefixPositions: z.boolean().default(true).describe('class and register tokens have position embeddings too; not so in DeiT III and DINOv2 with registers'),
  preNorm: z.boolean().default(false).describe('a norm before the blocks, no bias in the patch embedding (CLIP)'),
  projection: z.int().min(0).max(8192).default(0).describe('channels of a linear map to unit vectors before the head (a zero-shot or linear-probe head on CLIP); 0 = none'),
  pool: z.enum(['token', 'average']).default('token').describe('what the head sees: the class token, or the mean of the patches (MAE)'),
  activation: z.enum(['gelu', 'quick-gelu']).default('gelu').describe("quick-gelu: x sigmoid(1.702 x), of OpenAI's CLIP"),
  normEps: z.number().positive().default(1e-6).describe('of the layer norms; 1e-5 in CLIP'),
});
const tinyVit = z.strictObject({
  family: z.literal('tiny-vit'),
  depths: z.array(count).min(2).max(6).default([2, 2, 6, 2]).describe('blocks per stage; the first stage is convolutional, the others attend within windows'),
  dims: z.array(count).min(2).max(6).default([64, 128, 160, 320]).describe('channels per stage'),
  heads: z.array(count).min(1).max(5).default([4, 5, 10]).describe('attention heads of each stage after the first; they divide its channels'),
  windows: z.array(count.max(64)).min(1).max(5).default([7, 14, 7]).describe('side of the windows of each stage after the first, of positions 8, 16, 32 px apart'),
});
const convnext = z.strictObject({
  family: z.literal('convnext'),
  depths: z.array(count).min(1).max(6).default([3, 3, 9, 3]).describe('blocks per stage'),
  dims: z.array(count).min(1).max(6).default([96, 192, 384, 768]).describe('channels per stage'),
});
const multiplier = z.number().positive().max(16).default(1);
const mobilenetV3 = z.strictObject({
  family: z.literal('mobilenet-v3'),
  size: z.enum(['small', 'large']).default('small').describe('MobileNetV3-Small or -Large'),
  width: multiplier.describe('multiplies the channels'),
});
const efficientnet = z.strictObject({
  family: z.literal('efficientnet'),
  width: multiplier.describe('multiplies the channels; 1 is B0'),
  depth: multiplier.describe('multiplies the blocks; 1 is B0'),
});

export const architecture = z.discriminatedUnion('family', [cnn, resnet, vit, tinyVit, convnext, mobilenetV3, efficientnet]);
type ArchitectureInput = z.input<typeof architecture>;

/** What keeps a network of this architecture from taking images of this size, or from being built at all; undefined if nothing does. */
export function architectureProblem(options: Architecture, imageSize: number): string | undefined {
  if (options.family === 'vit') {
    const { dim, heads, patch, distilled, pool } = options;
    if (dim % heads !== 0) return `${heads} heads do not divide ${dim} channels.`;
    if (imageSize % patch !== 0) return `patches of ${patch} px do not divide images of ${imageSize} px.`;
    if (distilled && pool === 'average') return 'a distilled transformer has class and distillation tokens, not an average, for its heads.';
  } else if (options.family === 'tiny-vit') {
    const { depths, dims, heads, windows } = options;
    const stages = dims.length;
    if (depths.length !== stages) return `expected as many depths as dims, found ${depths.length} and ${stages}.`;
    if (heads.length !== stages - 1 || windows.length !== stages - 1) return `expected heads and windows for the ${stages - 1} stages after the first, found ${heads.length} and ${windows.length}.`;
    const odd = heads.findIndex((count, i) => dims[i + 1]! % count !== 0);
    if (odd >= 0) return `${heads[odd]} heads do not divide ${dims[odd + 1]} channels.`;
    if (dims[0]! < 2) return 'the first of dims must be at least 2.';
  } else if (options.family === 'convnext') {
    const { depths, dims } = options;
    if (depths.length !== dims.length) return `expected as many dims as depths, found ${dims.length} and ${depths.length}.`;
    const least = 4 * 2 ** (depths.length - 1); // the stem divides by 4, each further stage by 2
    if (imageSize < least) return `${depths.length} stages need images of at least ${least} px, found ${imageSize}.`;
  }
  return undefined;
}

const vitSizes = {
  tiny: { dim: 192, heads: 3, mlpDim: 768 },
  small: {},
  base: { dim: 768, heads: 12, mlpDim: 3072 },
  large: { dim: 1024, depth: 24, heads: 16, mlpDim: 4096 },
} as const;
const vitOf = (size: keyof typeof vitSizes, more: object): ArchitectureInput => ({ family: 'vit', ...vitSizes[size], ...more });
const tinyVit21m = { family: 'tiny-vit' as const, dims: [96, 192, 384, 576], heads: [6, 12, 18] };
const clip = { preNorm: true, normEps: 1e-5 };

/** Of most published classifiers, per channel, of pixels in 0..1. */
export const imagenetNormalisation = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;

/** Names of timm, without the image size where nothing else depends on it (and, for the CIFAR networks, of the paper), for the architectures in common use. */
export const namedArchitectures: Readonly<Record<string, ArchitectureInput>> = {
  resnet18: { family: 'resnet' },
  resnet34: { family: 'resnet', layers: [3, 4, 6, 3] },
  resnet50: { family: 'resnet', layers: [3, 4, 6, 3], bottleneck: true },
  resnet101: { family: 'resnet', layers: [3, 4, 23, 3], bottleneck: true },
  ...Object.fromEntries([20, 32, 44, 56].map((depth) => [`cifar_resnet${depth}`, { family: 'resnet', layers: Array(3).fill((depth - 2) / 6), width: 16, stem: 'cifar' }])),
  vit_tiny_patch16: vitOf('tiny', {}),
  vit_small_patch16: vitOf('small', {}),
  vit_small_patch32: vitOf('small', { patch: 32 }),
  vit_base_patch16: vitOf('base', {}),
  vit_base_patch32: vitOf('base', { patch: 32 }),
  vit_large_patch16: vitOf('large', {}),
  vit_large_patch32: vitOf('large', { patch: 32 }),
  deit_tiny_distilled_patch16: vitOf('tiny', { distilled: true }),
  deit_small_distilled_patch16: vitOf('small', { distilled: true }),
  deit_base_distilled_patch16: vitOf('base', { distilled: true }),
  vit_small_patch14_dinov2: vitOf('small', { patch: 14, layerScale: true }),
  vit_base_patch14_dinov2: vitOf('base', { patch: 14, layerScale: true }),
  vit_large_patch14_dinov2: vitOf('large', { patch: 14, layerScale: true }),
  vit_small_patch14_reg4_dinov2: vitOf('small', { patch: 14, layerScale: true, registers: 4, prefixPositions: false }),
  vit_base_patch14_reg4_dinov2: vitOf('base', { patch: 14, layerScale: true, registers: 4, prefixPositions: false }),
  vit_large_patch14_reg4_dinov2: vitOf('large', { patch: 14, layerScale: true, registers: 4, prefixPositions: false }),
  vit_base_patch16_clip: vitOf('base', clip),
  vit_base_patch32_clip: vitOf('base', { patch: 32, ...clip }),
  vit_large_patch14_clip: vitOf('large', { patch: 14, ...clip }),
  vit_base_patch16_clip_quickgelu: vitOf('base', { ...clip, activation: 'quick-gelu' }),
  vit_base_patch32_clip_quickgelu: vitOf('base', { patch: 32, ...clip, activation: 'quick-gelu' }),
  vit_large_patch14_clip_quickgelu: vitOf('large', { patch: 14, ...clip, activation: 'quick-gelu' }),
  tiny_vit_5m: { family: 'tiny-vit' },
  tiny_vit_11m: { family: 'tiny-vit', dims: [64, 128, 256, 448], heads: [4, 8, 14] },
  tiny_vit_21m: tinyVit21m,
  tiny_vit_21m_384: { ...tinyVit21m, windows: [12, 24, 12] },
  tiny_vit_21m_512: { ...tinyVit21m, windows: [16, 32, 16] },
  convnext_tiny: { family: 'convnext' },
  convnext_small: { family: 'convnext', depths: [3, 3, 27, 3] },
  convnext_base: { family: 'convnext', depths: [3, 3, 27, 3], dims: [128, 256, 512, 1024] },
  mobilenetv3_small_100: { family: 'mobilenet-v3', size: 'small' },
  mobilenetv3_large_100: { family: 'mobilenet-v3', size: 'large' },
  efficientnet_b0: { family: 'efficientnet' },
};

/** What a name stands for. Throws SparringError 'config', which says where, when there is no such name. */
export function architectureNamed(name: string, where: string): ArchitectureInput {
  if (Object.hasOwn(namedArchitectures, name)) return namedArchitectures[name]!;
  const names = Object.keys(namedArchitectures);
  const guess = nearest(name, names);
  throw new SparringError('config', `${where}: expected a family with its options or one of ${names.join(', ')}; found '${name}'.`, guess ? `Did you mean '${guess}'?` : 'See docs/config.md.');
}
