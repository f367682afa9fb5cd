/**
 * What `npm run parity` checks at full size, as data: a new architecture is a line here. `reference` is what
 * test/parity/reference/full_size builds; `ours` is what the product calls it.
 */
import type { autoencoderSpecs } from '../../../lib/config/autoencoders.js';
import type { Architecture } from '../../../lib/native/contract.js';

interface Common {
  name: string;
  /** Side of the images or latents. */
  size: number;
}

export type FullSize =
  | (Common & {
      kind: 'classifier';
      /** A name of lib/config/architectures.ts, and what differs from it. */
      ours: string;
      changed?: Partial<Extract<Architecture, { family: 'vit' }>>;
      reference: { timm: string; options?: object } | { cifarResnet: number };
      classes: number;
      batch: number;
    })
  | (Common & { kind: 'clip'; reference: { transformers: object } | { openClip: string } | { openai: string }; batch: number; classes: readonly string[]; prompts: readonly string[] })
  | (Omit<Common, 'size'> & { kind: 'text'; reference: { text: object }; texts: readonly string[] })
  | (Common & { kind: 'unet'; reference: { config: object } })
  | (Common & { kind: 'autoencoder'; ours: keyof typeof autoencoderSpecs; batch?: number; channelsLast?: boolean; reference: { config: object; names?: 'CompVis' } });

// ---------------------------------------------------------------- classifiers

type Classifier = Extract<FullSize, { kind: 'classifier' }>;
/** Of timm. Where ReLUs or a max pool are met, rounding changes some gradients in lumps: several images give a sound median. */
const classifier = (ours: string, timm: string, more: Partial<Classifier> = {}): Classifier => ({ name: ours, kind: 'classifier', ours, reference: { timm }, classes: 1000, batch: 2, size: 224, ...more });
const withRelu = { batch: 8 };
/** Their own size is 518 px; those above the small ones are checked at 224 px for the sake of time. */
const dinov2 = (ours: string, size: number): Classifier => classifier(ours, ours, { size, reference: { timm: ours, options: { img_size: size } } });

const classifiers: Classifier[] = [
  classifier('resnet18', 'resnet18', withRelu),
  classifier('resnet34', 'resnet34', withRelu),
  classifier('resnet50', 'resnet50', withRelu),
  classifier('resnet101', 'resnet101', withRelu),
  ...[20, 32, 44, 56].map((depth) => classifier(`cifar_resnet${depth}`, '', { reference: { cifarResnet: (depth - 2) / 6 }, classes: 10, size: 32, batch: 8 })),
  ...['vit_tiny_patch16', 'vit_small_patch16', 'vit_small_patch32', 'vit_base_patch16', 'vit_base_patch32', 'vit_large_patch16', 'vit_large_patch32'].map((name) => classifier(name, `${name}_224`)),
  classifier('vit_base_patch16', 'vit_base_patch16_224', { name: 'vit_base_patch16 (MAE)', changed: { pool: 'average' }, reference: { timm: 'vit_base_patch16_224', options: { global_pool: 'avg' } } }),
  ...['tiny', 'small', 'base'].map((size) => classifier(`deit_${size}_distilled_patch16`, `deit_${size}_distilled_patch16_224`)),
  ...['vit_small_patch14_dinov2', 'vit_small_patch14_reg4_dinov2'].map((name) => dinov2(name, 518)),
  ...['base', 'large'].flatMap((size) => [dinov2(`vit_${size}_patch14_dinov2`, 224), dinov2(`vit_${size}_patch14_reg4_dinov2`, 224)]),
  ...['vit_base_patch16_clip', 'vit_base_patch32_clip', 'vit_large_patch14_clip'].flatMap((name) => [classifier(name, `${name}_224`), classifier(`${name}_quickgelu`, `${name}_quickgelu_224`)]),
  ...['convnext_tiny', 'convnext_small', 'convnext_base'].map((name) => classifier(name, name)),
  ...['mobilenetv3_small_100', 'mobilenetv3_large_100'].map((name) => classifier(name, name, withRelu)),
  classifier('efficientnet_b0', 'efficientnet_b0'),
  ...['tiny_vit_5m', 'tiny_vit_11m', 'tiny_vit_21m'].map((name) => classifier(name, `${name}_224`)),
  ...[384, 512].map((size) => classifier(`tiny_vit_21m_${size}`, `tiny_vit_21m_${size}`, { size })),
];

// ---------------------------------------------------------------- CLIP and text encoders

const largeClip = {
  projection_dim: 768,
  text_config: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12 },
  vision_config: { hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 24, num_attention_heads: 16, patch_size: 14 },
};
const texts = ['', 'a photo of a landbird.', 'an oil painting of two waterbirds over a lake, at night', 'naïve café; 3.14159!'];
const zeroShot = {
  kind: 'clip', size: 224, batch: 8, prompts: ['a photo of a {}.', 'a blurry photo of the {}, at night!'],
  classes: ['landbird', 'water bird', 'été', 'dog', 'container ship', 'jack-o\'-lantern', '7', 'house', 'a', 'fire truck'],
} as const;
const clips: FullSize[] = [
  { name: 'CLIP ViT-B/32, transformers', ...zeroShot, reference: { transformers: {} } },
  { name: 'CLIP ViT-B/16, transformers', ...zeroShot, reference: { transformers: { vision_config: { patch_size: 16 } } } },
  { name: 'CLIP ViT-L/14, transformers', ...zeroShot, batch: 4, reference: { transformers: largeClip } },
  { name: 'CLIP ViT-B/32, OpenAI', ...zeroShot, reference: { openai: 'ViT-B-32' } },
  { name: 'CLIP ViT-B/16, open_clip', ...zeroShot, reference: { openClip: 'ViT-B-16' } },
  { name: 'Stable Diffusion 1.5 text encoder', kind: 'text', texts, reference: { text: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, projection_dim: 768 } } },
  {
    name: 'Stable Diffusion 2.1 text encoder', kind: 'text', texts,
    reference: { text: { hidden_size: 1024, intermediate_size: 4096, num_hidden_layers: 23, num_attention_heads: 16, projection_dim: 512, hidden_act: 'gelu' } },
  },
];

