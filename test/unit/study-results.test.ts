/** Statistics of a study, and its tables and report. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { Study } from '../../lib/config/study.js';
import type { Method, Row } from '../../lib/report/rows.js';
import { renderStudy } from '../../lib/study/html.js';
import type { Unit } from '../../lib/study/plan.js';
import { studyRows } from '../../lib/study/results.js';
import { studyCsv, studyMarkdown } from '../../lib/study/table.js';
import { ready, row } from '../support/study.js';

/** Units of seeds 0, 1, 2 with the given worst-group accuracies. */
function measured(study: Study, accuracies: Partial<Record<Method, number[]>>, change: (row: Row, seed: number) => object = () => ({})): Unit[] {
  return study.seeds.map((seed) => ({
    name: '', folder: '', dataset: 'birds', variant: 'base', seed, config: study.cells[0].config, foundation: null,
    result: { rows: Object.entries(accuracies).map(([method, values]) => { const one = row(method as Method, values[seed], seed); return { ...one, ...change(one, seed) }; }), environment: {} as never },
  }));
}

const three = { teacher: [1, 1, 1], edrm: [0.1, 0.2, 0.3], unguided: [0.1, 0.2, 0.3], config: [0.9, 0.8, 1] };

function close(found: readonly (number | null)[] | null, expected: readonly number[]): void {
  assert.ok(found && found.length === expected.length && found.every((value, place) => value !== null && Math.abs(value - expected[place]) < 1e-6), `${found} is not ${expected}`);
}

test('means with Student\'s interval, and differences paired by seed, as computed by hand', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const { rows, differences } = studyRows(study, measured(study, three));
  assert.equal(rows.map(({ method }) => method), ['teacher', 'edrm', 'unguided', 'config']);
  const edrm = rows[1].worstGroupAccuracy;
  // Standard deviation 0.1, t of two degrees of freedom 4.3026527: 0.2 -+ 4.3026527 x 0.1 / sqrt(3).
  close([edrm.mean], [0.2]);
  close(edrm.interval, [0.2 - 0.2484138, 0.2 + 0.2484138]);
  assert.equal([rows[1].seconds, rows[1].seeds], [1, [0, 1, 2]]);
  assert.equal(rows[1].gapClosed, { mean: null, interval: null, values: [null, null, null] });
  assert.equal(differences.map(({ method, reference }) => `${method}-${reference}`), ['teacher-edrm', 'unguided-edrm', 'config-edrm', 'config-teacher', 'config-unguided']);
  // 0.8, 0.6, 0.7: the spread of the differences, not that of either row.
  const config = differences[2].worstGroupAccuracy;
  close(config.values, [0.8, 0.6, 0.7]);
  close([config.mean], [0.7]);
  close(config.interval, [0.7 - 0.2484138, 0.7 + 0.2484138]);
  assert.equal(studyRows({ ...study, reference: 'config' }, measured(study, three)).differences.length, 3, 'each pair once');
});

test('the teacher, which all seeds share, has no interval; its distance from the students has one', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const result = studyRows(study, measured(study, three));
  const [teacher] = result.rows;
  assert.equal(teacher.worstGroupAccuracy, { mean: 1, interval: null, values: [1, 1, 1] });
  assert.equal([teacher.meanGroupAccuracy.interval, teacher.trainWeightedAccuracy.interval], [null, null]);
  close(result.differences[0].worstGroupAccuracy.interval, [0.8 - 0.2484138, 0.8 + 0.2484138]);
  const markdown = studyMarkdown('t', result, {});
  assert.match(markdown, /\| Teacher +\| +1\.000 \| +\[0\.980, 1\.010\] \| +1\.050 \|/);
  const note = /^.*Intervals are over the seeds of the students, given this teacher, generator, training and test data/m;
  assert.match(markdown, note);
  assert.match(renderStudy({ title: 't', ...result, curves: new Map(), samples: new Map(), facts: {}, study }), note);
});

