/** The confidence objective: its four forms, whole and each term alone, against the formulas in double precision. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { ObjectiveOptions } from '../../lib/native/contract.js';
import { logSoftmax, normals, relativeError } from '../support/numeric.js';
import { openEngine } from '../support/tiny.js';

const { core } = await openEngine();
const batch = 6, k = 4;
const classes = [0, 1, 2, 3, 2, 1];
const teacherLogits = normals(1, batch * k).map((value) => 2 * value);
const studentLogits = normals(2, batch * k).map((value) => 2 * value);

type Term = (probability: number, gamma: number) => number;
const formulas: Record<ObjectiveOptions['form'], { teacher: Term; student: Term }> = {
  difference: { teacher: (t) => t, student: (f) => -f },
  power_max: { teacher: (t, gamma) => t ** gamma, student: (f, gamma) => (1 - f) ** gamma },
  power_min: { teacher: (t, gamma) => -((1 - t) ** gamma), student: (f, gamma) => -(f ** gamma) },
  log: { teacher: (t) => Math.log(t), student: (f) => -Math.log(f) },
};
const forms: Pick<ObjectiveOptions, 'form' | 'gamma'>[] = [
  { form: 'difference', gamma: 1 },
  { form: 'log', gamma: 1 },
  ...[0.5, 1, 2, 3].flatMap((gamma) => [{ form: 'power_max' as const, gamma }, { form: 'power_min' as const, gamma }]),
];
const cases = forms.flatMap((form) => (['both', 'teacher', 'student'] as const).map((terms): ObjectiveOptions => ({ ...form, terms })));

/** Scores, [batch]. */
function expectedScores(teacher: ArrayLike<number>, student: ArrayLike<number>, { form, gamma, terms }: ObjectiveOptions): number[] {
  const probability = (logits: ArrayLike<number>, row: number) =>
    Math.exp(logSoftmax(Array.from(logits).slice(row * k, (row + 1) * k))[classes[row]]);
  const ofTeacher = (row: number) => (terms === 'student' ? 0 : formulas[form].teacher(probability(teacher, row), gamma));
  const ofStudent = (row: number) => (terms === 'teacher' ? 0 : formulas[form].student(probability(student, row), gamma));
  return classes.map((_, row) => ofTeacher(row) + ofStudent(row));
}

/** Central differences of the sum of the scores with respect to each logit. */
function finiteDifferences(logits: Float32Array, score: (logits: Float64Array) => number[]): Float64Array {
  const step = 1e-5;
  const total = (changed: Float64Array) => score(changed).reduce((sum, value) => sum + value, 0);
  return Float64Array.from(logits, (_, i) => {
    const [above, below] = [step, -step].map((change) => {
      const changed = Float64Array.from(logits);
      changed[i] += change;
      return total(changed);
    });
    return (above - below) / (2 * step);
  });
}

for (const objective of cases) {
  const form = objective.form.startsWith('power') ? `${objective.form} with gamma ${objective.gamma}` : objective.form;
  const name = objective.terms === 'both' ? form : `${form}, ${objective.terms} alone`;

  test(`${name}: scores and gradients`, async () => {
    const found = await core.objectiveGradient({ teacherLogits, studentLogits, classes, objective });
    const scores = expectedScores(teacherLogits, studentLogits, objective);
    assert.ok(relativeError(found.score, scores) < 1e-5, `score: ${relativeError(found.score, scores)}`);
    const check = (network: 'teacher' | 'student', gradient: Float32Array, expected: Float64Array): void => {
      const leftOut = objective.terms !== 'both' && objective.terms !== network;
      if (leftOut) assert.ok(gradient.every((value) => value === 0), `${network} has no say`);
      else assert.ok(relativeError(gradient, expected) < 1e-5, `${network}: ${relativeError(gradient, expected)}`);
    };
    check('teacher', found.teacherGradient, finiteDifferences(teacherLogits, (logits) => expectedScores(logits, studentLogits, objective)));
    check('student', found.studentGradient, finiteDifferences(studentLogits, (logits) => expectedScores(teacherLogits, logits, objective)));
  });

  test(`${name}: saturated probabilities stay finite`, async () => {
    // Every pairing of certain, impossible and undecided; exp of the larger logits overflows.
    const extremes = [200, -200, 0, 1e4, -1e4, 30];
    const pairs = extremes.flatMap((teacher) => extremes.map((student) => [teacher, student]));
    const logits = (side: 0 | 1) => Float32Array.from(pairs.flatMap((pair) => [pair[side], 0]));
    const found = await core.objectiveGradient({ teacherLogits: logits(0), studentLogits: logits(1), classes: pairs.map(() => 0), objective });
    for (const [field, values] of Object.entries(found)) assert.ok(values.every(Number.isFinite), `${field}: ${values}`);
    const best = pairs.findIndex(([teacher, student]) => teacher === 1e4 && student === -1e4);
    assert.is(found.score[best], Math.max(...found.score), 'a sure teacher and a student sure of the opposite score best');
  });
}

test('power forms with gamma 1 are the difference up to a constant', async () => {
  const at = (form: ObjectiveOptions['form']) => core.objectiveGradient({ teacherLogits, studentLogits, classes, objective: { form, gamma: 1, terms: 'both' } });
  const difference = await at('difference');
  for (const [form, constant] of [['power_max', 1], ['power_min', -1]] as const) {
    const power = await at(form);
    power.score.forEach((score, i) => assert.ok(Math.abs(score - constant - difference.score[i]) < 1e-6));
    assert.ok(relativeError(power.teacherGradient, difference.teacherGradient) < 1e-6);
    assert.ok(relativeError(power.studentGradient, difference.studentGradient) < 1e-6);
  }
});

test.run();
