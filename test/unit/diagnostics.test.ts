/** The metrics of a round of generation, from records of the store. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { roundDiagnostics } from '../../lib/methods/diagnostics.js';
import { judge } from '../../lib/methods/generation.js';
import type { SampleRecord } from '../../lib/store/record.js';

type Probabilities = [number, number, number];

/** An image of class 1. */
function record(teacher: Probabilities, student: Probabilities, unguided?: [teacher: number, student: number]): SampleRecord {
  const image = {
    label: 1, seed: 0, pixels: new Uint8Array(3), teacherProbabilities: teacher, studentProbabilities: student,
    ...(unguided && { unguided: { teacherProbability: unguided[0], studentProbability: unguided[1] } }),
  };
  return { ...judge(image, { teacherProbability: 0.5, studentWrong: false }), class: 'b', round: 0, settings: '', key: '', shard: '', shardLength: 1, offset: 0, bytes: 1 };
}

function assertClose(found: Record<string, number>, expected: Record<string, number>): void {
  assert.equal(Object.keys(found), Object.keys(expected));
  for (const [key, value] of Object.entries(expected)) assert.ok(Math.abs(found[key] - value) < 1e-12, `${key}: ${found[key]}, expected ${value}`);
}

test('means and shares over the round, and before and after guidance over the images drawn both ways', () => {
  const images = [
    record([0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.6, 0.5]),
    record([0.2, 0.6, 0.2], [0.2, 0.4, 0.4], [0.4, 0.7]), // a tie is not wrong
    record([0.5, 0.4, 0.1], [0, 0.9, 0.1]),
    record([0.3, 0.4, 0.3], [0, 0.1, 0.9]),
  ];
  assertClose(roundDiagnostics(images, 0.7), {
    'generated/teacherProbability': 0.55,
    'generated/studentProbability': 0.4,
    'generated/teacherWrong': 0.25,
    'generated/studentWrong': 0.5,
    'generated/studentWrongOfApproved': 1,
    'generated/kept': 0.5,
    'guidance/teacherBefore': 0.5,
    'guidance/teacherAfter': 0.7,
    'guidance/studentBefore': 0.6,
    'guidance/studentAfter': 0.3,
  });
});

test('without guidance there is nothing to compare', () => {
  const rest = { 'generated/teacherProbability': 1, 'generated/studentProbability': 1, 'generated/teacherWrong': 0, 'generated/studentWrong': 0 };
  const image = record([0, 1, 0], [0, 1, 0]);
  assertClose(roundDiagnostics([image], 0.5), { ...rest, 'generated/studentWrongOfApproved': 0, 'generated/kept': 1 });
  assertClose(roundDiagnostics([image], 1.1), { ...rest, 'generated/kept': 1 });
});

test.run();