// ---------------------------------------------------------------- diffusers

const repeated = (type: string, count: number): string[] => Array<string>(count).fill(type);
/** The files google/ddpm-cifar10-32 and google/ddpm-celebahq-256. */
const ddpm = {
  _class_name: 'UNet2DModel', in_channels: 3, out_channels: 3, layers_per_block: 2, norm_num_groups: 32, norm_eps: 1e-6, attention_head_dim: null,
  downsample_padding: 0, flip_sin_to_cos: false, freq_shift: 1, act_fn: 'silu', center_input_sample: false, mid_block_scale_factor: 1, time_embedding_type: 'positional',
};
const stableDiffusion = {
  _class_name: 'UNet2DConditionModel', in_channels: 4, out_channels: 4, sample_size: 64, block_out_channels: [320, 640, 1280, 1280], layers_per_block: 2,
  norm_num_groups: 32, norm_eps: 1e-5, act_fn: 'silu', center_input_sample: false, downsample_padding: 1, flip_sin_to_cos: true, freq_shift: 0, mid_block_scale_factor: 1,
  down_block_types: [...repeated('CrossAttnDownBlock2D', 3), 'DownBlock2D'], up_block_types: ['UpBlock2D', ...repeated('CrossAttnUpBlock2D', 3)],
};
const unets: FullSize[] = [
  {
    name: 'DDPM CIFAR-10', kind: 'unet', size: 32,
    reference: { config: {
      ...ddpm, sample_size: 32, block_out_channels: [128, 256, 256, 256],
      down_block_types: ['DownBlock2D', 'AttnDownBlock2D', 'DownBlock2D', 'DownBlock2D'], up_block_types: ['UpBlock2D', 'UpBlock2D', 'AttnUpBlock2D', 'UpBlock2D'],
    } },
  },
  {
    name: 'DDPM CelebA-HQ', kind: 'unet', size: 128,
    reference: { config: {
      ...ddpm, sample_size: 256, block_out_channels: [128, 128, 256, 256, 512, 512],
      down_block_types: [...repeated('DownBlock2D', 4), 'AttnDownBlock2D', 'DownBlock2D'], up_block_types: ['UpBlock2D', 'AttnUpBlock2D', ...repeated('UpBlock2D', 4)],
    } },
  },
  { name: 'Stable Diffusion 1.5 U-Net', kind: 'unet', size: 32, reference: { config: { ...stableDiffusion, attention_head_dim: 8, cross_attention_dim: 768 } } },
  {
    name: 'Stable Diffusion 2.1 U-Net', kind: 'unet', size: 32,
    reference: { config: { ...stableDiffusion, attention_head_dim: [5, 10, 20, 20], cross_attention_dim: 1024, use_linear_projection: true, upcast_attention: true, sample_size: 96 } },
  },
];

const encoders = (levels: number, attention: boolean): object => ({
  down_block_types: [...repeated('DownEncoderBlock2D', levels - 1), attention ? 'AttnDownEncoderBlock2D' : 'DownEncoderBlock2D'],
  up_block_types: [attention ? 'AttnUpDecoderBlock2D' : 'UpDecoderBlock2D', ...repeated('UpDecoderBlock2D', levels - 1)],
});
const vqgan = (num_vq_embeddings: number): object => ({
  _class_name: 'VQModel', block_out_channels: [128, 128, 256, 256, 512], layers_per_block: 2, latent_channels: 256, vq_embed_dim: 256, num_vq_embeddings, ...encoders(5, true),
});
const autoencoders: FullSize[] = [
  {
    name: 'Stable Diffusion autoencoder', kind: 'autoencoder', ours: 'sd', size: 256,
    reference: { config: { _class_name: 'AutoencoderKL', block_out_channels: [128, 256, 512, 512], layers_per_block: 2, latent_channels: 4, scaling_factor: 0.18215, ...encoders(4, false) } },
  },
  // In PyTorch's default layout its convolutions round half as much as channels-last, which ours always are, so that fewer ReLUs flip:
  // its gradients are then 2.1e-3 (encoder) and 1.4e-3 (decoder) off fp64, channels-last 3.9e-3 and 2.6e-3, ours 3.9e-3 and 2.3e-3.
  { name: 'TAESD', kind: 'autoencoder', ours: 'taesd', size: 256, batch: 4, channelsLast: true, reference: { config: { _class_name: 'AutoencoderTiny' } } },
  { name: 'VQGAN f16 1024', kind: 'autoencoder', ours: 'vqgan-f16-1024', size: 256, reference: { config: vqgan(1024), names: 'CompVis' } },
  { name: 'VQGAN f16 16384', kind: 'autoencoder', ours: 'vqgan-f16-16384', size: 256, reference: { config: vqgan(16384) } },
  {
    name: 'vq-f8', kind: 'autoencoder', ours: 'vq-f8', size: 256,
    reference: { config: { _class_name: 'VQModel', block_out_channels: [128, 256, 256, 512], layers_per_block: 2, latent_channels: 4, vq_embed_dim: 4, num_vq_embeddings: 16384, ...encoders(4, true) } },
  },
];

export const fullSize: readonly FullSize[] = [...classifiers, ...clips, ...unets, ...autoencoders];
