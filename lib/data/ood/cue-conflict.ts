import { join } from 'node:path';

import { SparringError } from '../../errors.js';
import { layoutError, listFolder } from '../files.js';
import { recordsDataset } from '../listed-dataset.js';
import type { ImageRecord } from '../records.js';
import { transforms } from '../transform.js';
import type { Dataset } from '../types.js';
import { sizeNote, type OpenedSet } from './ood-set.js';
import { sixteenClasses } from './sixteen-classes.js';

const title = 'cue conflict';
const published = 1280;
/** Such as cat4-elephant1.png; other copies put more before it, with underscores. */
const fileName = /^(?:.*_)?([a-z]+)\d+-([a-z]+)\d+\.[a-z]+$/i;

export interface CueConflict {
  folder: string;
  /** Label and attribute: the class of shape and of texture among the sixteen. */
  records: ImageRecord[];
}

/**
 * Lists the stimuli of Geirhos et al. (arXiv 1811.12231): `<shape>/<shape><n>-<texture><n>.png`, 224 x 224, of sixteen
 * classes. Images whose shape and texture are of one class are there too and do not count for the shape bias.
 */
export async function listCueConflict(root: string): Promise<CueConflict> {
  const content = await listFolder(root);
  if (!content?.folders.some((name) => sixteenClasses.includes(name))) throw await layoutError(root, sixteenClasses, `folders of the ${sixteenClasses.length} classes, such as ${sixteenClasses[0]}`, 'ood.cueConflict');
  const other = content.folders.find((name) => !sixteenClasses.includes(name));
  if (other !== undefined) throw new SparringError('data', `${root}: expected folders of the classes ${sixteenClasses.join(', ')} and nothing else, found ${other}`, 'Remove what is no class folder.');
  const records: ImageRecord[] = [];
  for (const shape of content.folders) {
    const folder = join(root, shape);
    const images = (await listFolder(folder))!.images;
    if (images.length === 0) throw new SparringError('data', `${folder}: expected images, found none`, 'Get the stimuli again.');
    for (const name of images) {
      const [, named = '', texture = ''] = fileName.exec(name) ?? [];
      if (named !== shape || !sixteenClasses.includes(texture)) throw new SparringError('data', `${join(folder, name)}: expected a name such as ${shape}1-${sixteenClasses[0]}2.png, found ${name}`, 'The name says the classes of shape and texture; the folder that of the shape.');
      records.push({ path: join(folder, name), label: sixteenClasses.indexOf(shape), attribute: sixteenClasses.indexOf(texture) });
    }
  }
  return { folder: root, records };
}

/** As a dataset whose classes are the shapes and whose attributes are the textures. */
export async function openCueConflict({ folder, records }: CueConflict, imageSize: number): Promise<OpenedSet> {
  const notes = records.length === published ? [] : [`${title}: ${records.length} images instead of the published ${published}.`];
  notes.push(...(await sizeNote(title, records[0]!)));
  const dataset: Dataset = recordsDataset(folder, { classes: sixteenClasses, attributes: sixteenClasses }, records, { imageSize, transform: transforms.stored });
  return { dataset, notes };
}
