import { SparringError } from '../errors.js';
import { decodeImage, ImageCache, inParallel } from './decode.js';
import { scanFolder, type FolderTree, type ImageFile } from './folder-tree.js';
import { checkIndices, dropGroups, groupCounts, imageBytes } from './memory.js';
import { groupName, type Dataset, type Splits } from './types.js';

export interface FolderOptions {
  /** Folder with `{train,val,test}/<class>/<attribute>/<image>`; see `scanFolder`. */
  root: string;
  /** Side of the decoded images in pixels. */
  imageSize: number;
  /** Groups, each `'class/attribute'`, to leave out of train and validation. Default none. */
  dropGroups?: readonly string[];
  /** Bytes of decoded images kept in memory, all splits together. Default 1 GiB. */
  cacheBytes?: number;
}

export interface FolderSplits extends Splits {
  /** Groups without a single image, after dropping: `'train: blond/male'`. */
  emptyGroups: string[];
}

/**
 * Opens a folder of images as a dataset. Classes and attributes are those of all splits together; images are decoded
 * when they are read, several at once.
 * @throws SparringError 'data' when the layout does not fit
 */
export async function openFolder(options: FolderOptions): Promise<FolderSplits> {
  const { root, imageSize, cacheBytes = 2 ** 30 } = options;
  if (!Number.isInteger(imageSize) || imageSize < 1) {
    throw new SparringError('config', `data.imageSize: expected a positive integer, found ${imageSize}`);
  }
  const tree = await scanFolder(root);
  const cache = new ImageCache<string>(cacheBytes);
  const open = (split: string, files: ImageFile[]): Dataset => new FolderDataset(`${root} ${split}`, tree, files, imageSize, cache);
  const reduce = (set: Dataset): Dataset => (options.dropGroups?.length ? dropGroups(set, options.dropGroups) : set);
  const splits: Splits = {
    train: reduce(open('train', tree.splits.train)),
    validation: tree.splits.validation && reduce(open('validation', tree.splits.validation)),
    test: open('test', tree.splits.test),
  };
  if (splits.test.length === 0) {
    throw new SparringError('data', `${root}/test: expected images, found none`, 'Accuracies are measured on the test images. Add some for every group that matters.');
  }
  return { ...splits, emptyGroups: emptyGroups(splits) };
}

/** Every image file of a dataset folder that cannot be decoded, with the reason. Decodes them all: takes a while. */
export async function findUnreadableImages(root: string): Promise<{ path: string; reason: string }[]> {
  const { splits } = await scanFolder(root);
  const files = [splits.train, splits.validation ?? [], splits.test].flat();
  const bad: { path: string; reason: string }[] = [];
  await inParallel(files.length, async (item) => {
    const { path } = files[item]!;
    await decodeImage(path, 32).catch((error: SparringError) => bad.push({ path, reason: error.message }));
  });
  return bad.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function emptyGroups(splits: Splits): string[] {
  return (['train', 'validation', 'test'] as const).flatMap((split) => {
    const set = splits[split];
    if (!set) return [];
    return [...groupCounts(set)].flatMap((count, group) => (count === 0 ? [`${split}: ${groupName(set, group)}`] : []));
  });
}

class FolderDataset implements Dataset {
  readonly classes: readonly string[];
  readonly attributes: readonly string[];
  readonly length: number;
  readonly labels: Int32Array;
  readonly attributeOf: Int32Array;

  constructor(
    readonly name: string,
    tree: FolderTree,
    private readonly files: ImageFile[],
    readonly imageSize: number,
    private readonly cache: ImageCache<string>,
  ) {
    this.classes = tree.classes;
    this.attributes = tree.attributes;
    this.length = files.length;
    this.labels = Int32Array.from(files, (file) => tree.classes.indexOf(file.class));
    this.attributeOf = Int32Array.from(files, (file) => tree.attributes.indexOf(file.attribute));
  }

  async read(indices: ArrayLike<number>): Promise<Uint8Array> {
    checkIndices(this, indices);
    const bytes = imageBytes(this);
    const batch = new Uint8Array(indices.length * bytes);
    await inParallel(indices.length, async (slot) => {
      const { path } = this.files[indices[slot]!]!;
      batch.set(await this.cache.get(path, () => decodeImage(path, this.imageSize)), slot * bytes);
    });
    return batch;
  }
}
