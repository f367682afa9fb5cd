/** Studies: their files, what of them is done, how long the rest takes, their statistics and tables. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { overlay } from '../../lib/config/overlay.js';
import { readStudy, resolveStudy, type Study } from '../../lib/config/study.js';
import { SparringError } from '../../lib/errors.js';
import { saveRunConfig } from '../../lib/methods/run-folder.js';
import { estimate } from '../../lib/study/estimate.js';
import { checkFingerprints, fingerprintsOf, saveFingerprints } from '../../lib/study/given-weights.js';
import { missingRows, planStudy, type Unit } from '../../lib/study/plan.js';
import { runTasks, type Task } from '../../lib/study/pool.js';
import { studyRows } from '../../lib/study/results.js';
import { studyCsv, studyMarkdown } from '../../lib/study/table.js';
import { renderStudy } from '../../lib/study/html.js';
import { summarise, type Method, type Row } from '../../lib/report/rows.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function failure(work: () => unknown): SparringError {
  try {
    work();
  } catch (error) {
    if (error instanceof SparringError) return error;
    throw error;
  }
  throw new Error('expected an error, but it succeeded');
}

test('a config is laid over another section by section; lists and other kinds replace', () => {
  const lower = { a: { b: 1, c: [1, 2] }, data: { kind: 'birds', train: 64 }, d: 1 };
  assert.equal(overlay(lower, { a: { c: [3] }, data: { train: 8 } }), { a: { b: 1, c: [3] }, data: { kind: 'birds', train: 8 }, d: 1 });
  assert.equal(overlay(lower, { data: { kind: 'folder', root: 'x' }, d: { e: 1 } }), { ...lower, data: { kind: 'folder', root: 'x' }, d: { e: 1 } });
  assert.equal(lower.data, { kind: 'birds', train: 64 }, 'neither is changed');
});

test('every dataset in every variant is a config; seeds, threads and folders are set by run', () => {
  const study = resolveStudy({
    name: 'two',
    base: { rounds: { count: 2 } },
    datasets: { small: { data: { kind: 'birds', train: 64 } }, large: {} },
    variants: { base: {}, weak: { sampling: { guidance: { kind: 'step', scale: 0.05 } }, methods: ['config'] } },
    methods: ['unguided', 'config'],
    quick: { rounds: { imagesPerRound: 8 } },
  });
  assert.equal(study.cells.map(({ dataset, variant }) => `${dataset}/${variant}`), ['small/base', 'small/weak', 'large/base', 'large/weak']);
  const [base, weak] = study.cells.map(({ config }) => config);
  assert.equal([base.rounds.count, base.rounds.imagesPerRound, base.methods], [2, 300, ['unguided', 'config']]);
  assert.equal(weak.methods, ['config']);
  assert.is((weak.sampling.guidance as { scale: number }).scale, 0.05);
  assert.equal([study.output, study.seeds, study.reference], ['runs/two', [0, 1, 2], 'edrm']);
  const quick = resolveStudy({ datasets: { a: {} }, quick: { rounds: { imagesPerRound: 8 } } }, { quick: true, output: 'x', threads: 3 });
  assert.equal([quick.output, quick.cells[0].config.rounds.imagesPerRound, quick.threads], ['x-quick', 8, 3]);
});

test('what does not fit in a study is told with its place', () => {
  const cases: [unknown, string][] = [
    [{}, 'study.yaml: datasets: expected record, found nothing.'],
    [{ datasets: {} }, 'study.yaml: datasets: expected at least one, found {}.'],
    [{ datasets: { birds: null } }, 'study.yaml: datasets.birds: expected record, found null.'],
    [{ datasets: { 'a/b': {} } }, 'study.yaml: datasets.a/b: Invalid key in record, found {}.'],
    [{ datasets: { birds: {} }, sedes: [1] }, "study.yaml: unknown key 'sedes'."],
    [{ datasets: { birds: {} }, seeds: [1, 1] }, 'study.yaml: seeds: expected each seed once, found [1,1].'],
    [{ datasets: { birds: {} }, methods: ['unguded'] }, 'study.yaml: methods.0: expected one of edrm-longer, '],
    [{ datasets: { birds: { seeds: 3 } } }, 'study.yaml: datasets.birds.seeds: expected no such key, since the study sets it for each run, found 3.'],
    [{ base: { methods: [] }, datasets: { birds: {} } }, 'study.yaml: base.methods: expected no such key'],
    [{ datasets: { birds: {} }, methods: ['config'], reference: 'unguided' }, 'study.yaml: reference: expected one of teacher, edrm, config, found "unguided".'],
    [{ datasets: { birds: { rounds: { cuont: 1 } } } }, "study.yaml, dataset birds, variant base: unknown key 'rounds.cuont'."],
  ];
  for (const [tree, expected] of cases) {
    const error = failure(() => resolveStudy(tree, {}, 'study.yaml'));
    assert.is(error.code, 'config');
    assert.is(error.message.slice(0, expected.length), expected);
  }
  assert.is(failure(() => resolveStudy({ datasets: { birds: {} }, sedes: [1] })).hint, "Did you mean 'seeds'?");
});

test('paths in a study, and in a config that it names, start at the folder of their file', () => {
  mkdirSync(join(folder, 'configs'), { recursive: true });
  writeFileSync(join(folder, 'configs/photos.yaml'), 'name: alone\nseeds: 9\nmethods: [config]\ndata: { kind: folder, root: photos, imageSize: 32 }\n');
  writeFileSync(join(folder, 'study.yaml'), 'base: configs/photos.yaml\ndatasets: { photos: {}, others: { data: { root: others } } }\nquick: { teacher: { weights: t.safetensors } }\n');
  const study = readStudy(join(folder, 'study.yaml'), { quick: true, set: ['seeds=[4]'] });
  assert.equal(study.cells.map(({ config }) => (config.data as { root: string }).root), [join(folder, 'configs/photos'), join(folder, 'others')]);
  assert.equal(study.cells[0].config.teacher.weights, join(folder, 't.safetensors'));
  assert.equal([study.seeds, study.methods.length], [[4], 4], 'what the study says counts, not what the config of a single run says');
  assert.is(failure(() => readStudy(join(folder, 'none.yaml'))).code, 'config');
});

test('the examples are valid, and the birds are sampled as the quickstart does', () => {
  const example = (name: string): Study => readStudy(fileURLToPath(new URL(`../../examples/studies/${name}.yaml`, import.meta.url)));
  const { sampling } = example('birds').cells[0].config;
  assert.equal([sampling.sampler, (sampling.guidance as { until: number }).until], ['dpm-solver++-2m', 0.6]);
  assert.is(example('spuco-mnist').cells.length, 2);
});

/** A study of two seeds whose teacher and generator are ready. */
function ready(given: Record<string, unknown> = {}): Study {
  const base = { teacher: { weights: 't.safetensors' }, generator: { weights: 'g.safetensors' } };
  return resolveStudy({ base, datasets: { birds: {} }, methods: ['unguided', 'config'], seeds: [0, 1], threads: 2, ...given });
}

