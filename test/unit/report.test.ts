import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { groupMetrics } from '../../lib/metrics/groups.js';
import { lineChart, metricsCharts } from '../../lib/report/chart.js';
import { imageGrid } from '../../lib/report/grid.js';
import { renderReport, writeReport, type Report } from '../../lib/report/html.js';
import { summarise, type Row } from '../../lib/report/rows.js';
import { textTable } from '../../lib/report/table.js';

const rows: Row[] = [
  { method: 'edrm', worstGroupAccuracy: summarise([0, 0.02]), meanGroupAccuracy: summarise([0.5, 0.52]), trainWeightedAccuracy: summarise([0.9, 0.9]), accuracy: summarise([0.7, 0.74]), classes: [], gapClosed: summarise<number | null>([0, 0]), generated: 0, trainingSteps: 1200, seconds: 31.26 },
  { method: 'config', worstGroupAccuracy: summarise([0.98, 0.99]), meanGroupAccuracy: summarise([0.99, 0.994]), trainWeightedAccuracy: summarise([0.9, 0.9]), classes: [], gapClosed: summarise<number | null>([0.98, null]), generated: 2304, trainingSteps: 4800, seconds: 200 },
];

test('rows as a text table', () => {
  const lines = textTable(rows).split('\n');
  assert.is(lines.length, 4);
  assert.is(new Set(lines.map((line) => line.length)).size, 1, 'aligned');
  assert.match(lines[0]!, /^Method +WGA +MGA +Train-weighted +Accuracy +Gap closed /);
  assert.match(lines[2]!, /^Distillation \(EDRM\)  0\.010 \(0\.000-0\.020\)  0\.510 \(0\.500-0\.520\)  0\.900 \(0\.900-0\.900\)  0\.720 \(0\.700-0\.740\)  0\.000 \(0\.000-0\.000\)          0  1,200     31\.3$/);
});

test('an undefined row says why, an up-weighting one how many, in the table and in the report', () => {
  const none = summarise<number | null>([null, null]);
  const more: Row[] = [
    { ...rows[0]!, method: 'jtt', upWeighted: summarise([0, 1234]) },
    { method: 'groupdro', undefined: 'needs <all>', worstGroupAccuracy: none, meanGroupAccuracy: none, trainWeightedAccuracy: none, accuracy: none, classes: [], gapClosed: none, generated: 0, trainingSteps: 0, seconds: 0 },
  ];
  const lines = textTable([...rows, ...more]).split('\n');
  assert.match(lines[5]!, /^GroupDRO \(oracle\) +undefined( +n\/a){4} /);
  const both = textTable([{ ...rows[1]!, method: 'config-tab', upWeighted: summarise([2, 3]), rounds: summarise([1, 3]) }]).split('\n').slice(4);
  assert.equal(both, ['+ ConfiG images, TAB: training images up-weighted: 2; 3.', '+ ConfiG images, TAB: rounds until it stopped or all were done: 1; 3.']);
  assert.equal(lines.slice(6), ['', 'JTT: training images up-weighted: 0; 1,234.', 'GroupDRO (oracle) is undefined on these data: it needs <all>.']);
  const html = renderReport({ title: 't', rows: more, evaluations: [], charts: [], log: [], grids: [], config: {}, environment: {} });
  for (const part of ['<td colspan="9">undefined</td>', 'it needs &lt;all&gt;.', 'up-weighted: 0; 1,234.']) assert.ok(html.includes(part), part);
});

test('a summary has the mean, or null where a value is missing', () => {
  assert.equal(summarise([1, 2]), { mean: 1.5, values: [1, 2] });
  assert.equal(summarise<number | null>([1, null]), { mean: null, values: [1, null] });
  assert.throws(() => summarise([]));
});

