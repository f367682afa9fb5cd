/** What of a study is done, what it was begun with, and what it shares. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { Config } from '../../lib/config/schema.js';
import { resolveStudy } from '../../lib/config/study.js';
import { saveRunConfig } from '../../lib/methods/run-folder.js';
import { missingRows, planStudy } from '../../lib/study/plan.js';
import { failure, makeRun, ready, row } from '../support/study.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-study-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

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

test('variants share teacher and generator where theirs are the same', () => {
  const study = resolveStudy({ output: join(folder, 'shared'), datasets: { birds: {} }, variants: { a: {}, b: { rounds: { count: 1 } }, c: { teacher: { training: { steps: 9 } } } }, seeds: [5, 0] });
  const { foundations, units } = planStudy(study);
  const [first, other] = foundations.map(({ name }) => name);
  assert.match(`${first} ${other}`, /^shared\/[0-9a-f]{8} shared\/[0-9a-f]{8}$/);
  assert.is.not(first, other);
  assert.equal(foundations.map(({ config, missing }) => [config.seed, missing]), [[5, ['teacher', 'generator']], [5, ['teacher', 'generator']]]);
  assert.equal(units.map(({ foundation }) => foundation!.name), [first, first, first, first, other, other]);
  assert.ok(units[0].config.teacher.weights!.endsWith(`/shared/${first}/foundation/teacher/teacher.safetensors`));
  assert.equal(planStudy(ready()).foundations, []);
});

test('a foundation has what the rows draw on, of all variants that share it', () => {
  const rolesOf = (methods: string[], base: object = {}) => planStudy(resolveStudy({ output: join(folder, 'roles'), base, datasets: { birds: {} }, methods }));
  const given = { teacher: { weights: 't' }, generator: { weights: 'g' } };
  for (const [methods, base, roles] of [
    [['kd', 'cutmix'], {}, ['teacher']],
    [['kd', 'dad-generator'], {}, ['teacher', 'generator']],
    [['kd', 'dad-online'], {}, ['teacher', 'discretiser']],
    [['config', 'dat'], {}, ['teacher', 'generator', 'discretiser']],
    [['config', 'dad'], given, ['discretiser']],
    [['config', 'adversarial'], given, undefined],
    [['config', 'dad'], { ...given, discretiser: { weights: 'q' } }, undefined],
    [['kd'], { teacher: { weights: 't' } }, undefined],
  ] as const) {
    const { foundations, units: [unit] } = rolesOf([...methods], base);
    assert.equal(foundations[0]?.roles, roles, methods.join());
    for (const role of ['teacher', 'generator', 'discretiser'] as const) assert.is(/shared\/.*\/foundation\//.test(unit.config[role].weights ?? ''), roles?.some((one) => one === role) ?? false, `${methods}: ${role}`);
  }
  const variants = { a: { methods: ['kd'] }, b: { methods: ['dad', 'kd'] }, c: { methods: ['config'] } };
  const { foundations, units } = planStudy(resolveStudy({ output: join(folder, 'roles'), datasets: { birds: {} }, variants, seeds: [0] }));
  assert.equal(foundations.map(({ roles }) => roles), [['teacher', 'generator', 'discretiser']]);
  assert.equal(units.map(({ config }) => [config.generator.weights !== undefined, config.discretiser.weights !== undefined]), [[false, false], [false, true], [true, false]]);
  assert.is(foundations[0].name, rolesOf(['kd']).foundations[0].name, 'whatever the rows');
});

test('a row that joins may draw on what was not there; then it stays as it is', async () => {
  const given = { output: join(folder, 'joining'), base: { teacher: { weights: 't' }, generator: { weights: 'g' } }, datasets: { birds: {} }, seeds: [0] };
  const planned = (methods: string[], discretiser: object = {}) => planStudy(resolveStudy({ ...given, methods, base: { ...given.base, discretiser } }));
  await makeRun(planned(['kd']).units[0], [row('teacher', 1), row('edrm', 0), row('kd', 0.5)]);
  assert.is(planned(['kd']).foundations.length, 0);
  const { foundations, units: [unit] } = planned(['kd', 'dad'], { numCodes: 64 });
  assert.equal([foundations[0].roles, unit.result], [['discretiser'], null]);
  await makeRun(unit, [row('teacher', 1), row('edrm', 0), row('kd', 0.5), row('dad', 0.6)]);
  assert.ok(planned(['kd', 'dad'], { numCodes: 64 }).units[0].result);
  assert.ok(planned(['kd'], { numCodes: 64 }).units[0].result, 'also when the row leaves again');
  assert.match(failure(() => planned(['kd', 'dad'], { weights: 'q' })).message, /discretiser\.\w+: expected/);
});

test('variants and seeds that join in front leave what was begun as it is; another teacher does not', async () => {
  const begun = { output: join(folder, 'joined'), datasets: { birds: {} }, methods: ['config'], variants: { b: {} }, seeds: [0], threads: 2 };
  const { foundations, units } = planStudy(resolveStudy(begun));
  mkdirSync(foundations[0].folder, { recursive: true });
  await saveRunConfig(foundations[0].folder, foundations[0].config);
  await makeRun(units[0], [row('teacher', 1), row('edrm', 0), row('config', 0.9)]);
  const more = planStudy(resolveStudy({ ...begun, variants: { a: { rounds: { count: 1 } }, c: { teacher: { training: { steps: 9 } } }, b: {} }, seeds: [7, 0], threads: 3 }));
  assert.equal(more.units.filter(({ result }) => result).map(({ name }) => name), ['birds/b/seed-0']);
  assert.equal(more.foundations.map(({ name, config }) => [name === foundations[0].name, config.seed, config.threads]), [[true, 0, 2], [false, 7, 3]]);
  const error = failure(() => planStudy(resolveStudy({ ...begun, base: { teacher: { training: { steps: 9 } } } })));
  assert.is(error.code, 'config');
  assert.match(error.message, /joined\/shared\/[0-9a-f]{8}: the config differs from .*: teacher\.training\.steps: expected \d+, found 9\./);
});

test('a foundation of an older version, whose config lacks later keys, is taken all the same', async () => {
  const study = resolveStudy({ output: join(folder, 'older'), datasets: { birds: {} }, seeds: [0] });
  const older = join(folder, 'older/shared/of-old');
  const { precision: _, ...config } = planStudy(study).foundations[0].config;
  mkdirSync(older, { recursive: true });
  await saveRunConfig(older, config as Config);
  assert.equal(planStudy(study).foundations.map(({ name }) => name), ['shared/of-old']);
});

test.run();