function row(method: Method, worst: number, seconds = 10): Row {
  return { method, worstGroupAccuracy: summarise([worst]), meanGroupAccuracy: summarise([worst + 0.05]), trainWeightedAccuracy: summarise<number | null>([0.9]), classes: [], gapClosed: summarise<number | null>([null]), generated: 900, trainingSteps: 1920, seconds };
}

/** Writes what a run leaves behind. */
async function makeRun({ folder: run, seed, config }: Unit, rows: readonly Row[]): Promise<void> {
  mkdirSync(run, { recursive: true });
  await saveRunConfig(run, config);
  for (const { method } of rows) {
    mkdirSync(join(run, `seed-${seed}`, method), { recursive: true });
    writeFileSync(join(run, `seed-${seed}`, method, 'result.json'), '{}');
  }
  writeFileSync(join(run, 'result.json'), JSON.stringify({ rows, environment: { cpu: 'c', threads: 2, device: 'cpu', precision: 'fp32', sparring: '1', libtorch: '2', node: '3', date: '2026-01-01' } }));
}

test('a run is done when all its rows are there; a method that joins later is all that is missing', async () => {
  const output = join(folder, 'planned');
  const study = ready({ output });
  const [first] = planStudy(study).units;
  assert.equal(missingRows(first), ['edrm', 'unguided', 'config']);
  await makeRun(first, [row('teacher', 1), row('edrm', 0), row('unguided', 0.1), row('config', 0.9)]);
  assert.equal(planStudy(study).units.map(({ result }) => result !== null), [true, false]);
  const more = planStudy(ready({ output, methods: ['unguided', 'unguided-selected', 'config'] })).units[0];
  assert.is(more.result, null);
  assert.equal(missingRows(more), ['unguided-selected']);
  assert.ok(planStudy(ready({ output, methods: ['config'] })).units[0].result, 'one method fewer: nothing is missing');
});

