/** How long the rest of a study takes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

const rates: Rates = { teacherStep: 0, generatorStep: 0.5, studentStep: 1, roundStep: 2, unguidedImage: 4, guidedImage: 8, undefinedRows: [] };
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
  trained.foundations[0].done = true;
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
