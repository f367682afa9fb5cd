/**
 * Under which names latent-diffusion (CompVis, Stability AI) keeps the U-Net of a text-to-image model. Ours are those of
 * diffusers; see native/models/unet.h. Its blocks are counted through: on the way down the first convolution, then for each
 * level its residual blocks and the convolution that halves; on the way up likewise.
 */
import type { KeyNames, KeyRule, UNetSpec } from '../native/contract.js';

export const unetSection = 'model.diffusion_model.';

const same = (ours: string, theirs: string): KeyRule => ({ ours, theirs: [theirs], layout: 'same' });

const residual = (ours: string, theirs: string): KeyRule[] => [
  same(`${ours}.norm1.*`, `${theirs}.in_layers.0.*`),
  same(`${ours}.conv1.*`, `${theirs}.in_layers.2.*`),
  same(`${ours}.time_emb_proj.*`, `${theirs}.emb_layers.1.*`),
  same(`${ours}.norm2.*`, `${theirs}.out_layers.0.*`),
  same(`${ours}.conv2.*`, `${theirs}.out_layers.3.*`),
  same(`${ours}.conv_shortcut.*`, `${theirs}.skip_connection.*`),
];

/** Within a transformer the names are the same, which have two to seven parts. */
const transformer = (ours: string, theirs: string): KeyRule[] => [2, 3, 4, 5, 6, 7].map((parts) => same(ours + '.*'.repeat(parts), theirs + '.*'.repeat(parts)));

export function unetKeyNames({ blockChannels, attention, layersPerBlock }: UNetSpec): KeyNames {
  const levels = blockChannels.length;
  const rules = [
    same('conv_in.*', 'input_blocks.0.0.*'),
    same('time_embedding.linear_1.*', 'time_embed.0.*'),
    same('time_embedding.linear_2.*', 'time_embed.2.*'),
    ...residual('mid_block.resnets.0', 'middle_block.0'),
    ...transformer('mid_block.attentions.0', 'middle_block.1'),
    ...residual('mid_block.resnets.1', 'middle_block.2'),
    same('conv_norm_out.*', 'out.0.*'),
    same('conv_out.*', 'out.2.*'),
  ];
  let input = 1, output = 0;
  for (let level = 0; level < levels; level++) {
    for (let layer = 0; layer < layersPerBlock; layer++, input++) {
      rules.push(...residual(`down_blocks.${level}.resnets.${layer}`, `input_blocks.${input}.0`));
      if (attention[level]) rules.push(...transformer(`down_blocks.${level}.attentions.${layer}`, `input_blocks.${input}.1`));
    }
    if (level + 1 < levels) rules.push(same(`down_blocks.${level}.downsamplers.0.conv.*`, `input_blocks.${input++}.0.op.*`));
  }
  for (let level = 0; level < levels; level++) {
    const attends = attention[levels - 1 - level] === 1;
    for (let layer = 0; layer <= layersPerBlock; layer++, output++) {
      rules.push(...residual(`up_blocks.${level}.resnets.${layer}`, `output_blocks.${output}.0`));
      if (attends) rules.push(...transformer(`up_blocks.${level}.attentions.${layer}`, `output_blocks.${output}.1`));
    }
    // The convolution after upsampling follows in the last block of the level.
    if (level + 1 < levels) rules.push(same(`up_blocks.${level}.upsamplers.0.conv.*`, `output_blocks.${output - 1}.${attends ? 2 : 1}.conv.*`));
  }
  return { rules, ignored: [], section: unetSection };
}
