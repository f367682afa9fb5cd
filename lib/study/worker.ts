/**
 * A process that does one job of a study. It does what its parent says, signals from the terminal included, and ends
 * when that is gone: whatever was not saved by then is made again by the next one.
 */
import { SparringError, type ErrorCode } from '../errors.js';
import type { Config } from '../config/schema.js';
import type { FoundationRole } from '../methods/foundation.js';
import { runDistil } from '../methods/run.js';
import { shareFoundation } from '../methods/shared-foundation.js';
import { probe, type Rates } from './probe.js';

/** What a worker is told. */
export type ToWorker = { kind: 'job'; job: WorkerJob } | { kind: 'stop' };
export type WorkerJob =
  | { kind: 'run'; config: Config; command?: string }
  | { kind: 'foundation'; config: Config; folder: string; roles: FoundationRole[] }
  | { kind: 'probe'; config: Config };

/** What it tells. */
export type FromWorker =
  | { kind: 'progress'; stage: string; done: number; total: number; fields?: Record<string, number> }
  | { kind: 'warning'; text: string }
  | { kind: 'done'; rates?: Rates }
  | { kind: 'failed'; code: ErrorCode; message: string; hint?: string; stack?: string };

const controller = new AbortController();

async function work(job: WorkerJob): Promise<Rates | undefined> {
  const { signal } = controller;
  const onProgress = (stage: string, done: number, total: number, fields?: Record<string, number>): void => tell({ kind: 'progress', stage, done, total, ...(fields && { fields }) });
  if (job.kind === 'probe') return probe(job.config, signal);
  if (job.kind === 'foundation') await shareFoundation(job.config, job.folder, job.roles, { signal, onProgress });
  else await runDistil(job.config, { signal, onProgress, resume: true, onWarning: (text) => tell({ kind: 'warning', text }), ...(job.command && { command: job.command }) });
  return undefined;
}

function tell(message: FromWorker, then?: () => void): void {
  process.send?.(message, undefined, undefined, () => then?.());
}

function failure(error: unknown): FromWorker {
  if (error instanceof SparringError) return { kind: 'failed', code: error.code, message: error.message, ...(error.hint && { hint: error.hint }) };
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { kind: 'failed', code: 'internal', message, ...(stack && { stack }) };
}

// Ctrl-C reaches every process of a terminal; the parent's word decides.
process.on('SIGINT', () => {}).on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(1));
process.on('message', (message: ToWorker) => {
  if (message.kind === 'stop') return controller.abort();
  work(message.job).then(
    (rates) => tell({ kind: 'done', ...(rates && { rates }) }, () => process.exit(0)),
    (error) => tell(failure(error), () => process.exit(0)),
  );
});
