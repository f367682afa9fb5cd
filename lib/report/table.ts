import { methodTitles, type Row, type Summary } from './rows.js';

/** A cell: text, and whether it is a number, which is aligned to the right. `only`: rows without which there is no such column. */
const allColumns: { title: string; cell: (row: Row) => string; numeric: boolean; only?: (row: Row) => boolean }[] = [
  { title: 'Method', cell: (row) => methodTitles[row.method], numeric: false },
  { title: 'WGA', cell: (row) => (row.undefined ? 'undefined' : summary(row.worstGroupAccuracy)), numeric: true },
  { title: 'MGA', cell: (row) => summary(row.meanGroupAccuracy), numeric: true },
  { title: 'Train-weighted', cell: (row) => summary(row.trainWeightedAccuracy), numeric: true },
  { title: 'Accuracy', cell: ({ accuracy }) => (accuracy ? summary(accuracy) : 'n/a'), numeric: true },
  { title: 'Gap closed', cell: (row) => summary(row.gapClosed), numeric: true },
  { title: 'Corrupted', cell: ({ corruptions }) => (corruptions ? summary(corruptions.accuracy) : 'n/a'), numeric: true, only: isCorrupted },
  { title: 'mCE (ERM 100)', cell: ({ corruptions }) => (corruptions ? summary(corruptions.error, 1) : 'n/a'), numeric: true, only: isCorrupted },
  { title: 'Generated', cell: (row) => count(row.generated), numeric: true },
  { title: 'Steps', cell: (row) => count(row.trainingSteps), numeric: true },
  { title: 'Seconds', cell: (row) => row.seconds.toFixed(1), numeric: true },
];

function isCorrupted({ corruptions }: Row): boolean {
  return corruptions !== undefined;
}

/** Mean with three decimals, and from two seeds on the range of their values: `0.981 (0.975-0.994)`. */
export function summary({ mean, values }: Summary<number | null>, digits = 3): string {
  const numbers = values.filter((value) => value !== null);
  if (mean === null) return 'n/a';
  if (numbers.length < 2) return mean.toFixed(digits);
  return `${mean.toFixed(digits)} (${Math.min(...numbers).toFixed(digits)}-${Math.max(...numbers).toFixed(digits)})`;
}

/** 12345 as 12,345, whatever the machine's locale. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** What a row's numbers do not say: why it has none, or in each seed how many images it up-weighted and after how many rounds it stopped. */
export function rowNotes(rows: readonly Row[]): string[] {
  return rows.flatMap((row) => {
    const title = methodTitles[row.method];
    if (row.undefined) return [`${title} is undefined on these data: it ${row.undefined}.`];
    const each = (what: string, measure: Summary | undefined): string[] => (measure ? [`${title}: ${what}: ${measure.values.map(count).join('; ')}.`] : []);
    return [...each('training images up-weighted', row.upWeighted), ...each('rounds until it stopped or all were done', row.rounds)];
  });
}

/** The rows as a table for a terminal, aligned with spaces, and their notes. */
export function textTable(rows: readonly Row[]): string {
  const columns = allColumns.filter(({ only }) => !only || rows.some(only));
  const lines = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const align = (text: string, column: number): string =>
    columns[column]!.numeric ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  const printed = lines.map((line) => line.map(align).join('  ').trimEnd());
  const notes = rowNotes(rows);
  return [printed[0], widths.map((width) => '-'.repeat(width)).join('  '), ...printed.slice(1), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}
