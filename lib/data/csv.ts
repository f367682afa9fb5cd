import { SparringError } from '../errors.js';
import { readText } from './source.js';

/** One line of a CSV file: its number, from 1, and the cells of the columns asked for. */
export interface CsvRow<Column extends string> {
  line: number;
  cells: Partial<Record<Column, string>>;
}

/**
 * Reads columns of a CSV file by the names in its header: commas, double quotes as in RFC 4180, any line ends. Empty
 * lines are passed over.
 * @param required columns that must be there
 * @param optional columns that may be; absent ones have no cell
 * @throws SparringError 'data' for a missing or repeated column, or a line with another number of cells
 */
export async function readCsv<Required extends string, Optional extends string = never>(
  path: string,
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Promise<{ columns: Set<string>; rows: (CsvRow<Required | Optional> & { cells: Record<Required, string> })[] }> {
  const lines = csvLines(await readText(path), path);
  const header = lines[0]?.cells.map((name) => name.trim()) ?? [];
  for (const name of required) {
    if (!header.includes(name)) {
      throw new SparringError('data', `${path}: expected a column ${name}, found ${header.slice(0, 6).join(', ')}${header.length > 6 ? ', ...' : ''}`, `The first line names the columns; needed are ${required.join(', ')}.`);
    }
  }
  const repeated = header.find((name, index) => header.indexOf(name) !== index);
  if (repeated !== undefined) throw new SparringError('data', `${path}: expected each column once, found ${JSON.stringify(repeated)} twice`, 'Rename or remove one of them.');
  const wanted = [...required, ...optional].flatMap((name) => (header.includes(name) ? [[name, header.indexOf(name)] as const] : []));
  const rows = lines.slice(1).map(({ line, cells }) => {
    if (cells.length !== header.length) {
      throw new SparringError('data', `${path}:${line}: expected ${header.length} cells, as in the header, found ${cells.length}`, 'Put texts with commas in double quotes.');
    }
    return { line, cells: Object.fromEntries(wanted.map(([name, column]) => [name, cells[column]!.trim()])) as Record<Required, string> & Partial<Record<Optional, string>> };
  });
  return { columns: new Set(header), rows };
}

function csvLines(text: string, path: string): { line: number; cells: string[] }[] {
  const result: { line: number; cells: string[] }[] = [];
  const lines = text.split(/\r\n|\n|\r/);
  for (let number = 0; number < lines.length; number++) {
    const line = number + 1;
    let content = lines[number]!;
    if (content.trim() === '') continue;
    // A quoted cell may go on over several lines.
    while (quotes(content) % 2 === 1) {
      if (++number === lines.length) throw new SparringError('data', `${path}:${line}: expected a closing double quote, found the end of the file`, 'Write a double quote within a text twice.');
      content += `\n${lines[number]}`;
    }
    result.push({ line, cells: content.includes('"') ? quotedCells(content) : content.split(',') });
  }
  return result;
}

function quotes(text: string): number {
  return text.includes('"') ? text.split('"').length - 1 : 0;
}

function quotedCells(content: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let place = 0; place < content.length; place++) {
    const character = content[place]!;
    if (character === '"' && quoted && content[place + 1] === '"') cell += content[++place]!;
    else if (character === '"') quoted = !quoted;
    else if (character === ',' && !quoted) {
      cells.push(cell);
      cell = '';
    } else cell += character;
  }
  return [...cells, cell];
}
