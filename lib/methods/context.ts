import type { Config } from '../config/schema.js';
import type { Dataset, Splits } from '../data/types.js';
import type { Engine } from '../native/engine.js';
import type { Reporter } from '../report/reporter.js';
import { Stage } from '../training/stage.js';

/** What every stage of a run works with. */
export interface RunContext {
  config: Config;
  engine: Engine;
  data: Splits;
  folder: string;
  reporter: Reporter;
  signal?: AbortSignal;
}

export function openStage({ folder, config }: RunContext, name: string): Stage {
  return new Stage(folder, name, config.checkpoint);
}

/** Labels of some records of a dataset, [indices.length]. */
export function labelsOf(dataset: Dataset, indices: ArrayLike<number>): Int32Array {
  return Int32Array.from(indices, (index) => dataset.labels[index]);
}
