/** Plain distillation (EDRM): the student learns the teacher's soft labels on the training data and nothing else. */
import { join } from 'node:path';

import { batchIndices } from '../data/order.js';
import type { MeasuredErrors } from '../metrics/corruption-error.js';
import type { GroupMetrics } from '../metrics/groups.js';
import type { Classifier } from '../native/models.js';
import { Classifier as ClassifierModel } from '../native/models.js';
import type { Cost } from '../report/rows.js';
import { trainLoop } from '../training/loop.js';
import { Trainer } from '../training/trainer.js';
import { openStage, readBatch, type RunContext } from './context.js';
import { corruptionErrors } from './corruption-errors.js';
import { costOf } from './cost.js';
import { evaluate } from './evaluate.js';

/** What a stage that ends with a student leaves behind. */
export interface StudentResult {
  metrics: GroupMetrics;
  /** Under common corruptions, where they were asked for. */
  corruptions?: MeasuredErrors;
  seconds: number;
  trainingSteps: number;
  generated: number;
  /** Absent where a version that did not measure it had a part. */
  cost?: Cost;
  /** Training images that come more often than others, of a row that looks for such. */
  upWeighted?: number;
  /** Rounds that it went through, of a row that may stop before the last one. */
  rounds?: number;
}

/** Trains the student of one seed, without a teacher from the labels; the finished weights are `student.safetensors` in the stage's folder. */
export async function distil(context: RunContext, teacher: Classifier | null, seed: number, name = `seed-${seed}/edrm`): Promise<{ student: Classifier; result: StudentResult }> {
  const { config, engine, data, reporter, signal } = context;
  const { architecture, mean, std, temperature, labelWeight, training } = config.student;
  const { classes, imageSize } = data.train;
  const stage = openStage(context, name);
  const file = join(stage.folder, 'student.safetensors');

  let result = stage.finished<StudentResult>();
  if (!result) {
    const spec = { architecture, numClasses: classes.length, imageSize, mean, std };
    const initial = await ClassifierModel.create(engine, spec, classes, seed);
    using trainer = await Trainer.classifier(initial, teacher, training, { seed, temperature, labelWeight });
    const from = await stage.resume(trainer);
    await stage.timed('training', () => trainLoop({
      trainer,
      stage,
      training,
      from,
      to: training.steps,
      total: training.steps,
      batch: (step) => readBatch(data.train, batchIndices(data.train.length, training.batchSize, step, seed)),
      reporter,
      ...(signal && { signal }),
    }));
    const student = new ClassifierModel(engine, trainer.result(), spec, classes);
    await student.save(file);
    const metrics = await evaluate(student, data.test, { train: data.train, ...(signal && { signal }) });
    const { seconds, clocks } = stage;
    result = { metrics, ...(await corruptionErrors(context, student, stage)), seconds, trainingSteps: training.steps, generated: 0, ...costOf(clocks, { imagesMade: 0, trainingImages: training.steps * training.batchSize }) };
    await stage.finish(result);
  }
  return { student: await ClassifierModel.load(engine, file), result };
}
