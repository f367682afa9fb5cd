import type { SparringError } from '../errors.js';
import { inParallel } from './decode.js';
import { listFolderTree } from './folder-tree.js';
import { decodeRecord, openListing, type DecodingOptions, type ListedSplits } from './listed-dataset.js';
import type { Listing } from './records.js';
import { sourceName } from './source.js';
import { transforms, type Transform } from './transform.js';

export interface FolderOptions extends Omit<DecodingOptions, 'transform'> {
  /** Folder with `{train,val,test}/<class>/<attribute>/<image>`; see `listFolderTree`. */
  root: string;
  /** How a photograph becomes a square. Default: scaled to cover it, cropped to the centre. */
  transform?: DecodingOptions['transform'];
}

/**
 * Opens a folder of images as a dataset. Classes and attributes are those of all splits together; images are decoded
 * when they are read, several at once.
 * @throws SparringError 'data' when the layout does not fit
 */
export async function openFolder({ root, transform = transforms.cover, ...options }: FolderOptions): Promise<ListedSplits> {
  return openListing(await listFolderTree(root), { ...options, transform });
}

export interface UnreadableImage {
  /** Path of the file, and of a tar also the name of its member. */
  path: string;
  reason: string;
}

/** Every image file of a dataset folder that cannot be decoded, with the reason. Decodes them all: takes a while. */
export async function findUnreadableImages(root: string): Promise<UnreadableImage[]> {
  return unreadableImages(await listFolderTree(root), transforms.cover);
}

/** Likewise for any listing. `onImage` is called after each image; throw from it to stop. */
export async function unreadableImages({ splits }: Listing, transform: Transform, onImage: (done: number, total: number) => void = () => {}): Promise<UnreadableImage[]> {
  const records = [splits.train, splits.validation ?? [], splits.test].flat();
  const bad: UnreadableImage[] = [];
  let done = 0;
  await inParallel(records.length, async (item) => {
    const record = records[item]!;
    await decodeRecord(record, 32, transform).catch((error: SparringError) => {
      if (error.code === 'environment') throw error; // it says nothing of the image
      bad.push({ path: sourceName(record), reason: error.message });
    });
    onImage(++done, records.length);
  });
  return bad.sort((a, b) => (a.path < b.path ? -1 : 1));
}
