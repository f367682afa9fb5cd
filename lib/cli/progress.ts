/** Where progress is shown: `process.stderr`, or anything like it. */
export interface ProgressOutput {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export interface ProgressOptions {
  /** Default `process.stderr`: results on stdout stay clean. */
  output?: ProgressOutput;
  /** Show nothing. Default false. */
  quiet?: boolean;
  /** Colour on a terminal. Default: unless NO_COLOR is set. */
  colour?: boolean;
  /** Milliseconds between two updates. Default 100 on a terminal, 5000 elsewhere. */
  intervalMs?: number;
  /** Clock in milliseconds, for tests. */
  now?: () => number;
}

type Fields = Record<string, number | string>;

/**
 * Shows how far a task is: a bar with rate and time left on a terminal, a plain line every few seconds elsewhere.
 *
 *     progress.start('student', 1200);
 *     progress.update(step, { loss });
 *     progress.done();
 */
export class Progress {
  readonly #output: ProgressOutput;
  readonly #quiet: boolean;
  readonly #colour: boolean;
  readonly #intervalMs: number;
  readonly #now: () => number;
  #task: { label: string; total: number; startMs: number; first: number; finished: number; fields: Fields } | undefined;
  #shownMs = 0;

  constructor(options: ProgressOptions = {}) {
    this.#output = options.output ?? process.stderr;
    this.#quiet = options.quiet ?? false;
    // An empty NO_COLOR counts as unset (no-color.org).
    this.#colour = options.colour ?? !process.env.NO_COLOR;
    this.#intervalMs = options.intervalMs ?? (this.#output.isTTY ? 100 : 5000);
    this.#now = options.now ?? (() => performance.now());
  }

  /** Begins a task of `total` steps; `first` of them were done before, in a resumed run. */
  start(label: string, total: number, first = 0): void {
    if (this.#task) this.done();
    this.#task = { label, total, startMs: this.#now(), first, finished: first, fields: {} };
    this.#shownMs = -Infinity;
    if (this.#output.isTTY) this.show();
  }

  /** `finished` steps are done; `fields` are shown beside the bar, numbers with four digits. */
  update(finished: number, fields: Fields = {}): void {
    if (!this.#task) return;
    this.#task.finished = finished;
    this.#task.fields = fields;
    const now = this.#now();
    if (this.#shownMs === -Infinity && !this.#output.isTTY) this.#shownMs = this.#task.startMs;
    if (now - this.#shownMs >= this.#intervalMs) this.show();
  }

  /** Ends the task and leaves its last state standing. */
  done(): void {
    if (!this.#task) return;
    this.show();
    if (this.#output.isTTY && !this.#quiet) this.#output.write('\n');
    this.#task = undefined;
  }

  private show(): void {
    this.#shownMs = this.#now();
    if (this.#quiet) return;
    const { label, total, startMs, first, finished, fields } = this.#task!;
    const seconds = (this.#shownMs - startMs) / 1000;
    const rate = seconds > 0 ? (finished - first) / seconds : 0;
    const share = total > 0 ? Math.min(1, finished / total) : 1;
    const left = finished >= total ? `in ${duration(seconds)}` : rate > 0 ? `ETA ${duration((total - finished) / rate)}` : 'ETA -';
    const percent = `${Math.floor(share * 100)}%`;
    const details = [`${finished}/${total}`, `${number(rate)}/s`, left, ...Object.entries(fields).map(([key, value]) => `${key} ${typeof value === 'number' ? number(value) : value}`)].join('  ');
    if (!this.#output.isTTY) {
      this.#output.write(`${label} ${percent}  ${details}\n`);
      return;
    }
    // The last column stays free: a full line would wrap on some terminals and the bar would crawl down the screen.
    const width = (this.#output.columns || 80) - 1;
    const tail = ` ${percent.padStart(4)}  ${details}`;
    const cells = Math.min(30, width - label.length - 1 - tail.length);
    const filled = Math.round(share * cells);
    const line = cells < 5
      ? `${label}${tail}`.slice(0, width)
      : `${label} ${this.paint('36', '█'.repeat(filled))}${this.paint('2', '░'.repeat(cells - filled))}${tail}`;
    this.#output.write(`\r\u001b[K${line}`);
  }

  private paint(code: string, text: string): string {
    return this.#colour && text ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

/** Four significant digits, without an exponent where it can be read without. */
function number(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

/** 75 seconds as 1:15, 3700 as 1:01:40. */
function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, place) => (place === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}