test('a run that was made with another config is refused with the first difference; other threads are no other config', async () => {
  const output = join(folder, 'changed');
  await makeRun(planStudy(ready({ output })).units[1], [row('teacher', 1)]);
  const error = failure(() => planStudy(ready({ output, datasets: { birds: { rounds: { training: { steps: 5 } } } } })));
  assert.is(error.code, 'config');
  assert.match(error.message, /birds\/base\/seed-1: the config differs from .*: rounds\.training\.steps: expected 640, found 5\./);
  const { units } = planStudy(ready({ output, threads: 7 }));
  assert.equal(units.map(({ config }) => config.threads), [7, 2], 'what was begun keeps its threads');
});

test('weights that are no longer what the study began with are refused', async () => {
  const output = join(folder, 'weighed');
  const weights = join(folder, 'given');
  mkdirSync(output, { recursive: true });
  mkdirSync(weights, { recursive: true });
  writeFileSync(join(weights, 'model.safetensors'), 'a');
  writeFileSync(join(folder, 'g.safetensors'), 'b');
  const study = ready({ output, base: { teacher: { weights }, generator: { weights: join(folder, 'g.safetensors') } } });
  const before = await fingerprintsOf(study);
  assert.equal(Object.keys(before), [weights, join(folder, 'g.safetensors')]);
  assert.is(before[join(folder, 'g.safetensors')], '3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d', 'that of sha256sum');
  checkFingerprints(study, before);
  await saveFingerprints(study, before);
  checkFingerprints(study, await fingerprintsOf(study));
  writeFileSync(join(weights, 'model.safetensors'), 'c');
  const changed = await fingerprintsOf(study);
  const error = failure(() => checkFingerprints(study, changed));
  assert.is(error.code, 'weights');
  assert.match(error.message, /given: expected the weights that the runs in .*weighed were begun with \(SHA-256 \w{12}\.\.\.\), found others/);
  rmSync(weights, { recursive: true });
  const missing: any = await fingerprintsOf(study).catch((reason) => reason);
  assert.equal([missing.code, missing.message.includes('given: no such file or folder')], ['io', true]);
});

test('variants share teacher and generator where theirs are the same', () => {
  const study = resolveStudy({ output: join(folder, 'shared'), datasets: { birds: {} }, variants: { a: {}, b: { rounds: { count: 1 } }, c: { teacher: { training: { steps: 9 } } } }, seeds: [5, 0] });
  const { foundations, units } = planStudy(study);
  assert.equal(foundations.map(({ name, config, done }) => [name, config.seed, done]), [['birds/a/shared', 5, false], ['birds/c/shared', 5, false]]);
  assert.equal(units.map(({ foundation }) => foundation!.name), ['birds/a/shared', 'birds/a/shared', 'birds/a/shared', 'birds/a/shared', 'birds/c/shared', 'birds/c/shared']);
  assert.match(units[0].config.teacher.weights!, /shared\/birds\/a\/shared\/foundation\/teacher\/teacher\.safetensors$/);
  assert.equal(planStudy(ready()).foundations, []);
});

test('the estimate: steps and images times what a probe found, or the seconds of finished runs', async () => {
  const output = join(folder, 'estimated');
  const study = ready({ output, base: { teacher: { weights: 't' }, generator: { training: { steps: 100 } }, student: { training: { steps: 10 } }, rounds: { count: 2, imagesPerRound: 5, training: { steps: 20 } } } });
  const rates = { teacherStep: 0, generatorStep: 0.5, studentStep: 1, roundStep: 2, unguidedImage: 4, guidedImage: 8 };
  // Once 100 x 0.5; each of two seeds 10 x 1, 2 (20 x 2 + 5 x 4) and 2 (20 x 2 + 5 x 8): 50 + 2 x 290.
  assert.equal(await estimate(planStudy(study), 1, async () => rates), { seconds: 630, basis: 'a short probe' });
  assert.equal(await estimate(planStudy(study), 2, async () => rates), { seconds: 315, basis: 'a short probe' });
  const [first] = planStudy(study).units;
  await makeRun(first, [row('teacher', 1), row('edrm', 0, 7), row('unguided', 0.1, 70), row('config', 0.9, 700)]);
  const trained = planStudy(study);
  trained.foundations[0].done = true;
  const refuse = async (): Promise<never> => {
    throw new Error('no probe is needed');
  };
  assert.equal(await estimate(trained, 1, refuse), { seconds: 777, basis: 'finished runs' });
  const done = { foundations: [], units: trained.units.filter(({ result }) => result) };
  assert.equal(await estimate(done, 1, refuse), { seconds: 0, basis: 'nothing to do' });
});

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
  const result = studyRows(study, measured(study, three, ({ method }) => (method === 'unguided' ? { undefined: 'needs | groups', worstGroupAccuracy: nothing, meanGroupAccuracy: nothing } : {})));
  assert.equal(result.differences.map(({ method, reference }) => `${method}-${reference}`), ['teacher-edrm', 'config-edrm', 'config-teacher']);
  assert.match(studyMarkdown('t', result, {}), /\| \+ unguided images +\| +undefined: needs \\\| groups \| +n\/a \|/);
  assert.match(studyCsv(result), /^birds,base,unguided,,worstGroupAccuracy,,,,0 1 2, {2},needs \| groups$/m);
  assert.match(renderStudy({ title: 't', ...result, curves: new Map(), samples: new Map(), facts: {}, study }), /undefined: needs \| groups/);
});

