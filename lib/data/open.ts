import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import { birdSplits } from './birds-dataset.js';
import { listCelebA } from './celeba.js';
import { listFolderTree } from './folder-tree.js';
import { listImageNet } from './imagenet.js';
import { openListing } from './listed-dataset.js';
import { listManifest } from './manifest.js';
import type { Listing } from './records.js';
import { listSpuCo, listSpuCoAnimals } from './spuco-animals.js';
import { spuCoMnistFindings } from './spuco-mnist-counts.js';
import { spuCoMnistSplits } from './spuco-mnist.js';
import { checkTrainClasses } from './train-classes.js';
import type { Dataset, Splits } from './types.js';
import { listWaterbirds } from './waterbirds.js';
import { listWebDataset } from './webdataset.js';

type DataConfig = Config['data'];
/** The kinds whose images are files. */
export type ListedConfig = Exclude<DataConfig, { kind: 'birds' | 'spuco-mnist' }>;

/** Opens the dataset that a config names. Throws SparringError 'data' or 'config'. */
export async function openData(data: DataConfig): Promise<Splits> {
  switch (data.kind) {
    case 'birds': {
      const { imageSize, seed, minorityShare, train, test, broad } = data;
      return birdSplits({ imageSize, seed, minorityShare, sizes: { train, test, broad } });
    }
    case 'spuco-mnist': {
      const splits = await spuCoMnistSplits(data);
      return { ...splits, warnings: spuCoMnistFindings(splits).map(({ text }) => text) };
    }
    default:
      return openListing(await listImages(data), data);
  }
}

/** Which images a dataset of files has, without opening any of them; each class has some to train on. */
export async function listImages(data: ListedConfig): Promise<Listing> {
  const listing = await listLayout(data);
  checkTrainClasses(listing);
  return listing;
}

async function listLayout(data: ListedConfig): Promise<Listing> {
  switch (data.kind) {
    case 'folder':
      return listFolderTree(data.root);
    case 'celeba':
      return listCelebA(data);
    case 'waterbirds':
      return listWaterbirds(data);
    case 'spuco-birds':
    case 'spuco-dogs':
      return listSpuCo(data.kind, data);
    case 'spuco-animals':
      return listSpuCoAnimals(data);
    case 'manifest':
      return listManifest(data);
    case 'webdataset':
      return listWebDataset(data);
    case 'imagenet':
      return listImageNet(data);
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
