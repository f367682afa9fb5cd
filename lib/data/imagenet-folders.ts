import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { listFolder } from './files.js';

/** Where the splits of ImageNet lie below the folder that a config names. */

/** The folder that holds `split`: `root`, or the `ILSVRC/Data/CLS-LOC` within it, as Kaggle packs it. */
export async function imageNetFolder(root: string, split: 'train' | 'val'): Promise<string> {
  const nested = join(root, 'ILSVRC', 'Data', 'CLS-LOC');
  return (await listFolder(join(nested, split))) ? nested : root;
}

/** The folder of the class folders of val: the `val` of the above, else `root` itself. Throws SparringError 'data' for train alone. */
export async function validationFolder(root: string): Promise<string> {
  const val = join(await imageNetFolder(root, 'val'), 'val');
  if (await listFolder(val)) return val;
  // Its class folders have the right names: nothing later would tell them from those of val.
  if (await listFolder(join(root, 'train'))) throw new SparringError('data', `${root}: expected val beside train, found train alone`, 'Measured are the validation images; unpack them too, into a folder for each class.');
  return root;
}
