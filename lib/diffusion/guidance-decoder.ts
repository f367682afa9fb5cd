/** A small autoencoder for the latents of a published generator, through which guidance takes its gradient. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { autoencoderSpecs } from '../config/autoencoders.js';
import { readJson } from '../config/json.js';
import { SparringError } from '../errors.js';
import type { AutoencoderSpec } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Autoencoder } from '../native/models.js';
import { autoencoderConfig } from './autoencoder-config.js';
import { weightsIn } from './folder.js';

interface Described {
  weights: string;
  /** Without one the file says what it is. */
  spec?: AutoencoderSpec;
}

/** A folder of diffusers, a file that sparring wrote, or another file, which is taken for TAESD's. Throws SparringError 'io', 'config' or 'weights'. */
export async function openGuidanceDecoder(engine: Engine, path: string): Promise<Autoencoder> {
  const { weights, spec } = await describeGuidanceDecoder(engine, path);
  return Autoencoder.load(engine, weights, spec);
}

export async function describeGuidanceDecoder(engine: Engine, path: string): Promise<Described> {
  if (!existsSync(path)) throw new SparringError('io', `${path}: expected an autoencoder, found nothing.`, 'Check sampling.guidance.decoder.');
  if (statSync(path).isDirectory()) {
    const config = join(path, 'config.json');
    return { weights: weightsIn(path), spec: autoencoderConfig(await readJson(config, z.unknown(), 'Give a model folder of diffusers, such as that of taesd.'), config) };
  }
  const { metadata } = await engine.run((core) => core.inspectWeights(path));
  return metadata['sparring.kind'] ? { weights: path } : { weights: path, spec: autoencoderSpecs.taesd };
}