test('a method of several variants is compared with itself in the first of them, seed by seed', () => {
  const study = ready({ seeds: [0, 1, 2], variants: { plain: { methods: ['config'] }, half: { methods: ['unguided', 'config'] }, weak: {} } });
  const units = ['plain', 'half', 'weak'].flatMap((variant, place) => measured(study, { ...three, config: [0.9 - 0.1 * place, 0.8, 1 - 0.2 * place] }).map((unit) => ({ ...unit, variant })));
  units[4].result = null; // seed 1 of `half`
  const across = studyRows(study, units).differences.filter(({ variant, referenceVariant }) => variant !== referenceVariant);
  assert.equal(across.map(({ variant, method, referenceVariant, seeds }) => [variant, method, referenceVariant, seeds]), [
    ['half', 'edrm', 'plain', [0, 2]], ['half', 'config', 'plain', [0, 2]],
    ['weak', 'edrm', 'plain', [0, 1, 2]], ['weak', 'unguided', 'half', [0, 2]], ['weak', 'config', 'plain', [0, 1, 2]],
  ]);
  assert.ok(across.every(({ method, reference }) => method === reference));
  close(across[1].worstGroupAccuracy.values, [-0.1, -0.2]);
  close(across[4].worstGroupAccuracy.values, [-0.2, 0, -0.4]);
  // Standard deviation 0.2: twice that of the rows above.
  close(across[4].worstGroupAccuracy.interval, [-0.2 - 0.4968276, -0.2 + 0.4968276]);
  const result = studyRows(study, units);
  assert.match(studyMarkdown('t', result, {}), /## birds, weak\n.*\| \+ ConfiG images +\| the same in plain +\| -0\.200 \[-0\.697, \+0\.297\] \|/s);
  assert.match(studyCsv(result), /^birds,weak,config,config,plain,worstGroupAccuracy,-0\.2\d*,-0\.69682\d+,0\.29682\d+,0 1 2,/m);
  assert.match(renderStudy({ title: 't', ...result, curves: new Map(), samples: new Map(), facts: {}, study }), /<td>the same in plain<\/td>/);
});

test('seeds that are missing are left out, one seed has no interval', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const units = measured(study, three);
  units[1].result = null;
  const { rows, differences } = studyRows(study, units);
  assert.equal([rows[1].seeds, rows[1].worstGroupAccuracy.values], [[0, 2], [0.1, 0.3]]);
  close(differences[2].worstGroupAccuracy.values, [0.8, 0.7]);
  units[0].result = null;
  assert.equal(studyRows(study, units).rows[3].worstGroupAccuracy, { mean: 1, interval: null, values: [1] });
  units[2].result = null;
  assert.equal(studyRows(study, units), { rows: [], differences: [] });
});

test('a row that is undefined on the data shows the reason and takes part in no difference', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const nothing = { mean: null, values: [null] };
  const result = studyRows(study, measured(study, three, ({ method }) => (method === 'unguided' ? { undefined: 'needs | groups', worstGroupAccuracy: nothing, meanGroupAccuracy: nothing, worstGroupIntervals: undefined } : {})));
  assert.equal(result.differences.map(({ method, reference }) => `${method}-${reference}`), ['teacher-edrm', 'config-edrm', 'config-teacher']);
  assert.match(studyMarkdown('t', result, {}), /\| \+ unguided images +\| +undefined \| +n\/a \| +n\/a \|.*\n\n\+ unguided images is undefined on these data: it needs \| groups\.\n/s);
  assert.match(studyCsv(result), /^birds,base,unguided,,,worstGroupAccuracy,,,,0 1 2, {2},needs \| groups$/m);
  assert.match(renderStudy({ title: 't', ...result, curves: new Map(), samples: new Map(), facts: {}, study }), /<p class=\"note\">\+ unguided images is undefined on these data: it needs \| groups\.<\/p>/);
});

test('the tables: Markdown with the facts, CSV with a line for each measure', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const result = studyRows(study, measured(study, three));
  const markdown = studyMarkdown('Title', result, { command: 'sparring study x', machine: 'm' });
  assert.match(markdown, /^# Title\n\n## birds\n\n\| Method +\| +WGA \|/);
  assert.match(markdown, /\| \+ ConfiG images +\| +0\.900 \[0\.652, 1\.148\] \| +\[0\.880, 0\.910\] \| +0\.950 \[0\.702, 1\.198\] \| +0\.900 \[0\.900, 0\.900\] \| +0\.800 \[0\.800, 0\.800\] \| +n\/a \| +900 \| +1,920 \| +1\.0 \|/);
  assert.match(markdown, /\| \+ ConfiG images +\| Distillation \(EDRM\) +\| \+0\.700 \[\+0\.452, \+0\.948\] \|/);
  assert.match(markdown, /- command: sparring study x\n- machine: m\n$/);
  const lines = studyCsv(result).trimEnd().split('\n');
  assert.is(lines[0], 'dataset,variant,method,minus,minusVariant,measure,mean,low,high,seeds,values,note');
  assert.is(lines.length, 1 + 4 * 9 + 5 * 2);
  assert.match(lines.find((line) => line.startsWith('birds,base,config,,,worstGroupInterval'))!, /worstGroupInterval,,0\.88\d*,0\.91\d*,0 1 2,,$/);
  assert.ok(lines.every((line) => line.split(',').length === 12));
  assert.match(lines.find((line) => line.startsWith('birds,base,config,edrm,base,worstGroupAccuracy'))!, /,0\.7\d*,0\.45158\d+,0\.94841\d+,0 1 2,0\.8 0\.6\d* 0\.7/);
});

