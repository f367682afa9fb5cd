/** How long the rest of a study takes. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { estimate } from '../../lib/study/estimate.js';
import { missingRows, planStudy } from '../../lib/study/plan.js';
import { guidedSeconds, probedGuidance, type Rates } from '../../lib/study/probe.js';
import { makeRun, ready, row } from '../support/study.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const rates: Rates = { teacherStep: 0, generatorStep: 0.5, discretiserStep: 0.25, nullTextImage: 0, adversary: 0.1, generatorAdversary: 0.2, trainImages: 100, classes: 2, corruptions: 0, studentStep: 1, roundStep: 2, unguidedImage: 4, guidedImage: 8, undefinedRows: [] };
const base = { teacher: { weights: 't' }, generator: { training: { steps: 100 } }, student: { training: { steps: 10 } }, rounds: { count: 2, imagesPerRound: 5, training: { steps: 20 } } };
const refuse = async (): Promise<never> => {
  throw new Error('no probe is needed');
};

test('the estimate: steps and images times what a probe found, or the seconds of finished runs', async () => {
  const study = ready({ output: join(folder, 'estimated'), base });
  // Once 100 x 0.5, which all runs wait for; each of two seeds 10 x 1, 2 (20 x 2 + 5 x 4) and 2 (20 x 2 + 5 x 8): 290.
  assert.equal(await estimate(planStudy(study), 1, async () => rates), { rows: 6, seconds: 50 + 2 * 290, basis: 'a short probe' });
  assert.equal(await estimate(planStudy(study), 2, async () => rates), { rows: 6, seconds: 50 + 290, basis: 'a short probe' });
  const [first] = planStudy(study).units;
  await makeRun(first, [row('teacher', 1), row('edrm', 0, 7), row('unguided', 0.1, 70), row('config', 0.9, 700)]);
  const trained = planStudy(study);
  trained.foundations[0].missing = [];
  assert.equal(await estimate(trained, 1, refuse), { rows: 3, seconds: 777, basis: 'finished runs' });
  const done = { foundations: planStudy(study).foundations, units: trained.units.filter(({ result }) => result) };
  assert.equal(await estimate(done, 1, refuse), { rows: 0, seconds: 0, basis: 'nothing to do' });
});

test('what a row trains beside its rounds counts, and the three views of AugMix', async () => {
  const secondsOf = async (methods: string[], policy = 'none'): Promise<number> => {
    const training = { ...base.rounds.training, augment: { policy } };
    const study = ready({ output: join(folder, 'rows'), base: { ...base, generator: { weights: 'g' }, rounds: { ...base.rounds, training } }, methods, reference: 'edrm', seeds: [0] });
    return (await estimate(planStudy(study), 1, async () => rates)).seconds - 10;
  };
  assert.is(await secondsOf(['edrm-longer']), 80);
  assert.is(await secondsOf(['erm']), 10 + 80, 'the student that it begins with');
  assert.is(await secondsOf(['tab']), 10 + 80, 'its helper');
  assert.is(await secondsOf(['jtt']), 80);
  assert.is(await secondsOf(['augmix']), 3 * 80);
  // The step that was probed has three views then.
  assert.is(await secondsOf(['augmix'], 'augmix'), 80);
  assert.is(Math.round(3 * (await secondsOf(['randaugment'], 'augmix'))), 80);
});

test('discretisers, the adversaries of a run once for all its rows and those of each step, null text and corruptions count', async () => {
  const given = { output: join(folder, 'adversaries'), base: { ...base, generator: { weights: 'g' }, discretiser: { weights: 'q' } }, reference: 'edrm', seeds: [0] };
  const secondsOf = async (methods: string[], more: object = {}, found: Partial<Rates> = {}): Promise<number> =>
    (await estimate(planStudy(ready({ ...given, methods, base: { ...given.base, ...more } })), 1, async () => ({ ...rates, ...found }))).seconds - 10;
  const close = (found: number, expected: number, message?: string): void => assert.ok(Math.abs(found - expected) < 1e-6, `${message}: ${found}, not ${expected}`);
  close(await secondsOf(['dad']), 2 * 80 + 100 * 0.1, 'dad: as many adversaries as images');
  close(await secondsOf(['dad', 'ard']), 4 * 80 + 100 * 0.1, 'one pass for both');
  close(await secondsOf(['dad', 'dad-noise']), 2 * (2 * 80 + 100 * 0.1), 'another pass');
  const store = join(folder, 'given');
  mkdirSync(join(store, 'generators'), { recursive: true });
  writeFileSync(join(store, 'generators/0123456789ab.json'), '{"variant":"adversarial"}');
  const withStore = { dad: { stores: [store] } };
  close(await secondsOf(['dad', 'dad-noise'], withStore), 4 * 80 + 100 * 0.1, 'one is given');
  close(await secondsOf(['dad-generator']), 2 * 80 + 100 * 0.2, 'through the generator');
  close(await secondsOf(['dad-online']), 2 * 80 + 40 * 64 * 0.1, 'a batch in each step');
  close(await secondsOf(['dat-dad']), 100 * 0.1 + 3 * 80 + 40 * 64 * 0.1, 'dat-dad');
  close(await secondsOf(['dad'], { discretiser: { training: { steps: 8 } } }), 8 * 0.25 + 2 * 80 + 100 * 0.1, 'trained');
  close(await secondsOf(['kd'], { discretiser: { training: { steps: 8 } } }), 80, 'not drawn on');
  close(await secondsOf(['kd'], { evaluation: { corruptions: true } }, { corruptions: 50 }), 80 + 3 * 50, 'teacher, edrm and kd');
  close(await secondsOf(['config-dad']), (1 + 0.25) * 80 + 10 * 8 + 100 * 0.1, 'beside the real images alone');
  close(await secondsOf(['unguided'], { rounds: { ...base.rounds, imagesFor: 'class' } }), 80 + 2 * 5 * 2 * 4, 'for each of two classes');
  close(await secondsOf(['unguided', 'sdedit'], {}, { nullTextImage: 3 }), 2 * (80 + 10 * (4 + 0)) + 10 * 3, 'null text where the row starts as configured');
});

test('of finished runs the adversaries count once too', async () => {
  const study = ready({ output: join(folder, 'finished-adversaries'), base: { ...base, generator: { weights: 'g' }, discretiser: { weights: 'q' } }, methods: ['dad', 'ard'], reference: 'edrm' });
  const [first] = planStudy(study).units;
  await makeRun(first, [row('teacher', 1), row('edrm', 0, 7), row('ard', 0.1, 70), row('dad', 0.9, 50)]);
  mkdirSync(join(first.folder, 'dad/adversarial'), { recursive: true });
  writeFileSync(join(first.folder, 'dad/adversarial/result.json'), '{"seconds":30}');
  assert.is((await estimate(planStudy(study), 1, refuse)).seconds, 7 + 40 + 20 + 30);
});

test('a variant that draws on what another leaves alone is probed by itself', async () => {
  const study = ready({ output: join(folder, 'variants'), variants: { a: { methods: ['kd'] }, b: { methods: ['dad', 'kd'] }, c: { methods: ['cutmix'] }, d: { methods: ['dat'] } }, reference: 'edrm', seeds: [0, 1] });
  const probed: string[][] = [];
  await estimate(planStudy(study), 1, async ({ config }) => (probed.push(config.methods), rates));
  assert.equal(probed, [['dad', 'kd'], ['kd']]);
});

test('rows that the data leave undefined are none to be made, as a finished run says or a probe', async () => {
  const study = ready({ output: join(folder, 'undefined'), methods: ['dfr', 'config'] });
  const said = await estimate(planStudy(study), 1, async () => ({ ...rates, undefinedRows: ['dfr'] }));
  assert.is(said.rows, 4);
  const [first, second] = planStudy(study).units;
  const rows = [row('teacher', 1), row('edrm', 0, 7), row('config', 0.9, 70)];
  await makeRun(first, rows);
  writeFileSync(join(first.folder, 'result.json'), JSON.stringify({ rows: [...rows, { ...row('dfr', 0, 0), undefined: 'needs a split' }], environment: {} }));
  assert.equal(await estimate(planStudy(study), 1, refuse), { rows: 2, seconds: 77, basis: 'finished runs' });
  // A row that joins leaves no run done; what is known stays known.
  const more = planStudy(ready({ output: study.output, methods: ['dfr', 'config', 'unguided'] }));
  assert.equal(more.units.map(({ result }) => result), [null, null]);
  assert.equal(missingRows(more.units[0]), ['unguided']);
  assert.is((await estimate(more, 1, async () => rates)).rows, 1 + 3);
  // Of other data nothing is known.
  assert.equal(missingRows(second), ['edrm', 'dfr', 'config']);
});

test('an image is guided in its share of the steps, or so many times through the chain', () => {
  const { sampling } = ready().cells[0].config;
  const step = { ...sampling.guidance, kind: 'step', from: 0.9, until: 0.4 } as Extract<typeof sampling.guidance, { kind: 'step' }>;
  assert.equal([(probedGuidance(step) as typeof step).from, (probedGuidance(step) as typeof step).until], [1, 0]);
  assert.is(guidedSeconds(step, 10, 30), 20);
  assert.is(guidedSeconds(step, 10, 9), 10, 'guidance costs nothing less than nothing');
  const { sampling: { guidance: chain } } = resolveConfig({ sampling: { guidance: { kind: 'chain', iterations: 20, lastPredictions: 3 } } });
  assert.equal(probedGuidance(chain), { ...chain, iterations: 1, lastPredictions: 2 }, 'a probe takes two steps');
  assert.is(guidedSeconds(chain, 10, 30), 410);
});

test.run();
