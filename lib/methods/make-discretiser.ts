/** Trains a discretiser to be shipped or shared: 16-bit weights, what it does to the test images, and how it was made. */
import { join } from 'node:path';

import { isTrainedDiscretiser } from '../config/discretiser.js';
import type { Config } from '../config/schema.js';
import { trainingSplit } from '../data/open.js';
import { batchIndices } from '../data/order.js';
import { SparringError } from '../errors.js';
import { Autoencoder } from '../native/models.js';
import { imageGrid } from '../report/grid.js';
import { writeFileAtomic } from '../training/files.js';
import type { RunContext } from './context.js';
import { discretise, obtainDiscretiser, readyDiscretiser } from './discretiser.js';
import { measureDiscretiser, type DiscretiserMeasures } from './discretiser-measures.js';
import { foundationFiles, isTrained, obtainTeacher } from './foundation.js';
import { inFoundationFolder } from './foundation-folder.js';
import type { RunOptions } from './run.js';

export interface DiscretiserResult extends DiscretiserMeasures {
  folder: string;
  parameters: number;
  /** Training time of each, over all sessions; 0 for a teacher whose weights were given. */
  seconds: { teacher: number; discretiser: number };
}

const shown = 12; // images of the grid

/** Throws SparringError; an interrupted training continues with `resume`. */
export async function makeDiscretiser(config: Config, options: RunOptions = {}): Promise<DiscretiserResult> {
  return inFoundationFolder(config, options, {
    check: checkTrainable,
    train: async (context) => {
      const teacher = await obtainTeacher(context);
      const discretiser = await obtainDiscretiser(context, teacher.model);
      return { teacher: teacher.model, discretiser: discretiser.model, seconds: { teacher: teacher.seconds, discretiser: discretiser.seconds } };
    },
    write: async ({ engine, data, signal }, { teacher, discretiser, seconds }, folder) => {
      const path = join(folder, foundationFiles.discretiser);
      await discretiser.save(path, 'fp16');
      using stored = await Autoencoder.load(engine, path); // what is measured is what the file holds
      const measures = await measureDiscretiser(stored, teacher, data.test, { ...(signal && { signal }) });
      const parameters = await engine.run((core) => core.parameterCount(stored.handle));
      const { data: dataset, teacher: teacherConfig, discretiser: discretiserConfig, seed } = config;
      const record = { command: options.command, ...measures, parameters, seconds, config: { data: dataset, teacher: teacherConfig, discretiser: discretiserConfig, seed } };
      await writeFileAtomic(join(folder, 'discretiser.json'), `${JSON.stringify(record, null, 2)}\n`);
      await writeFileAtomic(join(folder, 'discretiser.png'), await beforeAndAfter(stored, data.test));
      return { folder, ...measures, parameters, seconds };
    },
  });
}

/** Throws SparringError when teacher or discretiser cannot be trained on the data. */
export async function checkTrainable({ config, engine, data }: Pick<RunContext, 'config' | 'engine' | 'data'>): Promise<void> {
  if (!isTrainedDiscretiser(config.discretiser)) throw new SparringError('config', 'discretiser: expected one to train, found weights that are ready.', 'Leave out discretiser.weights and discretiser.pretrained.');
  if (isTrained(config.teacher)) trainingSplit(data, config.teacher.trainOn, 'teacher.trainOn');
  await readyDiscretiser({ config, engine, data });
}

/** Random test images, and Q of each below it. */
async function beforeAndAfter(model: Autoencoder, dataset: RunContext['data']['test']): Promise<Buffer> {
  const { imageSize } = dataset;
  const count = Math.min(shown, dataset.length);
  const images = await dataset.read(batchIndices(dataset.length, count, 0, 0));
  const pixels = new Uint8Array(2 * images.length);
  pixels.set(images);
  pixels.set((await discretise(model, images, imageSize)).images, images.length);
  return imageGrid({ pixels, imageSize, columns: count });
}
