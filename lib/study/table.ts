/** The rows of a study as text: Markdown that is aligned for people, CSV for programs. */
import { measures, type Difference, type Mean, type StudyRow, type StudyRows } from './results.js';
import { recipes } from '../methods/recipes.js';
import { csvCell } from '../report/csv-cell.js';
import { methodTitles } from '../report/rows.js';
import { count } from '../report/table.js';

/** A cell of a table: what stands at the head of its column, and whether it is a number. */
interface Column<Line> {
  /** Lines without which there is no such column. */
  only?: (line: Line) => boolean;
  title: string;
  numeric: boolean;
  cell: (line: Line) => string;
}

export const rowColumns: Column<StudyRow>[] = [
  { title: 'Method', numeric: false, cell: ({ method }) => methodTitles[method] },
  { title: 'WGA', numeric: true, cell: (row) => (row.undefined === undefined ? meanText(row.worstGroupAccuracy) : 'undefined') },
  { title: 'WGA over images', numeric: true, cell: (row) => intervalText(row.worstGroupInterval), only: (row) => row.worstGroupInterval !== undefined },
  { title: 'MGA', numeric: true, cell: (row) => meanText(row.meanGroupAccuracy) },
  { title: 'Train-weighted', numeric: true, cell: (row) => meanText(row.trainWeightedAccuracy) },
  { title: 'Accuracy', numeric: true, cell: (row) => meanText(row.accuracy) },
  { title: 'Gap closed', numeric: true, cell: (row) => meanText(row.gapClosed) },
  { title: 'Corrupted', numeric: true, cell: ({ corruptions }) => (corruptions ? meanText(corruptions.accuracy) : 'n/a'), only: isCorrupted },
  { title: 'mCE (ERM 100)', numeric: true, cell: ({ corruptions }) => (corruptions ? meanText(corruptions.error, '', 1) : 'n/a'), only: isCorrupted },
  { title: 'Images', numeric: true, cell: (row) => count(row.generated) },
  { title: 'Steps', numeric: true, cell: (row) => count(row.trainingSteps) },
  { title: 'Seconds', numeric: true, cell: (row) => row.seconds.toFixed(1) },
  { title: 's / 1,000 made', numeric: true, cell: ({ cost }) => perThousand(cost?.makingSeconds, cost?.imagesMade), only: ({ cost }) => cost !== undefined && cost.imagesMade > 0 },
  { title: 's / 1,000 trained on', numeric: true, cell: ({ cost }) => perThousand(cost?.trainingSeconds, cost?.trainingImages), only: ({ cost }) => cost !== undefined },
];

function perThousand(seconds: number | undefined, images: number | undefined): string {
  return seconds !== undefined && images ? ((1000 * seconds) / images).toFixed(3) : 'n/a';
}

function intervalText(interval: [low: number, high: number] | undefined): string {
  return interval ? `[${interval.map((end) => end.toFixed(3)).join(', ')}]` : 'n/a';
}

function isCorrupted({ corruptions }: StudyRow): boolean {
  return corruptions !== undefined;
}

export const differenceColumns: Column<Difference>[] = [
  { title: 'Method', numeric: false, cell: ({ method }) => methodTitles[method] },
  { title: 'minus', numeric: false, cell: ({ variant, reference, referenceVariant }) => (referenceVariant === variant ? methodTitles[reference] : `the same in ${referenceVariant}`) },
  { title: 'WGA', numeric: true, cell: (one) => meanText(one.worstGroupAccuracy, '+') },
  { title: 'MGA', numeric: true, cell: (one) => meanText(one.meanGroupAccuracy, '+') },
];

export const notes = {
  rows: 'Mean and 95 % interval over seeds (Student\'s t), accuracies and shares in 0..1. WGA over images: what the number of test images leaves open, 95 % interval of the group that was the worst (Wilson), its ends averaged over seeds. Images: generated, before selection. Images, steps and seconds of one seed on average.',
  differences: 'Differences of the same seeds, their mean and 95 % interval (Student\'s t).',
  scope: 'Intervals are over the seeds of the students, given this teacher, generator, training and test data; the teacher is one and has none.',
};

/** What the numbers of a place do not say: why rows have none, and that rows without a teacher begin with a student of their own. */
export function placeNotes(rows: readonly StudyRow[]): string[] {
  const without = rows.filter((row) => row.undefined === undefined && isLabelsOnly(row)).map(({ method }) => methodTitles[method]);
  return [
    ...rows.flatMap((row) => (row.undefined === undefined ? [] : [`${methodTitles[row.method]} is undefined on these data: it ${row.undefined}.`])),
    ...(without.length > 0 ? [`Steps of ${without.join('; ')} include those of the student that the row starts from, which it trains itself; the other rows start from the EDRM student, whose steps are in its own row. Counted alike, they are equally many.`] : []),
  ];
}

function isLabelsOnly({ method }: StudyRow): boolean {
  return method !== 'teacher' && method !== 'edrm' && recipes[method].labelsOnly === true;
}

