/** Studies for tests: one whose teacher and generator are ready, and what its runs leave behind. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { resolveStudy, type Study } from '../../lib/config/study.js';
import { SparringError } from '../../lib/errors.js';
import { saveRunConfig } from '../../lib/methods/run-folder.js';
import { summarise, type Method, type Row } from '../../lib/report/rows.js';
import type { Unit } from '../../lib/study/plan.js';

export function failure(work: () => unknown): SparringError {
  try {
    work();
  } catch (error) {
    if (error instanceof SparringError) return error;
    throw error;
  }
  throw new Error('expected an error, but it succeeded');
}

/** A study of two seeds whose teacher and generator are ready. */
export function ready(given: Record<string, unknown> = {}): Study {
  const base = { teacher: { weights: 't.safetensors' }, generator: { weights: 'g.safetensors' } };
  return resolveStudy({ base, datasets: { birds: {} }, methods: ['unguided', 'config'], seeds: [0, 1], threads: 2, ...given });
}

export function row(method: Method, worst: number, seconds = 10): Row {
  return { method, worstGroupAccuracy: summarise([worst]), worstGroupIntervals: [[worst - 0.02, worst + 0.01]], meanGroupAccuracy: summarise([worst + 0.05]), trainWeightedAccuracy: summarise<number | null>([0.9]), accuracy: summarise([0.8]), classes: [], gapClosed: summarise<number | null>([null]), generated: 900, trainingSteps: 1920, seconds };
}

/** Writes what a run leaves behind. */
export async function makeRun({ folder: run, seed, config }: Unit, rows: readonly Row[]): Promise<void> {
  mkdirSync(run, { recursive: true });
  await saveRunConfig(run, config);
  for (const { method } of rows) {
    mkdirSync(join(run, `seed-${seed}`, method), { recursive: true });
    writeFileSync(join(run, `seed-${seed}`, method, 'result.json'), '{}');
  }
  writeFileSync(join(run, 'result.json'), JSON.stringify({ rows, environment: { cpu: 'c', threads: 2, device: 'cpu', precision: 'fp32', sparring: '1', libtorch: '2', node: '3', date: '2026-01-01' } }));
}
