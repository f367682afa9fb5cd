import { stringify } from 'yaml';
import { worstGroupOf, type GroupAccuracy, type GroupMetrics } from '../metrics/groups.js';
import { writeFileAtomic } from '../training/files.js';
import { lineChart, type Chart } from './chart.js';
import { escapeHtml } from './escape.js';
import { generationTable } from './generation-table.js';
import type { MetricsRow } from './metrics-log.js';
import { methodTitles, summarise, type Method, type Row } from './rows.js';
import { namesAndValues, page, picture, section } from './page.js';
import { count, rowNotes, summary } from './table.js';

/** What one method's student (or the teacher) scored in one seed. */
export interface Evaluation {
  method: Method;
  seed: number;
  metrics: GroupMetrics;
}

export interface Report {
  title: string;
  /** The command that made it. */
  command?: string;
  rows: readonly Row[];
  /** For the intervals and the counts by group. */
  evaluations: readonly Evaluation[];
  charts: readonly Chart[];
  /** For what was generated in each round. */
  log: readonly MetricsRow[];
  /** Pictures, as PNG. */
  grids: readonly { title: string; note?: string; png: Uint8Array }[];
  /** The resolved configuration. */
  config: unknown;
  /** Versions, device, threads: name and value. */
  environment: Readonly<Record<string, string | number | boolean>>;
}

/** Writes the report as one file that needs no network and no other file. */
export async function writeReport(path: string, report: Report): Promise<void> {
  await writeFileAtomic(path, renderReport(report));
}

export function renderReport(report: Report): string {
  const { title, command, rows, evaluations, charts, log, grids, config, environment } = report;
  const generation = generationTable(log);
  const sections = [
    rows.length > 0 && section('Result', resultTable(rows, evaluations)),
    grids.length > 0 && section('Images', grids.map((grid) => picture(grid)).join('')),
    generation && section('Generation', generation),
    charts.length > 0 && section('Curves', `<div class="charts">${charts.map(lineChart).join('')}</div>`),
    evaluations.length > 0 && section('Groups', groupTables(evaluations)),
    evaluations.length > 0 && section('Classes', classTable(evaluations)),
    section('Configuration', `<details open><summary>Resolved configuration</summary><pre>${escapeHtml(stringify(config))}</pre></details>`),
    section('Environment', namesAndValues(environment)),
  ];
  return page(title, command, sections);
}

function resultTable(rows: readonly Row[], evaluations: readonly Evaluation[]): string {
  const isCorrupted = rows.some(({ corruptions }) => corruptions);
  const lines = rows.map((row) => {
    if (row.undefined) return `<tr><td>${escapeHtml(methodTitles[row.method])}</td><td colspan="${isCorrupted ? 11 : 9}">undefined</td></tr>`;
    const worst = evaluations.filter(({ method }) => method === row.method).map(({ metrics }) => worstGroupOf(metrics));
    const intervals = worst.map(({ accuracy, interval }) => `${accuracy.toFixed(3)} [${interval.map((end) => end.toFixed(3)).join(', ')}]`);
    return `<tr${row.method === 'config' ? ' class="ours"' : ''}><td>${escapeHtml(methodTitles[row.method])}</td>
<td class="number">${row.worstGroupAccuracy.mean!.toFixed(3)}${intervals.map((text) => `<small>${text}</small>`).join('')}</td>
<td>${intervalPlot(worst)}</td>
<td class="number">${summary(row.meanGroupAccuracy)}</td>
<td class="number">${summary(row.trainWeightedAccuracy)}</td>
<td class="number">${row.accuracy ? summary(row.accuracy) : 'n/a'}</td>
<td class="number">${summary(row.gapClosed)}</td>
${isCorrupted ? `<td class="number">${row.corruptions ? summary(row.corruptions.accuracy) : 'n/a'}</td><td class="number">${row.corruptions ? summary(row.corruptions.error, 1) : 'n/a'}</td>` : ''}
<td class="number">${count(row.generated)}</td>
<td class="number">${count(row.trainingSteps)}</td>
<td class="number">${row.seconds.toFixed(1)}</td></tr>`;
  });
  const notes = rowNotes(rows).map((note) => `<p class="note">${escapeHtml(note)}</p>`);
  return `<div class="scroll"><table><thead><tr><th>Method</th><th class="number">Worst group (WGA)</th><th>0 to 1</th>
<th class="number">Mean group (MGA)</th><th class="number">Train-weighted</th><th class="number">Accuracy</th><th class="number">Gap closed</th>${isCorrupted ? '<th class="number">Corrupted</th><th class="number">mCE (ERM 100)</th>' : ''}<th class="number">Generated</th><th class="number">Steps</th><th class="number">Seconds</th></tr></thead>
<tbody>${lines.join('')}</tbody></table></div>
<p class="note">Accuracies from 0 to 1: the mean over seeds; small print: each seed's worst group with its 95 % Wilson interval, which
covers the finite number of test images, not the choice of seed. Other columns: mean, and the range over seeds. Train-weighted: groups
by their shares of the training data; Accuracy: of all test images. Gap closed: 0 as plain
distillation, 1 as the teacher.${isCorrupted ? ' Corrupted: mean accuracy under fifteen common corruptions; mCE: their errors, 100 as with labels alone.' : ''} Generated: before any selection.</p>${notes.join('')}`;
}

