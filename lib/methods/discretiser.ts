/** The VQGAN that discretises images. */
import { autoencoderSpecs } from '../config/autoencoders.js';
import type { Config } from '../config/schema.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { Engine } from '../native/engine.js';
import { Autoencoder } from '../native/models.js';

/** One that is given. Throws SparringError 'config' or 'weights' when it is no VQGAN or does not fit the data. */
export async function openDiscretiser(engine: Engine, { weights, pretrained }: Config['discretiser'], { imageSize }: Pick<Dataset, 'imageSize'>): Promise<Autoencoder> {
  if (weights && pretrained) throw new SparringError('config', 'discretiser: expected weights or pretrained, found both.', 'Give one of them.');
  const path = weights ?? pretrained!.path;
  const model = await Autoencoder.load(engine, path, pretrained && autoencoderSpecs[pretrained.architecture]);
  if (model.spec.kind !== 'vqgan') throw new SparringError('weights', `${path}: expected an autoencoder of kind vqgan, found one of kind ${model.spec.kind}.`, 'Only a VQGAN has codes.');
  const { length } = model.spec.blockChannels, factor = 2 ** (length - 1);
  if (imageSize % factor !== 0) throw new SparringError('config', `${path}: ${length} levels need an image size divisible by ${factor}, found ${imageSize}.`, 'Use fewer levels or another data.imageSize.');
  return model;
}
