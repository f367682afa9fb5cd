/** The file of a study: configs laid over one another, what does not fit, paths, the examples. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { overlay } from '../../lib/config/overlay.js';
import { readStudy, resolveStudy, type Study } from '../../lib/config/study.js';
import { failure } from '../support/study.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

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
    [{ datasets: { 'a/b': {} } }, 'study.yaml: datasets: expected letters, digits, . _ -, and not . or .. alone, in a name, found "a/b".'],
    [{ datasets: { '..': {} } }, 'study.yaml: datasets: expected letters, digits, . _ -, and not . or .. alone, in a name, found "..".'],
    [{ datasets: { birds: {} }, variants: { '.': {} } }, 'study.yaml: variants: expected letters, digits, . _ -, and not . or .. alone, in a name, found ".".'],
    [{ name: '..', datasets: { birds: {} } }, 'study.yaml: name: expected letters, digits, . _ -, and not . or .. alone, found "..".'],
    [{ datasets: { birds: {} }, methods: ['erm', 'kd', 'erm'] }, 'study.yaml: methods: expected each row once, found ["erm","kd","erm"].'],
    [{ datasets: { birds: { methods: ['erm', 'erm'] } } }, 'study.yaml, dataset birds, variant base: methods: expected each row once, found ["erm","erm"].'],
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
  assert.equal(resolveStudy({ datasets: { 'a..b': {}, '...': {}, '.c': {} } }).cells.map(({ dataset }) => dataset), ['a..b', '...', '.c'], 'dots within a name are fine');
  assert.is(failure(() => resolveStudy({ datasets: { birds: {} }, sedes: [1] })).hint, "Did you mean 'seeds'?");
});

test('paths in a study, and in a config that it names, start at the folder of their file', () => {
  mkdirSync(join(folder, 'configs'), { recursive: true });
  writeFileSync(join(folder, 'configs/photos.yaml'), 'name: alone\nseeds: 9\nmethods: [config]\ndata: { kind: folder, root: photos, imageSize: 32 }\n');
  writeFileSync(join(folder, 'study.yaml'), 'base: configs/photos.yaml\ndatasets: { photos: {}, others: { data: { root: others }, dad: { stores: [made] } } }\nquick: { teacher: { weights: t.safetensors }, discretiser: { weights: q.safetensors } }\n');
  const study = readStudy(join(folder, 'study.yaml'), { quick: true, set: ['seeds=[4]'] });
  assert.equal(study.cells.map(({ config }) => (config.data as { root: string }).root), [join(folder, 'configs/photos'), join(folder, 'others')]);
  assert.equal(study.cells[0].config.teacher.weights, join(folder, 't.safetensors'));
  assert.equal(study.cells[1].config.dad.stores, [join(folder, 'made')]);
  assert.equal([study.seeds, study.methods.length], [[4], 4], 'what the study says counts, not what the config of a single run says');
  assert.is(failure(() => readStudy(join(folder, 'none.yaml'))).code, 'config');
});

test('the examples are valid, and the birds are sampled as the quickstart does', () => {
  const example = (name: string, options: { quick?: boolean } = {}): Study => readStudy(fileURLToPath(new URL(`../../examples/studies/${name}.yaml`, import.meta.url)), options);
  const { sampling } = example('birds').cells[0].config;
  assert.equal([sampling.sampler, (sampling.guidance as { until: number }).until], ['dpm-solver++-2m', 0.6]);
  const [mnist] = example('spuco-mnist').cells;
  assert.equal([mnist.config.data.kind, mnist.config.rounds.count, mnist.config.methods.length], ['spuco-mnist', 6, 21]);
  assert.is(example('birds-ablations').cells.length, 16);
  const [dad] = example('birds-dad').cells;
  assert.ok(dad.config.evaluation.corruptions && dad.config.methods.includes('erm'), 'to which mCE is relative');
  const [clothing] = example('clothing-dad').cells;
  assert.ok(clothing.config.evaluation.corruptions && clothing.config.methods.length === 11);
  assert.equal([clothing.config.teacher.architecture, clothing.config.generator.blockChannels], [{ family: 'cnn', width: 32, stages: 6 }, [32, 64, 96, 128]], 'the networks are those of the foundation');
  const [small] = example('clothing-dad', { quick: true }).cells;
  assert.equal([small.config.teacher.architecture, small.config.generator.blockChannels, small.config.rounds.count], [{ family: 'cnn', width: 24, stages: 6 }, [16, 32, 64, 96], 3]);
  for (const name of ['birds', 'spuco-mnist', 'birds-ablations', 'birds-dad', 'photographs']) example(name, { quick: true });
  const photographs = example('photographs').cells.map(({ config }) => config);
  assert.equal(photographs.map((config) => config.methods.includes('cutmix')), [true, false]);
  assert.equal(photographs[0].generator.blockChannels, [16, 32, 64, 96], 'the networks are those of the foundation');
});

test.run();