/** One dot and interval per seed on a line from 0 to 1. */
function intervalPlot(worst: readonly GroupAccuracy[]): string {
  const x = (value: number): string => (5 + value * 140).toFixed(1);
  const step = 16 / Math.max(1, worst.length);
  const marks = worst.map(({ accuracy, interval }, place) => {
    const y = (3 + step * (place + 0.5)).toFixed(1);
    return `<line x1="${x(interval[0])}" x2="${x(interval[1])}" y1="${y}" y2="${y}"/><circle cx="${x(accuracy)}" cy="${y}" r="3"/>`;
  });
  return `<svg class="interval c0" viewBox="0 0 150 22" aria-hidden="true"><line class="track" x1="5" x2="145" y1="11" y2="11"/>${marks.join('')}</svg>`;
}

/** One table per method: a line per group, a column per seed. */
function groupTables(evaluations: readonly Evaluation[]): string {
  const byMethod = new Map<Method, Evaluation[]>();
  for (const evaluation of evaluations) byMethod.set(evaluation.method, [...(byMethod.get(evaluation.method) ?? []), evaluation]);
  return [...byMethod].map(([method, seeds]) => {
    const head = seeds.map(({ seed }) => `<th class="number">Seed ${seed}</th>`).join('');
    const names = [...new Set(seeds.flatMap(({ metrics }) => metrics.groups.map(({ name }) => name)))];
    const lines = names.map((name) => `<tr><td>${escapeHtml(name)}</td>${seeds.map(({ metrics }) => groupCell(metrics, name)).join('')}</tr>`);
    const empty = [...new Set(seeds.flatMap(({ metrics }) => metrics.emptyGroups))];
    const note = empty.length > 0 ? `<p class="note">Without test images, and left out: ${escapeHtml(empty.join(', '))}.</p>` : '';
    return `<h3>${escapeHtml(methodTitles[method])}</h3><div class="scroll"><table><thead><tr><th>Group</th>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>${note}`;
  }).join('');
}

function groupCell(metrics: GroupMetrics, name: string): string {
  const group = metrics.groups.find((candidate) => candidate.name === name);
  if (!group) return '<td class="number">n/a</td>';
  const [low, high] = group.interval;
  return `<td class="number${name === metrics.worstGroup ? ' worst' : ''}">${group.accuracy.toFixed(3)}<small>${group.correct}/${group.count} [${low.toFixed(3)}, ${high.toFixed(3)}]</small></td>`;
}

/** A line per class, a column per method: means over seeds. */
function classTable(evaluations: readonly Evaluation[]): string {
  const methods = [...new Set(evaluations.map(({ method }) => method))];
  const names = [...new Set(evaluations.flatMap(({ metrics }) => metrics.classes.map(({ name }) => name)))];
  const cell = (name: string, method: Method): string => {
    const found = evaluations.filter((evaluation) => evaluation.method === method).flatMap(({ metrics }) => metrics.classes.filter((one) => one.name === name));
    if (found.length === 0) return '<td class="number">n/a</td>';
    return `<td class="number">${summary(summarise(found.map(({ accuracy }) => accuracy)))}<small>${found[0]!.count} images</small></td>`;
  };
  const head = methods.map((method) => `<th class="number">${escapeHtml(methodTitles[method])}</th>`).join('');
  const lines = names.map((name) => `<tr><td>${escapeHtml(name)}</td>${methods.map((method) => cell(name, method)).join('')}</tr>`);
  return `<div class="scroll"><table><thead><tr><th>Class</th>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>
<p class="note">Accuracy on all test images of the class: mean, and the range over seeds.</p>`;
}
