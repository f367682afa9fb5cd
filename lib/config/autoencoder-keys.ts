/**
 * Under which names other projects keep the weights of latent diffusion's autoencoders and of VQGAN. Ours are those of
 * diffusers; see native/models/autoencoder_blocks.h. The format is that of native/io/key_names.h.
 */
import type { AutoencoderSpec, KeyNames, KeyRule, WeightsInfo } from '../native/contract.js';

/** The autoencoder within the checkpoint of a whole latent diffusion model. */
const section = 'first_stage_model.';
/** Discriminator, perceptual loss, averages: what training alone needs. */
const ignored = ['loss.', 'model_ema.'];

const same = (ours: string, theirs: string): KeyRule => ({ ours, theirs: [theirs], layout: 'same' });

const compvisResidual = (ours: string, theirs: string): KeyRule[] => [
  same(`${ours}.conv_shortcut.*`, `${theirs}.nin_shortcut.*`),
  same(`${ours}.*.*`, `${theirs}.*.*`),
];
const compvisProjection = (ours: string, theirs: string): KeyRule[] => [
  { ours: `${ours}.weight`, theirs: [`${theirs}.weight`], layout: 'convolution' },
  same(`${ours}.bias`, `${theirs}.bias`),
];
const compvisAttention = (ours: string, theirs: string): KeyRule[] => [
  same(`${ours}.group_norm.*`, `${theirs}.norm.*`),
  ...compvisProjection(`${ours}.to_q`, `${theirs}.q`),
  ...compvisProjection(`${ours}.to_k`, `${theirs}.k`),
  ...compvisProjection(`${ours}.to_v`, `${theirs}.v`),
  ...compvisProjection(`${ours}.to_out.0`, `${theirs}.proj_out`),
];
const compvisLevel = (ours: string, theirs: string): KeyRule[] => [
  ...compvisResidual(`${ours}.resnets.*`, `${theirs}.block.*`),
  ...compvisAttention(`${ours}.attentions.*`, `${theirs}.attn.*`),
  same(`${ours}.downsamplers.0.conv.*`, `${theirs}.downsample.conv.*`),
  same(`${ours}.upsamplers.0.conv.*`, `${theirs}.upsample.conv.*`),
];

/** taming-transformers and latent-diffusion. Their decoder's levels count from the image, ours from the latents. */
const compvis = (levels: number): KeyRule[] => [
  ...compvisLevel('encoder.down_blocks.*', 'encoder.down.*'),
  ...Array.from({ length: levels }, (_, level) => compvisLevel(`decoder.up_blocks.${level}`, `decoder.up.${levels - 1 - level}`)).flat(),
  ...compvisResidual('*.mid_block.resnets.0', '*.mid.block_1'),
  ...compvisAttention('*.mid_block.attentions.0', '*.mid.attn_1'),
  ...compvisResidual('*.mid_block.resnets.1', '*.mid.block_2'),
  same('*.conv_norm_out.*', '*.norm_out.*'),
];

/** diffusers before 0.18: the attention of the middle and of the levels. */
const olderDiffusers = ['*.mid_block.attentions.*', '*.*.*.attentions.*'].flatMap((attention) => [
  same(`${attention}.to_q.*`, `${attention}.query.*`),
  same(`${attention}.to_k.*`, `${attention}.key.*`),
  same(`${attention}.to_v.*`, `${attention}.value.*`),
  same(`${attention}.to_out.0.*`, `${attention}.proj_attn.*`),
]);

/** What a file calls the weights of an autoencoder `spec`, by the names that it has. */
export function autoencoderKeyNames(spec: AutoencoderSpec, { tensors }: WeightsInfo): KeyNames {
  if (spec.kind === 'taesd') return { rules: [], ignored: [] };
  const has = (part: string): boolean => tensors.some(({ name }) => name.includes(part));
  const rules = has('coder.mid.') ? compvis(spec.blockChannels.length) : has('.proj_attn.') ? olderDiffusers : [];
  return { rules, ignored, ...(tensors.some(({ name }) => name.startsWith(section)) && { section }) };
}
