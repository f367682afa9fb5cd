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
import { nearestImages } from './nearest-images.js';
import { isMeasured, type Outcome } from './outcome.js';
import { runEnvironment } from './run-environment.js';

const gridImages = 48;
/** Images in a row of a grid. */
const columns = 12;

export async function writeRunReport(context: RunContext, run: { outcomes: readonly Outcome[]; rows: readonly Row[]; log: readonly MetricsRow[]; command?: string }): Promise<void> {
  const { config, engine, folder } = context;
  await writeReport(join(folder, 'report.html'), {
    title: `sparring: ${config.name}`,
    ...(run.command && { command: run.command }),
    rows: run.rows,
    evaluations: run.outcomes.filter(isMeasured),
    charts: metricsCharts(run.log),
    log: run.log,
    grids: await grids(context),
    config,
    environment: { ...runEnvironment(engine) },
  });
}

/** Training images, and of the first seed the images that each generating method kept, the last ones first. */
async function grids(context: RunContext): Promise<Report['grids'][number][]> {
  const { config, data, folder } = context;
  const { imageSize } = data.train;
  const result: Report['grids'][number][] = [];
  const add = async (name: string, title: string, pixels: Uint8Array, { note, ...options }: { note?: string; captions?: readonly string[]; columns?: number } = {}): Promise<void> => {
    if (pixels.length === 0) return;
    const png = await imageGrid({ pixels, imageSize, columns, ...options });
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
    const shown = [...kept].sort((a, b) => b.disagreement - a.disagreement).slice(0, gridImages);
    const pixels = await store.readImages(shown.map((record) => record.key));
    await add(method, `Images of '${method}'`, pixels, {
      note: `${records.length} generated, ${kept.length} kept for training; by the disagreement of teacher and student, which stands below`,
      captions: shown.map(({ class: name, disagreement }) => `${name} ${disagreement.toFixed(2)}`),
    });
    const few = pixels.subarray(0, columns * imageSize ** 2 * 3);
    const nearest = await nearestImages(few, data.train);
    await add(`${method}-nearest`, `Nearest training images of '${method}'`, concatenated(few, await data.train.read(nearest.map(({ record }) => record))), {
      note: 'above the first of the images, below the training image that is nearest to each, with the root mean square of the difference in levels of 0 to 255',
      captions: [...nearest.map(() => ''), ...nearest.map(({ distance }) => distance.toFixed(0))],
      columns: nearest.length,
    });
  }
  return result;
}

function concatenated(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
