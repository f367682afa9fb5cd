/**
 * How the loss of each training image goes down while a helper learns the labels (TAB, Zarlenga et al. 2024). The helper is
 * a new student of the same kind, with the initial weights, images and schedule of the EDRM student but no teacher.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { batchIndices } from '../data/order.js';
import { Classifier } from '../native/models.js';
import { fileError, writeFileAtomic } from '../training/files.js';
import { trainLoop } from '../training/loop.js';
import { Trainer } from '../training/trainer.js';
import { openStage, readBatch, type RunContext } from './context.js';
import { imageLosses } from './evaluate.js';

export interface LossHistory {
  /** Cross-entropy of each training image at the end of each epoch, [images][epochs]. */
  losses: Float32Array[];
  /** Wall time of the helper's training. */
  seconds: number;
}

/** @param name of the helper's stage, which also keeps the losses of each epoch */
export async function lossHistory(context: RunContext, name: string, seed: number): Promise<LossHistory> {
  const { config, engine, data, reporter, signal } = context;
  const { architecture, mean, std, training } = config.student;
  const { classes, imageSize } = data.train;
  const stage = openStage(context, name);
  const ends = epochEnds(data.train.length, training.batchSize, training.steps);
  const file = (epoch: number): string => join(stage.folder, `losses-${String(epoch).padStart(6, '0')}.f32`);

  if (!stage.finished()) {
    const spec = { architecture, numClasses: classes.length, imageSize, mean, std };
    const initial = await Classifier.create(engine, spec, classes, seed);
    using trainer = await Trainer.classifier(initial, null, training, { seed });
    const helper = new Classifier(engine, trainer.result(), spec, classes);
    const first = await stage.resume(trainer);
    for (const [epoch, to] of ends.entries()) {
      if (to <= first) continue; // its file was written before the checkpoint
      await trainLoop({
        trainer,
        stage,
        training,
        from: Math.max(first, epoch === 0 ? 0 : ends[epoch - 1]!),
        to,
        total: ends.at(-1)!,
        batch: (step) => readBatch(data.train, batchIndices(data.train.length, training.batchSize, step, seed)),
        reporter,
        ...(signal && { signal }),
      });
      const losses = await imageLosses(helper, data.train, { ...(signal && { signal }) });
      await writeFileAtomic(file(epoch), new Uint8Array(losses.buffer));
    }
    await stage.finish({ seconds: stage.seconds, epochs: ends.length });
  }
  const columns = await Promise.all(ends.map((_, epoch) => readLosses(file(epoch))));
  const losses = Array.from({ length: data.train.length }, (_, image) => Float32Array.from(columns, (column) => column[image]!));
  return { losses, seconds: stage.finished<{ seconds: number }>()!.seconds };
}

/** Steps after which every image was seen once more; the end of the training where that is less than one epoch. */
export function epochEnds(images: number, batchSize: number, steps: number): number[] {
  const epochs = Math.floor((steps * batchSize) / images);
  return epochs === 0 ? [steps] : Array.from({ length: epochs }, (_, epoch) => Math.ceil(((epoch + 1) * images) / batchSize));
}

async function readLosses(path: string): Promise<Float32Array> {
  const bytes = await readFile(path).catch((error) => {
    throw fileError(error, 'read', path);
  });
  return new Float32Array(new Uint8Array(bytes).buffer);
}
