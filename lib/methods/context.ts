import type { Config } from '../config/schema.js';
import type { Dataset, Splits } from '../data/types.js';
import type { Engine } from '../native/engine.js';
import type { Reporter } from '../report/reporter.js';
import { Stage } from '../training/stage.js';
import type { Batch } from '../training/trainer.js';

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

/** Images of some records with their labels. */
export async function readBatch(dataset: Dataset, indices: Int32Array): Promise<Batch> {
  return { images: await dataset.read(indices), labels: Int32Array.from(indices, (index) => dataset.labels[index]) };
}
