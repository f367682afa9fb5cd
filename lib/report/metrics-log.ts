import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SparringError } from '../errors.js';
import { fileError, makeFolder, writeFileAtomic } from '../training/files.js';
import { csvCell } from './csv-cell.js';

/** One line of metrics.jsonl: `stage` and `step`, then any JSON under keys such as `train/loss`. */
export interface MetricsRow {
  stage: string;
  step: number;
  [key: string]: unknown;
}

export interface MetricsLogOptions {
  /**
   * Which rows of an earlier run to keep, in a resumed run those up to the checkpoint:
   * `(row) => row.stage !== 'student' || row.step <= 400`. Default: all.
   */
  keep?: (row: MetricsRow) => boolean;
}

/** Opens `metrics.jsonl` and `metrics.csv` in a run folder, to add to them. */
export async function openMetricsLog(folder: string, options: MetricsLogOptions = {}): Promise<MetricsLog> {
  const path = join(folder, 'metrics.jsonl');
  try {
    makeFolder(folder);
  } catch (error) {
    throw fileError(error, 'create', folder);
  }
  const rows = readMetrics(folder).filter(options.keep ?? (() => true));
  await writeFileAtomic(path, rows.map(toLine).join(''));
  const log = new MetricsLog(folder, rows);
  await log.rewriteCsv();
  return log;
}

/**
 * The rows of a run's metrics.jsonl, none when there is no such file. A last line without an end, which a kill may
 * leave, is passed over.
 */
export function readMetrics(folder: string): MetricsRow[] {
  const path = join(folder, 'metrics.jsonl');
  if (!existsSync(path)) return [];
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  } catch (error) {
    throw fileError(error, 'read', path);
  }
  return lines.map((line, number) => {
    try {
      const row = JSON.parse(line);
      if (typeof row.stage === 'string' && typeof row.step === 'number') return row;
    } catch {
      // Reported below, like JSON of another form.
    }
    const found = line.length > 60 ? `${line.slice(0, 60)}...` : line;
    throw new SparringError('data', `${path}:${number + 1}: expected a JSON object with stage and step, found ${JSON.stringify(found)}`, 'Remove that line, or move the file away to begin a new one.');
  });
}

/** Writes each row at once, so that a kill loses nothing that was logged. */
export class MetricsLog {
  /** Columns of the CSV, in order of first appearance. */
  #columns = ['stage', 'step'];

  /** Use `openMetricsLog`. */
  constructor(
    private readonly folder: string,
    readonly rows: MetricsRow[],
  ) {}

  /**
   * Adds a row. Numbers, strings and booleans go to both files, anything else to metrics.jsonl alone.
   * A key never seen before rewrites metrics.csv with a further column.
   */
  async write(row: MetricsRow): Promise<void> {
    this.rows.push(row);
    this.add('metrics.jsonl', toLine(row));
    if (scalarKeys(row).every((key) => this.#columns.includes(key))) this.add('metrics.csv', this.csvLine(row));
    else await this.rewriteCsv();
  }

  async rewriteCsv(): Promise<void> {
    this.#columns = [...new Set(['stage', 'step', ...this.rows.flatMap(scalarKeys)])];
    const header = `${this.#columns.map(csvCell).join(',')}\n`;
    await writeFileAtomic(join(this.folder, 'metrics.csv'), header + this.rows.map((row) => this.csvLine(row)).join(''));
  }

  private csvLine(row: MetricsRow): string {
    return `${this.#columns.map((key) => csvCell(isScalar(row[key]) ? row[key] : '')).join(',')}\n`;
  }

  private add(name: string, text: string): void {
    const path = join(this.folder, name);
    try {
      appendFileSync(path, text);
    } catch (error) {
      throw fileError(error, 'append to', path);
    }
  }
}

function toLine(row: MetricsRow): string {
  return `${JSON.stringify(row)}\n`;
}

function isScalar(value: unknown): value is number | string | boolean {
  return typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean';
}

function scalarKeys(row: MetricsRow): string[] {
  return Object.keys(row).filter((key) => isScalar(row[key]));
}
