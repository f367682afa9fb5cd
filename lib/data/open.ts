import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { birdSplits } from './birds-dataset.js';
import { openFolder } from './folder.js';
import { spuCoMnistSplits } from './spuco-mnist.js';
import type { Dataset, Splits } from './types.js';

/** Opens the dataset that a config names. Throws SparringError 'data' or 'config'. */
export async function openData(data: Config['data']): Promise<Splits> {
  switch (data.kind) {
    case 'birds': {
      const { imageSize, seed, minorityShare, train, test, broad } = data;
      return birdSplits({ imageSize, seed, minorityShare, sizes: { train, test, broad } });
    }
    case 'spuco-mnist':
      return spuCoMnistSplits(data);
    case 'folder':
      return openFolder(data);
  }
}

/** The split that a teacher or generator is trained on. */
export function trainingSplit(splits: Splits, name: 'train' | 'broad' | 'balanced', path: string): Dataset {
  const split = splits[name];
  if (!split) {
    throw new SparringError('config', `${path}: '${splits.train.name}' has no split '${name}'.`, `Set ${path} to train, or give ready weights.`);
  }
  return split;
}
