/** How long the rest of a study takes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { estimate } from '../../lib/study/estimate.js';
import { planStudy } from '../../lib/study/plan.js';
import { makeRun, ready, row } from '../support/study.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

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

test.run();
