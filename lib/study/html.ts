/** report.html of a study: bars, tables, curves and samples of each dataset and variant. */
import { stringify } from 'yaml';

import type { Study } from '../config/study.js';
import { barChart } from '../report/bars.js';
import { lineChart, type Chart } from '../report/chart.js';
import { escapeHtml } from '../report/escape.js';
import { namesAndValues, page, picture, section, type Picture } from '../report/page.js';
import { methodTitles } from '../report/rows.js';
import type { StudyRow, StudyRows } from './results.js';
import { byPlace, differenceColumns, notes, placeNotes, rowColumns, shownColumns } from './table.js';

export interface StudyReport extends StudyRows {
  title: string;
  command?: string;
  /** By the title of their dataset and variant. */
  curves: ReadonlyMap<string, readonly Chart[]>;
  samples: ReadonlyMap<string, readonly Picture[]>;
  facts: Readonly<Record<string, string>>;
  study: Study;
}

export function renderStudy({ title, command, rows, differences, curves, samples, facts, study }: StudyReport): string {
  const pairs = byPlace(differences);
  const places = [...byPlace(rows)].map(([place, own]) => {
    const grids = samples.get(place) ?? [];
    return section(place, [
      beside([bars('Worst-group accuracy', 'worstGroupAccuracy', own), bars('Mean-group accuracy', 'meanGroupAccuracy', own)]),
      table(shownColumns(rowColumns, own), own),
      ...placeNotes(own).map((note) => `<p class="note">${escapeHtml(note)}</p>`),
      pairs.has(place) ? `<h3>Differences, paired by seed</h3>${table(differenceColumns, pairs.get(place)!)}` : '',
      beside((curves.get(place) ?? []).map(lineChart)),
      beside(grids.map((grid) => picture(grid, 'beside'))),
    ].join(''));
  });
  return page(title, command, [
    ...places,
    `<p class="note">${escapeHtml(notes.rows)} ${escapeHtml(notes.differences)} ${escapeHtml(notes.scope)} Curves: means over seeds. Images: of the first seed.</p>`,
    section('Environment', namesAndValues(facts)),
    section('Configuration', `<details><summary>Resolved study</summary><pre>${escapeHtml(stringify(study))}</pre></details>`),
  ]);
}

function bars(title: string, measure: 'worstGroupAccuracy' | 'meanGroupAccuracy', rows: readonly StudyRow[]): string {
  return barChart(title, rows.map((row) => ({ name: methodTitles[row.method], value: row[measure].mean, interval: row[measure].interval, ...(row.undefined !== undefined && { note: 'undefined' }) })));
}

function beside(figures: readonly string[]): string {
  return figures.length > 0 ? `<div class="charts">${figures.join('')}</div>` : '';
}

function table<Line>(columns: readonly { title: string; numeric: boolean; cell: (line: Line) => string }[], lines: readonly Line[]): string {
  const number = (numeric: boolean): string => (numeric ? ' class="number"' : '');
  const head = columns.map(({ title, numeric }) => `<th${number(numeric)}>${escapeHtml(title)}</th>`).join('');
  const body = lines.map((line) => `<tr>${columns.map(({ cell, numeric }) => `<td${number(numeric)}>${escapeHtml(cell(line))}</td>`).join('')}</tr>`).join('');
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
