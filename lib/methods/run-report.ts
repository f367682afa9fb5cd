/** From the outcomes of a run to its report.html and grids. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { metricsCharts } from '../report/chart.js';
import { imageGrid } from '../report/grid.js';
import { writeReport, type Report } from '../report/html.js';
import type { MetricsRow } from '../report/metrics-log.js';
import type { Row } from '../report/rows.js';
import { openStore } from '../store/store.js';
import { fileError, writeFileAtomic } from '../training/files.js';
import type { RunContext } from './context.js';
import { isMeasured, type Outcome } from './outcome.js';

const gridImages = 48;

export async function writeRunReport(context: RunContext, run: { outcomes: readonly Outcome[]; rows: readonly Row[]; log: readonly MetricsRow[]; command?: string }): Promise<void> {
  const { config, engine, folder } = context;
  const info = engine.core.info();
  await writeReport(join(folder, 'report.html'), {
    title: `sparring: ${config.name}`,
    ...(run.command && { command: run.command }),
    rows: run.rows,
    evaluations: run.outcomes.filter(isMeasured),
    charts: metricsCharts(run.log),
    log: run.log,
    grids: await grids(context),
    config,
    environment: { libtorch: info.libtorch, device: engine.device, precision: engine.precision, threads: engine.threads, node: process.version, date: new Date().toISOString() },
  });
}

/** Training images, and of the first seed the images that each generating method kept, the last ones first. */
async function grids(context: RunContext): Promise<Report['grids'][number][]> {
  const { config, data, folder } = context;
  const { imageSize } = data.train;
  const result: Report['grids'][number][] = [];
  const add = async (name: string, title: string, pixels: Uint8Array, note?: string): Promise<void> => {
    if (pixels.length === 0) return;
    const png = await imageGrid({ pixels, imageSize, columns: 12 });
    await writeFileAtomic(join(folder, 'grids', `${name}.png`), png);
    result.push({ title, png, ...(note && { note }) });
  };
  await mkdir(join(folder, 'grids'), { recursive: true }).catch((error) => {
    throw fileError(error, 'create', join(folder, 'grids'));
  });
  const count = Math.min(gridImages, data.train.length);
  await add('train', 'Training images', await data.train.read(Array.from({ length: count }, (_, i) => Math.floor((i * data.train.length) / count))));
  for (const method of config.methods) {
    const path = join(folder, `seed-${config.seed}`, method, 'store');
    if (!existsSync(path)) continue;
    const store = await openStore(path);
    const records = store.samples();
    const kept = records.filter((record) => record.kept);
    const shown = kept.slice(-gridImages).reverse();
    await add(method, `Images of '${method}'`, await store.readImages(shown.map((record) => record.key)), `${records.length} generated, ${kept.length} kept for training; the newest first`);
  }
  return result;
}
