/** Writes what a study found: table.md, table.csv, result.json and report.html, from the runs that are done. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import type { Study } from '../config/study.js';
import type { Chart, Series } from '../report/chart.js';
import { imageGrid } from '../report/grid.js';
import { readMetrics } from '../report/metrics-log.js';
import type { Picture } from '../report/page.js';
import { methods as allMethods, methodTitles } from '../report/rows.js';
import { openStore } from '../store/store.js';
import { writeFileAtomic } from '../training/files.js';
import { renderStudy } from './html.js';
import type { StudyPlan, Unit } from './plan.js';
import { studyRows, type StudyRows } from './results.js';
import { placeTitle, studyCsv, studyMarkdown } from './table.js';

const shownImages = 24;

export async function writeStudyReport(study: Study, { units }: StudyPlan, command?: string): Promise<StudyRows> {
  const done = units.filter(({ result }) => result);
  const result = studyRows(study, units);
  const facts = factsOf(study, done, units.length, command);
  const curves = new Map<string, Chart[]>();
  const samples = new Map<string, Picture[]>();
  for (const cell of study.cells) {
    const own = done.filter(({ dataset, variant }) => dataset === cell.dataset && variant === cell.variant);
    if (own.length === 0) continue;
    curves.set(placeTitle(cell), curvesOf(own));
    samples.set(placeTitle(cell), await samplesOf(own[0]));
  }
  const title = `sparring study: ${study.name}`;
  const write = (name: string, text: string): Promise<void> => writeFileAtomic(join(study.output, name), text);
  await write('result.json', `${JSON.stringify({ ...result, facts }, null, 2)}\n`);
  await write('table.md', studyMarkdown(title, result, facts));
  await write('table.csv', studyCsv(result));
  await write('report.html', renderStudy({ title, ...(command && { command }), ...result, curves, samples, facts, study }));
  return result;
}

/** Command, machine, versions and dates; several where the runs were not all made alike. */
function factsOf({ processes }: Study, done: readonly Unit[], all: number, command?: string): Record<string, string> {
  const environments = done.map(({ result }) => result!.environment);
  const each = (text: (environment: (typeof environments)[number]) => string): string => [...new Set(environments.map(text))].join('; ');
  const dates = environments.map(({ date }) => date).sort();
  return {
    ...(command && { command }),
    runs: `${done.length} of ${all}${done.length < all ? '; the others are missing' : ''}`,
    seeds: [...new Set(done.map(({ seed }) => seed))].join(', '),
    machine: each(({ cpu, threads, device, precision }) => `${cpu}, ${threads} ${threads === 1 ? 'thread' : 'threads'} per run, ${device}, ${precision}`),
    processes: String(processes),
    versions: each(({ sparring, libtorch, node }) => `sparring ${sparring}, LibTorch ${libtorch}, Node.js ${node}`),
    'runs ended': dates[0] === dates.at(-1) ? dates[0] : `${dates[0]} to ${dates.at(-1)}`,
  };
}

/** Test accuracies after each round, one curve per row: means over the seeds. */
function curvesOf(units: readonly Unit[]): Chart[] {
  const logs = units.map((unit) => ({ seed: unit.seed, rows: readMetrics(unit.folder) }));
  return (['Worst', 'Mean'] as const).map((which) => {
    const key = `test/${which.toLowerCase()}GroupAccuracy`;
    const series = units[0].config.methods.map((method): Series => {
      const points = new Map<number, number[]>();
      for (const { seed, rows } of logs) {
        for (const row of rows) {
          if (row.stage === `seed-${seed}/${method}` && typeof row[key] === 'number') points.set(row.step, [...(points.get(row.step) ?? []), row[key]]);
        }
      }
      return { name: methodTitles[method], points: [...points].filter(([, values]) => values.length === units.length).map(([step, values]) => [step, values.reduce((sum, value) => sum + value, 0) / values.length] as const) };
    });
    return { title: `${which}-group accuracy after each round`, xLabel: 'step', yRange: [0, 1], series };
  });
}

/** Of each row that generates, images that it kept for training, the newest first. */
async function samplesOf({ folder, seed, config }: Unit): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const method of allMethods.filter((one) => (config.methods as readonly string[]).includes(one))) {
    const path = join(folder, `seed-${seed}`, method, 'store');
    if (!existsSync(path)) continue;
    const store = await openStore(path);
    const records = store.samples();
    const kept = records.filter((record) => record.kept);
    if (kept.length === 0) continue;
    const pixels = await store.readImages(kept.slice(-shownImages).reverse().map(({ key }) => key));
    const png = await imageGrid({ pixels, imageSize: store.imageSize, columns: 6, scale: Math.max(1, Math.ceil(64 / store.imageSize)) });
    pictures.push({ title: methodTitles[method], png, note: `${records.length} generated, ${kept.length} kept for training; the newest first` });
  }
  return pictures;
}
