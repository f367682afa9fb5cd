import type { MetricsRow } from './metrics-log.js';

/** Where a run tells what it does: the metrics log, and whoever watches (the CLI's progress bar, or a program). */
export interface Reporter {
  log(row: MetricsRow): Promise<void>;
  progress(stage: string, done: number, total: number, fields?: Record<string, number>): void;
}
