import { escapeHtml } from './escape.js';
import type { MetricsRow } from './metrics-log.js';

export interface Series {
  name: string;
  points: (readonly [x: number, y: number])[];
}

export interface Chart {
  title: string;
  xLabel: string;
  /** Fixed range of the y axis, such as [0, 1] for accuracies. Default: that of the points. */
  yRange?: readonly [low: number, high: number];
  series: Series[];
}

const [width, height] = [520, 280];
const margin = { left: 52, right: 14, top: 12, bottom: 40 };
const maximumBuckets = 200;
const markedPoints = 40;
/** Colours in the style sheet: `.c0` to `.c7`. */
const colours = 8;

/**
 * The curves of a metrics log: one chart per numeric key, one curve in it per stage.
 * Keys with `accuracy` or `wga` in them are drawn from 0 to 1.
 */
export function metricsCharts(rows: readonly MetricsRow[]): Chart[] {
  const charts = new Map<string, Map<string, Series>>();
  for (const row of rows) {
    for (const [key, value] of Object.entries(row)) {
      if (typeof value !== 'number' || key === 'step') continue;
      const name = row.stage;
      const series = charts.get(key) ?? new Map<string, Series>();
      charts.set(key, series);
      const curve = series.get(name) ?? { name, points: [] };
      series.set(name, curve);
      curve.points.push([row.step, value]);
    }
  }
  return [...charts].map(([title, series]) => ({
    title,
    xLabel: 'step',
    yRange: /accuracy|wga/i.test(title) ? ([0, 1] as const) : undefined,
    series: [...series.values()],
  }));
}

/** A line chart as inline SVG with a legend; colours come from the page's style sheet. */
export function lineChart({ title, xLabel, yRange, series }: Chart): string {
  const finite = series.map(({ name, points }) => ({ name, points: points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)) }));
  const all = finite.flatMap(({ points }) => points);
  if (all.length === 0) return `<figure class="chart"><figcaption>${escapeHtml(title)}</figcaption><p class="note">No values.</p></figure>`;
  const xTicks = ticks(...extent(all.map(([x]) => x)));
  const yTicks = ticks(...(yRange ?? extent(all.map(([, y]) => y))));
  const [xLow, xHigh, yLow, yHigh] = [xTicks[0]!, xTicks.at(-1)!, yTicks[0]!, yTicks.at(-1)!];
  const x = (value: number): string => (margin.left + ((value - xLow) / (xHigh - xLow)) * (width - margin.left - margin.right)).toFixed(1);
  const y = (value: number): string => (height - margin.bottom - ((value - yLow) / (yHigh - yLow)) * (height - margin.top - margin.bottom)).toFixed(1);

  const grid = [
    ...yTicks.map((tick) => `<line class="grid" x1="${margin.left}" x2="${width - margin.right}" y1="${y(tick)}" y2="${y(tick)}"/><text x="${margin.left - 8}" y="${y(tick)}" class="end">${label(tick)}</text>`),
    ...xTicks.map((tick) => `<text x="${x(tick)}" y="${height - margin.bottom + 18}" class="middle">${label(tick)}</text>`),
    `<text x="${(margin.left + width - margin.right) / 2}" y="${height - 4}" class="middle">${escapeHtml(xLabel)}</text>`,
  ];
  const curves = finite.map(({ name, points }, number) => {
    const drawn = thin(points);
    const path = drawn.map(([px, py], place) => `${place === 0 ? 'M' : 'L'}${x(px)} ${y(py)}`).join('');
    const dots = points.length > markedPoints ? '' : points.map(([px, py]) => `<circle cx="${x(px)}" cy="${y(py)}" r="3"><title>${escapeHtml(`${name}: ${label(px)}, ${label(py)}`)}</title></circle>`).join('');
    return `<g class="curve c${number % colours}"><path d="${path}"/>${dots}</g>`;
  });
  const legend = finite.length < 2 && finite[0]!.name === '' ? '' : `<ul class="legend">${finite.map(({ name }, number) => `<li class="c${number % colours}">${escapeHtml(name)}</li>`).join('')}</ul>`;
  return `<figure class="chart"><figcaption>${escapeHtml(title)}</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">${grid.join('')}${curves.join('')}</svg>${legend}</figure>`;
}

/** Long curves are drawn through the lowest and highest point of each of 200 stretches: no spike is lost. */
function thin(points: Series['points']): Series['points'] {
  if (points.length <= 2 * maximumBuckets) return points;
  const size = Math.ceil(points.length / maximumBuckets);
  const kept: Series['points'] = [];
  for (let start = 0; start < points.length; start += size) {
    const bucket = points.slice(start, start + size);
    const lowest = bucket.reduce((best, point) => (point[1] < best[1] ? point : best));
    const highest = bucket.reduce((best, point) => (point[1] > best[1] ? point : best));
    kept.push(...new Set([lowest, highest].sort((a, b) => a[0] - b[0])));
  }
  return kept;
}

function extent(values: number[]): [number, number] {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const room = Math.abs(low) * 0.1 || 1;
  return low === high ? [low - room, high + room] : [low, high];
}

/** Round numbers from at most `low` to at least `high`, four to nine of them. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => (first + place) * step);
}

/** A number in at most four digits. */
function label(value: number): string {
  return Math.abs(value) >= 10_000 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1).replace('e+', 'e') : String(Number(value.toPrecision(4)));
}
