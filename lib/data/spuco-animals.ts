import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { layoutError } from './files.js';
import { listFolderTree } from './folder-tree.js';
import { spucoAnimalsCounts, spucoCounts } from './published.js';
import type { ImageRecord, Listing } from './records.js';

/** The sets of SpuCo that are photographs, `<folder>/{train,val,test}/<class>/<attribute>/<image>`; names by label. */
const sets = {
  'spuco-birds': { folder: 'spuco_birds', layout: 'SpuCoBirds', classes: ['landbirds', 'waterbirds'], attributes: ['land', 'water'] },
  'spuco-dogs': { folder: 'spuco_dogs', layout: 'SpuCoDogs', classes: ['small_dogs', 'big_dogs'], attributes: ['indoor', 'outdoor'] },
} as const;

/** Lists SpuCoBirds or SpuCoDogs; `root` is their own folder or the one that holds it. */
export async function listSpuCo(kind: keyof typeof sets, { root }: { root: string }): Promise<Listing> {
  const { folder } = sets[kind];
  const own = existsSync(join(root, folder)) ? join(root, folder) : root;
  return { ...(await listFolderTree(own, sets[kind])), published: spucoCounts };
}

/** Lists SpuCoAnimals: birds, then dogs with classes and attributes of their own; `root` holds both folders. */
export async function listSpuCoAnimals({ root }: { root: string }): Promise<Listing> {
  const folders = Object.values(sets).map(({ folder }) => folder);
  if (!folders.every((folder) => existsSync(join(root, folder)))) throw await layoutError(root, folders, `folders ${folders.join(' and ')}`);
  const [birds, dogs] = [
    await listFolderTree(join(root, sets['spuco-birds'].folder), sets['spuco-birds']),
    await listFolderTree(join(root, sets['spuco-dogs'].folder), sets['spuco-dogs']),
  ];
  const shifted = (records: readonly ImageRecord[]): ImageRecord[] => records.map((record) => ({ ...record, label: record.label + 2, attribute: record.attribute + 2 }));
  const both = (split: 'train' | 'test'): ImageRecord[] => [...birds.splits[split], ...shifted(dogs.splits[split])];
  const validation = [...(birds.splits.validation ?? []), ...shifted(dogs.splits.validation ?? [])];
  return {
    layout: 'SpuCoAnimals',
    root,
    classes: [...birds.classes, ...dogs.classes],
    attributes: [...birds.attributes, ...dogs.attributes],
    splits: { train: both('train'), ...(validation.length > 0 && { validation }), test: both('test') },
    published: spucoAnimalsCounts,
    findings: [...birds.findings, ...dogs.findings],
  };
}
