/**
 * AdamW, SGD and the warm-up + cosine schedule against torch.optim and diffusers. The golden file's clipped case has
 * no counterpart here (test/native/training.test.ts checks clipping on a real step), nor has Nesterov momentum, which
 * is not offered.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { learningRateAt } from '../../lib/training/schedule.js';
import { relativeError, rows } from '../support/numeric.js';
import { readGolden } from '../support/safetensors.js';
import { openEngine } from '../support/tiny.js';

interface OptimiserConfig {
  adamw: { lr: number; betas: [number, number]; weight_decay: number };
  sgd: { lr: number; momentum: number; weight_decay: number };
  warmup_cosine: { num_warmup_steps: number; num_training_steps: number };
}

const { core } = await openEngine();
const { config, tensors } = readGolden<OptimiserConfig>('optimisers');
const floats = (name: string) => tensors[name].values as Float32Array;
const problem = { start: floats('start'), target: floats('target'), scale: floats('curvature') };

async function assertPath(name: 'adamw' | 'sgd', options: { beta1: number; beta2: number; momentum: number }): Promise<void> {
  const expected = rows(floats(`${name}.path`), problem.start.length).slice(1); // without the start
  const { lr, weight_decay: weightDecay } = config[name];
  const learningRates = new Float32Array(expected.length).fill(lr);
  const { values } = await core.optimiserTrajectory({ kind: name, ...options, weightDecay, ...problem, learningRates });
  for (const [i, found] of rows(values, problem.start.length).entries()) {
    assert.ok(relativeError(found, expected[i]) < 1e-5, `step ${i}: ${relativeError(found, expected[i])}`);
  }
}

test('AdamW takes the same steps', async () => {
  const [beta1, beta2] = config.adamw.betas;
  await assertPath('adamw', { beta1, beta2, momentum: 0 });
});

test('SGD with momentum takes the same steps', async () => {
  await assertPath('sgd', { beta1: 0, beta2: 0, momentum: config.sgd.momentum });
});

test('warm-up and cosine', () => {
  const { num_warmup_steps: warmupSteps, num_training_steps: steps } = config.warmup_cosine;
  const expected = tensors.warmup_cosine.values;
  for (let step = 0; step < steps; step++) {
    const found = learningRateAt(step, { steps, learningRate: 1, warmupSteps, schedule: 'cosine' });
    // Diffusers spends its first step on a learning rate of 0; here the warm-up is one step ahead of it.
    const same = step < warmupSteps ? expected[step + 1] : expected[step];
    assert.ok(Math.abs(found - same) < 1e-12, `step ${step}: ${found}, expected ${same}`);
  }
});

test('a constant schedule stays at its peak after the warm-up', () => {
  const options = { steps: 100, learningRate: 0.5, warmupSteps: 4, schedule: 'constant' } as const;
  assert.equal([0, 1, 2, 3, 4, 50, 99].map((step) => learningRateAt(step, options)), [0.125, 0.25, 0.375, 0.5, 0.5, 0.5, 0.5]);
});

test.run();
