import { escapeHtml } from './escape.js';

export interface Bar {
  name: string;
  /** 0..1; null where there is no value. */
  value: number | null;
  interval: readonly [low: number, high: number] | null;
  /** Instead of a value. */
  note?: string;
}

const [width, barHeight, gap] = [520, 18, 8];
const margin = { left: 190, right: 56, top: 6, bottom: 26 };
/** Colours in the style sheet: `.c0` to `.c7`. */
const colours = 8;

/** Bars from 0 to 1 with their intervals, as inline SVG; what of an interval lies outside is cut off. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const height = margin.top + bars.length * (barHeight + gap) + margin.bottom;
  const x = (value: number): string => (margin.left + Math.min(1, Math.max(0, value)) * (width - margin.left - margin.right)).toFixed(1);
  const bottom = height - margin.bottom;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((tick) => `<line class="grid" x1="${x(tick)}" x2="${x(tick)}" y1="${margin.top}" y2="${bottom}"/><text x="${x(tick)}" y="${bottom + 14}" class="middle">${tick}</text>`);
  const drawn = bars.map(({ name, value, interval, note }, number) => {
    const top = margin.top + number * (barHeight + gap);
    const middle = (top + barHeight / 2).toFixed(1);
    const label = `<text x="${margin.left - 8}" y="${middle}" class="end">${escapeHtml(name)}</text>`;
    if (value === null) return `${label}<text x="${margin.left + 6}" y="${middle}">${escapeHtml(note ?? 'n/a')}</text>`;
    const bar = `<rect x="${x(0)}" y="${top}" width="${(Number(x(value)) - Number(x(0))).toFixed(1)}" height="${barHeight}"/>`;
    const whisker = interval ? `<path d="M${x(interval[0])} ${middle}H${x(interval[1])}M${x(interval[0])} ${top + 4}v${barHeight - 8}M${x(interval[1])} ${top + 4}v${barHeight - 8}"/>` : '';
    return `${label}<g class="bar c${number % colours}">${bar}${whisker}</g><text x="${width - margin.right + 10}" y="${middle}">${value.toFixed(3)}</text>`;
  });
  return `<figure class="chart"><figcaption>${escapeHtml(title)}</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">${grid.join('')}${drawn.join('')}</svg></figure>`;
}