test('a grid shows each image, magnified without blur, and its caption', async () => {
  const pixels = new Uint8Array(3 * 48);
  [10, 120, 240].forEach((value, image) => pixels.fill(value, image * 48, (image + 1) * 48));
  const decode = async (png: Buffer) => sharp(png).raw().toBuffer({ resolveWithObject: true });
  const plain = await decode(await imageGrid({ pixels, imageSize: 4, columns: 2, scale: 5 }));
  assert.equal([plain.info.width, plain.info.height, plain.info.channels], [8 + 2 * 28, 8 + 2 * 28, 3]);
  const at = (image: typeof plain, x: number, y: number) => image.data[(y * image.info.width + x) * 3];
  for (const [x, y, value] of [[8, 8, 10], [27, 27, 10], [28, 8, 255], [36, 8, 120], [8, 36, 240], [36, 36, 255]]) assert.is(at(plain, x!, y!), value, `${x},${y}`);
  const titled = await decode(await imageGrid({ pixels, imageSize: 4, columns: 2, scale: 20, title: 'ROUND 1', captions: ['landbird 0.98', '', 'averyveryverylongword'] }));
  assert.is(titled.info.height, 8 + 24 + 2 * (80 + 32 + 8));
  const inked = (x0: number, y0: number, x1: number, y1: number) => {
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) if (at(titled, x, y) === 45) return true;
    return false;
  };
  assert.ok(inked(8, 8, 64, 18), 'title');
  assert.ok(inked(8, 112, 88, 144), 'caption of the first image');
  assert.not(inked(96, 112, 176, 144), 'the second has none');
  assert.is((await decode(await imageGrid({ pixels, imageSize: 4 }))).info.width, 8 + 2 * 104, 'magnified to 96 pixels by default');
});

test('a grid refuses pixels and captions that do not fit', async () => {
  for (const options of [{ pixels: new Uint8Array(0), imageSize: 4 }, { pixels: new Uint8Array(50), imageSize: 4 }, { pixels: new Uint8Array(48), imageSize: 4, captions: [] }]) {
    const error: any = await imageGrid(options).then(() => undefined, (reason) => reason);
    assert.is(error?.code, 'data');
  }
});

test('charts of a metrics log: one per key, one curve per stage', () => {
  const charts = metricsCharts([
    { stage: 'seed-0/edrm', step: 1, loss: 2, note: 'x' },
    { stage: 'seed-0/edrm', step: 2, loss: 1, 'test/wga': 0.5 },
    { stage: 'seed-1/config', step: 1, loss: 3 },
  ]);
  assert.equal(charts.map(({ title, yRange, series }) => [title, yRange, series.map(({ name, points }) => [name, points])]), [
    ['loss', undefined, [['seed-0/edrm', [[1, 2], [2, 1]]], ['seed-1/config', [[1, 3]]]]],
    ['test/wga', [0, 1], [['seed-0/edrm', [[2, 0.5]]]]],
  ]);
});

test('a chart places its points and survives odd values', () => {
  const svg = lineChart({ title: 'loss', xLabel: 'step', series: [{ name: 'a', points: [[0, 0], [10, 1]] }] });
  assert.match(svg, /<path d="M52\.0 240\.0L506\.0 12\.0"\/>/);
  for (const points of [[[1, 5]], [[1, 0], [2, 0]], [[0, 1e9], [1, -1e-9]], [[0, NaN], [1, 2]]] as [number, number][][]) {
    assert.not.match(lineChart({ title: 't', xLabel: 'x', series: [{ name: 'a', points }] }), /NaN|Infinity|undefined/);
  }
  assert.match(lineChart({ title: 't', xLabel: 'x', series: [{ name: 'a', points: [] }] }), /No values/);
  const spike = Array.from({ length: 5000 }, (_, x) => [x, x === 2500 ? 100 : 1] as const);
  const long = lineChart({ title: 't', xLabel: 'x', series: [{ name: 'a', points: [...spike] }] });
  assert.ok(long.length < 12_000, `${long.length} characters`);
  assert.match(long, /L279\.0 12\.0/, 'the spike is there');
});