test('the tables: Markdown with the facts, CSV with a line for each measure', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const result = studyRows(study, measured(study, three));
  const markdown = studyMarkdown('Title', result, { command: 'sparring study x', machine: 'm' });
  assert.match(markdown, /^# Title\n\n## birds\n\n\| Method +\| +WGA \|/);
  assert.match(markdown, /\| \+ ConfiG images +\| +0\.900 \[0\.652, 1\.148\] \| +0\.950 \[0\.702, 1\.198\] \| +0\.900 \[0\.900, 0\.900\] \| +n\/a \| +900 \| +1,920 \| +1\.0 \|/);
  assert.match(markdown, /\| \+ ConfiG images +\| Distillation \(EDRM\) +\| \+0\.700 \[\+0\.452, \+0\.948\] \|/);
  assert.match(markdown, /- command: sparring study x\n- machine: m\n$/);
  const lines = studyCsv(result).trimEnd().split('\n');
  assert.is(lines[0], 'dataset,variant,method,minus,measure,mean,low,high,seeds,values,note');
  assert.is(lines.length, 1 + 4 * 7 + 5 * 2);
  assert.ok(lines.every((line) => line.split(',').length === 11));
  assert.match(lines.find((line) => line.startsWith('birds,base,config,edrm,worstGroupAccuracy'))!, /,0\.7\d*,0\.45158\d+,0\.94841\d+,0 1 2,0\.8 0\.6\d* 0\.7/);
});

test('the report: bars with intervals within 0..1, tables, nothing from elsewhere', () => {
  const study = ready({ seeds: [0, 1, 2] });
  const html = renderStudy({
    title: 'Title', command: 'sparring study <x>', ...studyRows(study, measured(study, three)), study, facts: { machine: '<m>' },
    curves: new Map([['birds', [{ title: 'curve', xLabel: 'step', series: [{ name: 'a', points: [[0, 0], [1, 1]] as [number, number][] }] }]]]),
    samples: new Map([['birds', [{ title: 'kept', png: new Uint8Array([1, 2, 3]) }]]]),
  });
  // From 190 to 464: 0.9 at 436.6; its interval from 0.652 on is cut off at 1.
  assert.match(html, /<rect x="190\.0" y="84" width="246\.6" height="18"\/><path d="M368\.5 93\.0H464\.0/);
  for (const part of ['<h2>birds</h2>', 'Worst-group accuracy', 'Differences, paired by seed', '&lt;m&gt;', 'base64,AQID', 'curve']) assert.ok(html.includes(part), part);
  assert.not.match(html, /(src|href)="(?!data:)|undefined|NaN/);
});

test('tasks: so many at a time, each after what it needs, a failure keeps back only what needs it', async () => {
  const events: string[] = [];
  let running = 0;
  let most = 0;
  const task = (name: string, after: Task | null = null, error?: unknown): Task => ({
    name, after,
    run: async () => {
      most = Math.max(most, ++running);
      events.push(`+${name}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      events.push(`-${name}`);
      running--;
      if (error) throw error;
    },
  });
  const [good, bad] = [task('good'), task('bad', null, new SparringError('data', 'x'))];
  const tasks = [good, bad, task('after good', good), task('after bad', bad), task('free')];
  const failures = await runTasks(tasks, 2);
  assert.equal(failures.map(({ task: { name } }) => name), ['bad']);
  assert.is(most, 2);
  assert.ok(events.indexOf('+after good') > events.indexOf('-good'));
  assert.not(events.includes('+after bad'));
  assert.ok(events.includes('-free'));
  events.length = 0;
  const lacking = task('lacking', null, new SparringError('environment', 'no LibTorch'));
  await runTasks([lacking, task('next')], 1);
  assert.equal(events, ['+lacking', '-lacking'], 'what the machine lacks, it lacks for all');
  events.length = 0;
  assert.equal(await runTasks([task('none')], 1, AbortSignal.abort()), []);
  assert.equal(events, []);
});

test.run();
