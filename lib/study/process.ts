/** Runs one job of a study in a process of its own. */
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { SparringError } from '../errors.js';
import type { Reporter } from '../report/reporter.js';
import type { Rates } from './probe.js';
import type { FromWorker, ToWorker, WorkerJob } from './worker.js';

export interface ProcessOptions {
  signal?: AbortSignal;
  onProgress?: Reporter['progress'];
  onWarning?: (warning: string) => void;
}

/** Resolves when the job is done and its process gone; for a probe with what it found. An aborted job saves first. Throws the error of the job. */
export function runInProcess(job: WorkerJob, { signal, onProgress, onWarning }: ProcessOptions = {}): Promise<Rates | undefined> {
  const source = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);
  const child = fork(fileURLToPath(source), { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  const tell = (message: ToWorker): boolean => child.connected && child.send(message, () => {}); // it may be ending
  let ended: Extract<FromWorker, { kind: 'done' | 'failed' }> | undefined;
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4000)));
  const stop = (): boolean => tell({ kind: 'stop' });
  return new Promise<Rates | undefined>((resolve, reject) => {
    child.once('error', reject);
    // Not at its last message: the next job would find the memory of this one taken.
    child.once('close', (code, signalName) => {
      if (ended?.kind === 'done') return resolve(ended.rates);
      if (ended) return reject(Object.assign(new SparringError(ended.code, ended.message, ended.hint), ended.stack && { stack: ended.stack }));
      // Ctrl-C ends one that does not listen yet.
      if (signal?.aborted) return reject(new SparringError('aborted', 'The operation was cancelled.'));
      const cause = signalName ? `signal ${signalName}` : `exit code ${code}`;
      return reject(new SparringError('internal', `the process ended with ${cause}${errors && `:\n${errors.trim()}`}`, signalName === 'SIGKILL' ? 'The machine may be short of memory: fewer processes, smaller batches.' : undefined));
    });
    child.on('message', (message: FromWorker) => {
      if (message.kind === 'progress') onProgress?.(message.stage, message.done, message.total, message.fields);
      else if (message.kind === 'warning') onWarning?.(message.text);
      else ended = message;
    });
    signal?.addEventListener('abort', stop, { once: true });
    tell({ kind: 'job', job });
    if (signal?.aborted) stop();
  }).finally(() => signal?.removeEventListener('abort', stop));
}