function report(hostile: string): Report {
  const tested = { name: 't', classes: ['landbird', hostile], attributes: ['land', 'water'], imageSize: 1, length: 3, labels: Int32Array.of(0, 0, 1), attributeOf: Int32Array.of(0, 1, 1) };
  return {
    title: `Run ${hostile}`,
    command: `sparring distill ${hostile}`,
    rows,
    evaluations: [{ method: 'config', seed: 0, metrics: groupMetrics(tested, [0, 1, 1]) }],
    charts: [{ title: hostile, xLabel: hostile, series: [{ name: hostile, points: [[0, 1], [1, 2]] }] }],
    log: [
      { stage: hostile, step: 20, 'train/loss': 1 },
      { stage: hostile, step: 20, round: 1, 'generated/teacherProbability': 0.9, 'generated/studentProbability': 0.4, 'generated/teacherWrong': 0.1, 'generated/studentWrong': 0.6, 'generated/studentWrongOfApproved': 0.55, 'generated/kept': 0.8,
        'guidance/teacherBefore': 0.85, 'guidance/teacherAfter': 0.91, 'guidance/studentBefore': 0.7, 'guidance/studentAfter': 0.39 },
      { stage: 'seed-0/unguided', step: 20, round: 1, stopped: true, 'generated/teacherProbability': 0.85, 'generated/studentProbability': 0.7, 'generated/teacherWrong': 0, 'generated/studentWrong': 0.25, 'generated/kept': 1 },
    ],
    grids: [{ title: hostile, note: hostile, png: new Uint8Array([1, 2, 3]) }],
    config: { data: { root: hostile } },
    environment: { [hostile]: hostile },
  };
}

test('the report is one offline file with table, intervals, curves, grids, config and environment', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sparring-report-'));
  try {
    const path = join(folder, 'report.html');
    await writeReport(path, report('waterbird'));
    const html = readFileSync(path, 'utf8');
    assert.not.match(html, /(src|href)="(?!data:)/, 'nothing is loaded');
    assert.not.match(html, /<script|@import|url\(/);
    // Worst group: landbird/water, 0 of 1 right; Wilson's upper end is z^2 / (1 + z^2) = 0.793.
    assert.match(html, /0\.000 \[0\.000, 0\.793\]/);
    assert.match(html, /landbird\/water/);
    assert.match(html, /<h2>Classes<\/h2>.*<td>landbird<\/td><td class="number">0\.500<small>2 images/s);
    assert.match(html, /left out: waterbird\/land/);
    const numbers = (...cells: string[]) => cells.map((cell) => `<td class="number">${cell}</td>`).join('');
    assert.ok(html.includes(`<td>waterbird</td>${numbers('1', '0.900', '0.400', '0.100', '0.600', '0.550', '0.800', '0.850 → 0.910', '0.700 → 0.390')}`), 'a guided round');
    assert.ok(html.includes(`<td>seed-0/unguided</td>${numbers('1, stopped', '0.850', '0.700', '0.000', '0.250', '', '1.000', '', '')}`), 'an unguided one, the last of its row');
    assert.match(html, /data:image\/png;base64,AQID"/);
    assert.match(html, /root: waterbird/);
    assert.match(html, /prefers-color-scheme: dark/);
    assert.match(html, /<td class="number">2,304<\/td>/);
    assert.match(html, /<th class="number">Train-weighted<\/th><th class="number">Accuracy<\/th>/);
    assert.match(html, /<td class="number">0\.900 \(0\.900-0\.900\)<\/td>\n<td class="number">0\.720 \(0\.700-0\.740\)<\/td>/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('whatever a name contains, it stays text', () => {
  const hostile = `<img src=x onerror="alert('1')">&`;
  const html = renderReport(report(hostile));
  assert.not.match(html, /<img src=x/);
  assert.not.match(html, /onerror="/);
  assert.ok(html.includes('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;'));
});

test('an empty report is still one', () => {
  const html = renderReport({ title: 'Empty', rows: [], evaluations: [], charts: [], log: [], grids: [], config: {}, environment: {} });
  assert.match(html, /<h1>Empty<\/h1>/);
  assert.not.match(html, /undefined|NaN/);
});

test.run();
