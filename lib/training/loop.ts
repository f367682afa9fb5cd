import type { TrainingConfig } from '../config/schema.js';
import { SparringError } from '../errors.js';
import type { ModelHandle } from '../native/contract.js';
import type { Reporter } from '../report/reporter.js';
import { learningRateAt } from './schedule.js';
import { emptyWindow, type Stage } from './stage.js';
import type { Batch, Trainer, Weighing } from './trainer.js';

export interface LoopOptions {
  trainer: Trainer<ModelHandle>;
  stage: Stage;
  training: TrainingConfig;
  /** Steps [from, to) are run. */
  from: number;
  to: number;
  /** The batch of a step: a pure function of it, so that a resumed run sees the same ones. */
  batch(step: number): Promise<Batch>;
  /** Default: all images count the same. */
  weighing?: Weighing;
  /** Steps of the whole stage, for the progress bar. */
  total: number;
  reporter: Reporter;
  signal?: AbortSignal;
}

const logEvery = 20; // steps; losses in between are averaged

/** Runs training steps with logging, checkpoints and cancellation; a cancelled loop saves before it throws. */
export async function trainLoop(options: LoopOptions): Promise<void> {
  const { trainer, stage, training, from, to, total, weighing, reporter, signal } = options;
  if (weighing && stage.carried) weighing.state = stage.carried;
  const readBatch = async (step: number): Promise<Batch> => options.batch(step); // whatever it throws comes with the promise
  let upcoming = from < to ? readBatch(from) : undefined;
  for (let step = from; step < to; step++) {
    const batch = await upcoming!;
    const learningRate = learningRateAt(step, training);
    const running = trainer.step(batch, learningRate, step, { ...(signal && { signal }), ...(weighing && { weights: weighing.weights(batch), losses: true }) }).catch(async (error) => {
      if (!(error instanceof SparringError && error.code === 'aborted')) throw error;
      await stage.checkpoint(trainer, step); // also of a step that was begun: it changes nothing before its end
      throw new SparringError('aborted', `Stopped at step ${step} of ${stage.name}; the state is saved.`);
    });
    // The next batch is read while the engine computes this one, and asked for once it does: reading begins with work on this thread.
    upcoming = step + 1 < to ? readBatch(step + 1) : undefined;
    upcoming?.catch(() => {}); // reported when it is awaited
    const result = await running;
    if (weighing) {
      weighing.observe(batch, result.losses!);
      stage.carried = weighing.state;
    }
    const { window } = stage;
    window.loss += result.loss;
    window.correct += result.correct ?? 0;
    window.images += batch.labels.length;
    window.steps++;
    const done = step + 1;
    if (done % logEvery === 0 || done === to) {
      await reporter.log({
        stage: stage.name,
        step: done,
        'train/loss': window.loss / window.steps,
        ...(result.correct !== undefined && { 'train/accuracy': window.correct / window.images }),
        'train/gradientNorm': result.gradientNorm,
        ...Object.fromEntries(Object.entries(result.terms ?? {}).map(([name, value]) => [`train/${name}`, value])), // of this step alone
        'train/learningRate': learningRate,
      });
      stage.window = { ...emptyWindow };
    }
    reporter.progress(stage.name, done, total, { loss: result.loss });
    if (done < to) await stage.maybeCheckpoint(trainer, done);
  }
}
