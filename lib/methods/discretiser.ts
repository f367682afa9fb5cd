/**
 * The discretiser of DAD, Q: images to the nearest codes of a VQGAN and back. Loaded from a file, or trained here with LPIPS or
 * the teacher's features as perceptual loss.
 */
import { join } from 'node:path';

import { autoencoderSpecs } from '../config/autoencoders.js';
import { comparesTeacherFeatures, discretiserSpec, isTrainedDiscretiser } from '../config/discretiser.js';
import type { Config } from '../config/schema.js';
import { trainingSplit } from '../data/open.js';
import type { Dataset } from '../data/types.js';
import { isVqganFolder, vqganFolderSpec } from '../diffusion/vqgan-folder.js';
import { SparringError } from '../errors.js';
import type { AutoencoderHandle, AutoencoderSpec } from '../native/contract.js';
import type { Cancellable, Engine } from '../native/engine.js';
import { Lpips } from '../native/lpips.js';
import { Autoencoder, type Classifier } from '../native/models.js';
import { Trainer } from '../training/trainer.js';
import { openStage, type RunContext } from './context.js';
import { foundationFiles, trainOnSplit, type Trained } from './foundation.js';

/** Loads or trains it; its kind is `vqgan`. Throws SparringError 'config' or 'weights' before any training when it does not fit the data. */
export async function obtainDiscretiser(context: RunContext, teacher: Classifier): Promise<Trained<Autoencoder>> {
  const { config, engine, data } = context;
  const { training } = config.discretiser;
  if (!isTrainedDiscretiser(config.discretiser)) return { model: await openDiscretiser(engine, config.discretiser, data.train), seconds: 0 };
  const split = checkDiscretiser(context);
  const stage = openStage(context, 'foundation/discretiser');
  const file = join(stage.folder, foundationFiles.discretiser);
  if (!stage.finished()) {
    using begin = await Autoencoder.create(engine, discretiserSpec(config.discretiser), config.seed);
    if (comparesTeacherFeatures(config.discretiser) && teacher.spec.architecture.family === 'torchscript') {
      throw new SparringError('weights', 'discretiser.perceptualWeight: expected a teacher whose features are known, found TorchScript.', 'Give discretiser.lpips, set it to 0, or take safetensors weights with their architecture.');
    }
    using trainer = await discretiserTrainer(begin, teacher, config, split.imageSize);
    await trainOnSplit(context, trainer, stage, split, training);
    await new Autoencoder(engine, trainer.result(), begin.spec).save(file);
    await stage.finish({ seconds: stage.seconds, steps: training.steps });
  }
  return { model: await Autoencoder.load(engine, file), ...stage.finished<{ seconds: number }>()! };
}

/** Trains `begin` on images of side `size`; its perceptual loss compares the features of LPIPS or of the teacher. */
export async function discretiserTrainer(begin: Autoencoder, teacher: Classifier, { discretiser, seed }: Pick<Config, 'discretiser' | 'seed'>, size: number): Promise<Trainer<AutoencoderHandle>> {
  const { perceptualWeight, adversarialWeight, adversarialFrom, training } = discretiser;
  using lpips = await openLpips(begin.engine, discretiser); // the trainer keeps what it needs of it
  const features = lpips ?? (comparesTeacherFeatures(discretiser) ? teacher : null);
  return await Trainer.discretiser(begin, features, training, { seed, size, perceptualWeight, adversarialWeight, adversarialFrom });
}

/** LPIPS, where that is its perceptual loss. Throws SparringError 'io' or 'weights'. */
async function openLpips(engine: Engine, { lpips }: Config['discretiser']): Promise<Lpips | null> {
  return lpips === undefined ? null : Lpips.load(engine, lpips);
}

/** The split that it is trained on. Throws SparringError 'config' when there is none or its images do not fit the architecture or LPIPS. */
export function checkDiscretiser({ config, data }: Pick<RunContext, 'config' | 'data'>): Dataset {
  const { blockChannels, attention, normGroups, adversarialWeight, lpips, trainOn } = config.discretiser;
  if (attention.length !== blockChannels.length) {
    throw new SparringError('config', `discretiser.attention: expected ${blockChannels.length} entries, one per level, found ${attention.length}.`, 'Give 0 or 1 for each entry of blockChannels.');
  }
  const odd = blockChannels.find((channels) => channels % normGroups !== 0);
  if (odd !== undefined) throw new SparringError('config', `discretiser.normGroups: ${normGroups} does not divide ${odd} channels.`, 'Choose a divisor of every level.');
  checkSize(discretiserSpec(config.discretiser), data.train, 'discretiser.blockChannels');
  if (adversarialWeight > 0 && data.train.imageSize < 12) throw new SparringError('config', `discretiser.adversarialWeight: expected 0 for images of ${data.train.imageSize} px, found ${adversarialWeight}.`, 'The discriminator needs 12 px.');
  if (lpips !== undefined && data.train.imageSize < 16) throw new SparringError('config', `discretiser.lpips: expected images of at least 16 px, found ${data.train.imageSize} px.`, 'Leave it out.');
  return trainingSplit(data, trainOn, 'discretiser.trainOn');
}

/** Throws what `obtainDiscretiser` would throw before it trains, or, where it has trained, before it loads the result. */
export async function readyDiscretiser({ config, engine, data }: Pick<RunContext, 'config' | 'engine' | 'data'>, { trained = false } = {}): Promise<void> {
  if (!isTrainedDiscretiser(config.discretiser)) return (await openDiscretiser(engine, config.discretiser, data.train))[Symbol.dispose]();
  checkDiscretiser({ config, data });
  if (!trained) (await openLpips(engine, config.discretiser))?.[Symbol.dispose]();
}

/** One that is given. */
export async function openDiscretiser(engine: Engine, { weights, pretrained }: Config['discretiser'], inputs: Pick<Dataset, 'imageSize'>): Promise<Autoencoder> {
  if (weights && pretrained) throw new SparringError('config', 'discretiser: expected weights or pretrained, found both.', 'Give one of them.');
  const path = weights ?? pretrained!.path;
  const spec = pretrained && (isVqganFolder(path) ? await vqganFolderSpec(path) : autoencoderSpecs[pretrained.architecture]);
  const model = await Autoencoder.load(engine, path, spec);
  if (model.spec.kind !== 'vqgan') throw new SparringError('weights', `${path}: expected an autoencoder of kind vqgan, found one of kind ${model.spec.kind}.`, 'Only a VQGAN has codes.');
  checkSize(model.spec, inputs, path);
  return model;
}

function checkSize({ blockChannels }: Pick<AutoencoderSpec & { kind: 'vqgan' }, 'blockChannels'>, { imageSize }: Pick<Dataset, 'imageSize'>, where: string): void {
  const factor = 2 ** (blockChannels.length - 1);
  if (imageSize % factor !== 0) throw new SparringError('config', `${where}: ${blockChannels.length} levels need an image size divisible by ${factor}, found ${imageSize}.`, 'Use fewer levels or another data.imageSize.');
}

/** Q(x) of uint8 images, [B, size, size, 3], and the codes in it, [B, size / f, size / f]. */
export async function discretise(model: Autoencoder, images: Uint8Array, size: number, cancellable: Cancellable = {}): Promise<{ images: Uint8Array; codes: Int32Array }> {
  const { latents, indices } = await model.quantise(await model.encode(images, size, cancellable), size, cancellable);
  return { images: await model.decode(latents, size, cancellable), codes: indices };
}
