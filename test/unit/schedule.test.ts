import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { learningRateAt } from '../../lib/training/schedule.js';

const cosine = { steps: 100, learningRate: 0.5, warmupSteps: 10, schedule: 'cosine' as const };

test('the warm-up rises linearly and reaches the peak in its last step', () => {
  assert.is(learningRateAt(0, cosine), 0.05);
  assert.is(learningRateAt(4, cosine), 0.25);
  assert.is(learningRateAt(9, cosine), 0.5);
});

test('the cosine starts at the peak, is half way at half time and falls to 0', () => {
  assert.is(learningRateAt(10, cosine), 0.5);
  assert.ok(Math.abs(learningRateAt(55, cosine) - 0.25) < 1e-12);
  assert.ok(learningRateAt(99, cosine) > 0 && learningRateAt(99, cosine) < 1e-3);
  assert.ok(learningRateAt(100, cosine) < 1e-12);
});

test('it never rises after the warm-up', () => {
  for (let step = 10; step < 120; step++) assert.ok(learningRateAt(step + 1, cosine) <= learningRateAt(step, cosine), `step ${step}`);
});

test('beyond the last step it stays at 0', () => {
  assert.ok(learningRateAt(1000, cosine) < 1e-12);
});

test('constant stays at the peak for ever', () => {
  const constant = { ...cosine, schedule: 'constant' as const };
  assert.is(learningRateAt(4, constant), 0.25);
  for (const step of [10, 99, 1000]) assert.is(learningRateAt(step, constant), 0.5);
});

test('without a warm-up the first step has the peak', () => {
  assert.is(learningRateAt(0, { ...cosine, warmupSteps: 0 }), 0.5);
});

test('a warm-up as long as the training never divides by zero', () => {
  const all = { ...cosine, steps: 10 };
  for (let step = 0; step < 20; step++) assert.ok(Number.isFinite(learningRateAt(step, all)), `step ${step}`);
});

test.run();