test('seconds by image: made and trained on, where they were measured', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const cost = ({ method }: Row, seed: number): object => (method === 'teacher' ? {} : { cost: { imagesMade: method === 'config' ? 500 : 0, makingSeconds: 10 * seed, trainingImages: 4000, trainingSeconds: 6 } });
  const result = studyRows(study, measured(study, three, cost));
  const markdown = studyMarkdown('t', result, {});
  assert.match(markdown, /\| Seconds \| s \/ 1,000 made \| s \/ 1,000 trained on \|/);
  assert.match(markdown, /\| \+ ConfiG images .*\| +20\.000 \| +1\.500 \|/); // 10 s on average for 500
  assert.match(markdown, /\| \+ unguided images .*\| +n\/a \| +1\.500 \|/);
  assert.match(markdown, /\| Teacher .*\| +n\/a \| +n\/a \|/);
  assert.match(studyCsv(result), /^birds,base,config,,,makingSeconds,10,,,0 1 2,,$/m);
  const some = studyRows(study, measured(study, three, (row, seed) => (seed === 1 ? {} : cost(row, seed))));
  assert.is(some.rows[3].cost, undefined, 'one seed is not known');
  assert.not.match(studyMarkdown('t', some, {}), /1,000/);
});

test('steps of rows that begin with a student of their own are explained, where there are such rows', () => {
  const study = ready({ methods: ['erm', 'dad-labels', 'kd'] });
  const rows = { teacher: [1, 1], edrm: [0.1, 0.2], erm: [0.1, 0.2], 'dad-labels': [0.1, 0.2], kd: [0.1, 0.2] };
  const result = studyRows(study, measured(study, rows, ({ method }) => (method === 'dad-labels' ? { undefined: 'needs x' } : {})));
  const note = /Steps of Labels alone, no teacher include those of the student that the row starts from/;
  assert.match(studyMarkdown('t', result, {}), note);
  assert.match(renderStudy({ title: 't', ...result, curves: new Map(), samples: new Map(), facts: {}, study }), note);
  assert.not.match(studyMarkdown('t', studyRows(ready(), measured(ready(), three)), {}), /Steps of/);
});

test('accuracy is that of all test images; a run of a version that did not write it shows n/a', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const units = measured(study, three, (_, seed) => ({ accuracy: { mean: 0.7 + 0.1 * seed, values: [0.7 + 0.1 * seed] } }));
  const whole = studyRows(study, units);
  // 0.7, 0.8, 0.9: the spread of 0.1 has the half width of the first test.
  close(whole.rows[3].accuracy.interval, [0.8 - 0.2484138, 0.8 + 0.2484138]);
  assert.match(studyMarkdown('t', whole, {}), /\| +Train-weighted \| +Accuracy \|/);
  assert.match(studyCsv(whole), /^birds,base,config,,,accuracy,0\.(8|79)\d*,0\.55158\d+,1\.04841\d+,0 1 2,0\.7 /m);
  delete units[1].result!.rows[3].accuracy;
  const lacking = studyRows(study, units);
  assert.equal([lacking.rows[3].accuracy.mean, lacking.rows[3].accuracy.values[1]], [null, null]);
  assert.match(studyMarkdown('t', lacking, {}), /\| \+ ConfiG images .*\| +0\.900 \[0\.900, 0\.900\] \| +n\/a \|/);
});

test('the report: bars with intervals within 0..1, tables, nothing from elsewhere', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const html = renderStudy({
    title: 'Title', command: 'sparring study <x>', ...studyRows(study, measured(study, three)), study, facts: { machine: '<m>' },
    curves: new Map([['birds', [{ title: 'curve', xLabel: 'step', series: [{ name: 'a', points: [[0, 0], [1, 1]] as [number, number][] }] }]]]),
    samples: new Map([['birds', [{ title: 'kept', png: new Uint8Array([1, 2, 3]) }]]]),
  });
  // From 210 to 464: 0.9 at 438.6; its interval from 0.652 on is cut off at 1.
  assert.match(html, /<rect x="210\.0" y="84" width="228\.6" height="18"\/><path d="M375\.5 93\.0H464\.0/);
  for (const part of ['<h2>birds</h2>', 'Worst-group accuracy', 'Differences, paired by seed', '&lt;m&gt;', 'base64,AQID', 'curve']) assert.ok(html.includes(part), part);
  assert.not.match(html, /(src|href)="(?!data:)|undefined|NaN/);
});

test.run();
