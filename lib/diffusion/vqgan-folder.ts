/** A VQGAN in a model folder of diffusers: VQModel, with `config.json` beside its weights. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { readJson } from '../config/json.js';
import { SparringError } from '../errors.js';
import type { AutoencoderSpec } from '../native/contract.js';
import { any, check, notes, only } from './diffusers-config.js';

const count = z.int().min(1);
const schema = z.strictObject({
  _class_name: z.literal('VQModel'),
  ...notes,
  sample_size: any,
  in_channels: only(3),
  out_channels: only(3),
  act_fn: only('silu', 'swish'),
  norm_type: only('group'),
  block_out_channels: z.array(count).min(1).max(8),
  down_block_types: z.array(z.enum(['DownEncoderBlock2D', 'AttnDownEncoderBlock2D'])),
  up_block_types: z.array(z.enum(['UpDecoderBlock2D', 'AttnUpDecoderBlock2D'])),
  layers_per_block: count.default(1),
  norm_num_groups: count.default(32),
  latent_channels: count.default(3),
  num_vq_embeddings: count.default(256),
  vq_embed_dim: count.nullish(),
  scaling_factor: any, // of diffusion, not of the codes
  mid_block_add_attention: only(true),
  lookup_from_codebook: any, // of another use of the class
  force_upcast: any, // ours normalises in fp32 in any case
});

export function isVqganFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true && existsSync(join(path, 'config.json'));
}

/** Throws SparringError 'config' for a folder of another model, or with options that are not supported. */
export async function vqganFolderSpec(path: string): Promise<AutoencoderSpec & { kind: 'vqgan' }> {
  const where = join(path, 'config.json');
  const given = check(schema, await readJson(where, z.unknown(), ''), where);
  const attention = given.down_block_types.map((type) => (type.startsWith('Attn') ? 1 : 0));
  const upwards = given.up_block_types.map((type) => (type.startsWith('Attn') ? 1 : 0)).reverse();
  if (attention.length !== given.block_out_channels.length || attention.join() !== upwards.join()) {
    throw new SparringError('config', `${where}: expected a type for each level and attention at the same levels of encoder and decoder, found ${given.down_block_types.join(', ')} and ${given.up_block_types.join(', ')}.`, 'Such an autoencoder is not supported.');
  }
  return {
    kind: 'vqgan', blockChannels: given.block_out_channels, attention, layersPerBlock: given.layers_per_block, normGroups: given.norm_num_groups,
    latentChannels: given.latent_channels, numCodes: given.num_vq_embeddings, codeChannels: given.vq_embed_dim ?? given.latent_channels,
  };
}