/** `0.910 [0.850, 0.970]`, without an interval where there is none; `sign` is put before what is not negative. */
export function meanText({ mean, interval }: Mean, sign = '', digits = 3): string {
  const text = (value: number): string => `${value >= 0 ? sign : ''}${value.toFixed(digits)}`;
  if (mean === null) return 'n/a';
  return interval ? `${text(mean)} [${interval.map(text).join(', ')}]` : text(mean);
}

/** What stands above the rows of a dataset in a variant. */
export function placeTitle({ dataset, variant }: { dataset: string; variant: string }): string {
  return variant === 'base' ? dataset : `${dataset}, ${variant}`;
}

/** Groups lines of one dataset and variant, in their order. */
export function byPlace<Line extends { dataset: string; variant: string }>(lines: readonly Line[]): Map<string, Line[]> {
  const places = new Map<string, Line[]>();
  for (const line of lines) places.set(placeTitle(line), [...(places.get(placeTitle(line)) ?? []), line]);
  return places;
}

/** @param facts command, machine, versions, date: name and value */
export function studyMarkdown(title: string, { rows, differences }: StudyRows, facts: Readonly<Record<string, string>>): string {
  const tables = studyTables({ rows, differences }, (place) => `## ${place}`);
  return [`# ${title}`, ...tables, notes.rows, notes.differences, notes.scope, Object.entries(facts).map(([name, value]) => `- ${name}: ${value}`).join('\n')].join('\n\n') + '\n';
}

/** The tables of each place below its heading. */
export function studyTables({ rows, differences }: StudyRows, heading: (place: string) => string): string[] {
  const pairs = byPlace(differences);
  return [...byPlace(rows)].flatMap(([place, own]) => [heading(place), markdownTable(shownColumns(rowColumns, own), own), ...placeNotes(own), ...(pairs.has(place) ? [markdownTable(differenceColumns, pairs.get(place)!)] : [])]);
}

/** Those that some line has something in. */
export function shownColumns<Line>(columns: readonly Column<Line>[], lines: readonly Line[]): Column<Line>[] {
  return columns.filter(({ only }) => !only || lines.some(only));
}

function markdownTable<Line>(columns: readonly Column<Line>[], lines: readonly Line[]): string {
  const cells = [columns.map(({ title }) => title), ...lines.map((line) => columns.map(({ cell }) => cell(line).replaceAll('|', '\\|')))];
  const widths = columns.map((_, place) => Math.max(...cells.map((line) => line[place].length)));
  const printed = cells.map((line) => `| ${line.map((text, place) => (columns[place].numeric ? text.padStart(widths[place]) : text.padEnd(widths[place]))).join(' | ')} |`);
  const rule = `| ${columns.map(({ numeric }, place) => (numeric ? `${'-'.repeat(widths[place] - 1)}:` : '-'.repeat(widths[place]))).join(' | ')} |`;
  return [printed[0], rule, ...printed.slice(1)].join('\n');
}

/** One line per row, or pair of rows, and measure; `values` has one for each of `seeds`. Empty cells are undefined. */
export function studyCsv({ rows, differences }: StudyRows): string {
  const header = ['dataset', 'variant', 'method', 'minus', 'minusVariant', 'measure', 'mean', 'low', 'high', 'seeds', 'values', 'note'];
  const place = (line: StudyRow | Difference, measure: string, minus = '', minusVariant = ''): string[] => [line.dataset, line.variant, line.method, minus, minusVariant, measure];
  const mean = (line: StudyRow | Difference, { mean: middle, interval, values }: Mean): (string | number)[] => [middle ?? '', ...(interval ?? ['', '']), line.seeds.join(' '), values.map((value) => value ?? '').join(' ')];
  const lines = [
    ...rows.flatMap((row) => [
      ...measures.map((measure) => [...place(row, measure), ...mean(row, row[measure]), row.undefined ?? '']),
      ...(row.worstGroupInterval ? [[...place(row, 'worstGroupInterval'), '', ...row.worstGroupInterval, row.seeds.join(' '), '', '']] : []),
      ...(row.corruptions ? Object.entries({ corruptionAccuracy: row.corruptions.accuracy, corruptionError: row.corruptions.error }).map(([measure, value]) => [...place(row, measure), ...mean(row, value), '']) : []),
      ...Object.entries(row.cost ?? {}).map(([measure, value]) => [...place(row, measure), value, '', '', row.seeds.join(' '), '', '']),
      ...(['generated', 'trainingSteps', 'seconds'] as const).map((measure) => [...place(row, measure), row[measure], '', '', row.seeds.join(' '), '', row.undefined ?? '']),
    ]),
    ...differences.flatMap((one) => (['worstGroupAccuracy', 'meanGroupAccuracy'] as const).map((measure) => [...place(one, measure, one.reference, one.referenceVariant), ...mean(one, one[measure]), ''])),
  ];
  return [header, ...lines].map((line) => `${line.map(csvCell).join(',')}\n`).join('');
}
