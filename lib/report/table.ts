import { methodTitles, type Row, type Summary } from './rows.js';

/** A cell: text, and whether it is a number, which is aligned to the right. */
const columns: { title: string; cell: (row: Row) => string; numeric: boolean }[] = [
  { title: 'Method', cell: (row) => methodTitles[row.method], numeric: false },
  { title: 'WGA', cell: (row) => (row.undefined ? 'undefined' : summary(row.worstGroupAccuracy)), numeric: true },
  { title: 'MGA', cell: (row) => summary(row.meanGroupAccuracy), numeric: true },
  { title: 'Gap closed', cell: (row) => summary(row.gapClosed), numeric: true },
  { title: 'Generated', cell: (row) => count(row.generated), numeric: true },
  { title: 'Steps', cell: (row) => count(row.trainingSteps), numeric: true },
  { title: 'Seconds', cell: (row) => row.seconds.toFixed(1), numeric: true },
];

export const tableTitles = columns.map(({ title }) => title);

/** Mean with three decimals, and from two seeds on the range of their values: `0.981 (0.975-0.994)`. */
export function summary({ mean, values }: Summary<number | null>): string {
  const numbers = values.filter((value) => value !== null);
  if (mean === null) return 'n/a';
  if (numbers.length < 2) return mean.toFixed(3);
  return `${mean.toFixed(3)} (${Math.min(...numbers).toFixed(3)}-${Math.max(...numbers).toFixed(3)})`;
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
  const lines = [tableTitles, ...cells(rows)];
  const widths = columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const align = (text: string, column: number): string =>
    columns[column]!.numeric ? text.padStart(widths[column]!) : text.padEnd(widths[column]!);
  const printed = lines.map((line) => line.map(align).join('  ').trimEnd());
  const notes = rowNotes(rows);
  return [printed[0], widths.map((width) => '-'.repeat(width)).join('  '), ...printed.slice(1), ...(notes.length > 0 ? ['', ...notes] : [])].join('\n');
}

function cells(rows: readonly Row[]): string[][] {
  return rows.map((row) => columns.map(({ cell }) => cell(row)));
}
