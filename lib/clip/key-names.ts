/**
 * Under which names other projects keep the weights of CLIP. Ours are those of timm for the blocks of both towers; see
 * native/models/vit.h and clip_text.h. The format is that of native/io/key_names.h.
 */
import type { KeyNames, KeyRule } from '../native/contract.js';

export interface ClipKeyNames {
  image: KeyNames;
  text: KeyNames;
}

/** OpenAI's own, kept by open_clip. Projections are [in, out]; the attention's input projections are one, as ours. */
const openaiBlocks = (theirs: string): KeyRule[] => [
  { ours: 'blocks.*.norm1.*', theirs: [`${theirs}.*.ln_1.*`], layout: 'same' },
  { ours: 'blocks.*.attn.qkv.weight', theirs: [`${theirs}.*.attn.in_proj_weight`], layout: 'same' },
  { ours: 'blocks.*.attn.qkv.bias', theirs: [`${theirs}.*.attn.in_proj_bias`], layout: 'same' },
  { ours: 'blocks.*.attn.proj.*', theirs: [`${theirs}.*.attn.out_proj.*`], layout: 'same' },
  { ours: 'blocks.*.norm2.*', theirs: [`${theirs}.*.ln_2.*`], layout: 'same' },
  { ours: 'blocks.*.mlp.fc1.*', theirs: [`${theirs}.*.mlp.c_fc.*`], layout: 'same' },
  { ours: 'blocks.*.mlp.fc2.*', theirs: [`${theirs}.*.mlp.c_proj.*`], layout: 'same' },
];

export const openaiNames: ClipKeyNames = {
  image: {
    rules: [
      { ours: 'cls_token', theirs: ['visual.class_embedding'], layout: 'squeezed' },
      { ours: 'pos_embed', theirs: ['visual.positional_embedding'], layout: 'squeezed' },
      { ours: 'patch_embed.proj.weight', theirs: ['visual.conv1.weight'], layout: 'same' },
      { ours: 'norm_pre.*', theirs: ['visual.ln_pre.*'], layout: 'same' },
      ...openaiBlocks('visual.transformer.resblocks'),
      { ours: 'norm.*', theirs: ['visual.ln_post.*'], layout: 'same' },
      { ours: 'proj.weight', theirs: ['visual.proj'], layout: 'transposed' },
    ],
    ignored: ['transformer.', 'token_embedding.', 'positional_embedding', 'ln_final.', 'text_projection', 'logit_scale', 'input_resolution', 'context_length', 'vocab_size'],
  },
  text: {
    rules: [
      { ours: 'token_embed.weight', theirs: ['token_embedding.weight'], layout: 'same' },
      { ours: 'pos_embed', theirs: ['positional_embedding'], layout: 'squeezed' },
      ...openaiBlocks('transformer.resblocks'),
      { ours: 'norm.*', theirs: ['ln_final.*'], layout: 'same' },
      { ours: 'proj.weight', theirs: ['text_projection'], layout: 'transposed' },
    ],
    ignored: ['visual.', 'input_resolution', 'context_length', 'vocab_size'],
  },
};

const transformersBlocks = (theirs: string): KeyRule[] => [
  { ours: 'blocks.*.norm1.*', theirs: [`${theirs}.*.layer_norm1.*`], layout: 'same' },
  { ours: 'blocks.*.attn.qkv.*', theirs: [`${theirs}.*.self_attn.q_proj.*`, `${theirs}.*.self_attn.k_proj.*`, `${theirs}.*.self_attn.v_proj.*`], layout: 'same' },
  { ours: 'blocks.*.attn.proj.*', theirs: [`${theirs}.*.self_attn.out_proj.*`], layout: 'same' },
  { ours: 'blocks.*.norm2.*', theirs: [`${theirs}.*.layer_norm2.*`], layout: 'same' },
  { ours: 'blocks.*.mlp.fc1.*', theirs: [`${theirs}.*.mlp.fc1.*`], layout: 'same' },
  { ours: 'blocks.*.mlp.fc2.*', theirs: [`${theirs}.*.mlp.fc2.*`], layout: 'same' },
];

/** The text tower within `prefix`: 'text_model.', or nothing in newer files of the tower alone (Stable Diffusion's). */
const transformersText = (prefix: '' | 'text_model.'): KeyNames => ({
  rules: [
    { ours: 'token_embed.weight', theirs: [`${prefix}embeddings.token_embedding.weight`], layout: 'same' },
    { ours: 'pos_embed', theirs: [`${prefix}embeddings.position_embedding.weight`], layout: 'squeezed' },
    ...transformersBlocks(`${prefix}encoder.layers`),
    { ours: 'norm.*', theirs: [`${prefix}final_layer_norm.*`], layout: 'same' },
    { ours: 'proj.weight', theirs: ['text_projection.weight'], layout: 'same' },
  ],
  ignored: ['vision_model.', 'visual_projection.', `${prefix}embeddings.position_ids`],
});

export const transformersNames: ClipKeyNames = {
  image: {
    rules: [
      { ours: 'cls_token', theirs: ['vision_model.embeddings.class_embedding'], layout: 'squeezed' },
      { ours: 'pos_embed', theirs: ['vision_model.embeddings.position_embedding.weight'], layout: 'squeezed' },
      { ours: 'patch_embed.proj.weight', theirs: ['vision_model.embeddings.patch_embedding.weight'], layout: 'same' },
      { ours: 'norm_pre.*', theirs: ['vision_model.pre_layrnorm.*'], layout: 'same' }, // spelt so
      ...transformersBlocks('vision_model.encoder.layers'),
      { ours: 'norm.*', theirs: ['vision_model.post_layernorm.*'], layout: 'same' },
      { ours: 'proj.weight', theirs: ['visual_projection.weight'], layout: 'same' },
    ],
    ignored: ['text_model.', 'text_projection.', 'logit_scale', 'vision_model.embeddings.position_ids'],
  },
  text: transformersText('text_model.'),
};

export const transformersTextNames: KeyNames = transformersText('');
