/** The VQGAN that discretises images. */
import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { openModel } from '../models/open.js';
import { Autoencoder } from '../native/models.js';
import type { Engine } from '../native/engine.js';

/** Path of the file or folder that a config names. Throws SparringError 'config' where it names none. */
export function discretiserPath({ discretiser }: Config): string {
  const path = discretiser.weights ?? discretiser.pretrained?.path;
  if (path === undefined) throw new SparringError('config', 'discretiser: expected weights or pretrained, found neither.', 'Give a VQGAN; see discretiser in docs/config.md.');
  return path;
}

/** Opens the ready VQGAN of a config. Throws SparringError 'weights' for any other network. */
export async function openDiscretiser(engine: Engine, config: Config): Promise<Autoencoder> {
  const path = discretiserPath(config);
  const architecture = config.discretiser.pretrained?.architecture;
  const model = await openModel(engine, path, architecture === undefined ? {} : { architecture });
  if (model instanceof Autoencoder && model.spec.kind === 'vqgan') return model;
  const found = model === null ? 'weights that nothing describes' : model instanceof Autoencoder ? `an autoencoder of kind ${model.spec.kind}` : 'another network';
  throw new SparringError('weights', `${path}: expected a VQGAN, found ${found}.`, model === null ? 'Give its name as discretiser.pretrained.architecture.' : 'Only a VQGAN has codes.');
}
