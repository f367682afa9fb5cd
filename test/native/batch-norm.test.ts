/** The fused batch norm of a training step, with and without ReLU, against fp64: no further off than LibTorch's own, and the same bits whatever the threads. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { Precision } from '../../lib/native/contract.js';
import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ threads: 2 });

interface Case {
  name: string;
  /** [B, C, H, W] */
  shape: readonly [number, number, number, number];
  mean?: number;
}

const cases: readonly Case[] = [
  { name: 'a narrow layer, folded', shape: [64, 16, 32, 32] },
  { name: 'a layer of a ResNet', shape: [16, 128, 14, 14] },
  { name: 'more channels than positions', shape: [2, 512, 4, 4] },
  { name: 'odd channels, odd planes', shape: [3, 33, 7, 9] },
  { name: 'narrow with an odd number of positions', shape: [5, 6, 7, 3] },
  { name: 'as many blocks as there may be', shape: [16, 64, 96, 96] },
  { name: 'a mean far from zero', shape: [8, 24, 48, 48], mean: 50 },
];
const quantities = ['output', 'gradient', 'gradient of the weight', 'gradient of the bias', 'running mean', 'running variance', 'number of batches'];

async function compare({ shape, mean = 0 }: Case, setting: { precision: Precision; relu: boolean; channelsLast: boolean }): Promise<void> {
  const { fused, plain, repeated, kernel } = await engine.run((core) => core.batchNormErrors({ shape, mean, ...setting, threads: 1, seed: 1 }));
  assert.is(kernel[0], setting.channelsLast ? 1 : 0, 'the fused kernel');
  assert.is(repeated[0], 1, 'the same bits with one thread');
  assert.is(fused.length, quantities.length);
  for (const [i, what] of quantities.entries()) {
    // Rounding to fp32 after some sums; of output and gradient to bf16 once.
    const floor = setting.precision === 'bf16' && i < 2 ? 0.5 ** 9 : 1e-6 * Math.max(1, mean);
    assert.ok(fused[i] <= Math.max(1.1 * plain[i], floor), `${what}: ${fused[i]}, the plain one ${plain[i]}`);
  }
}

for (const given of cases) {
  for (const precision of ['fp32', 'bf16'] as const) {
    for (const relu of [true, false]) {
      test(`${given.name}: ${given.shape.join(' x ')}, ${precision}${relu ? ', ReLU' : ''}`, () => compare(given, { precision, relu, channelsLast: true }));
    }
  }
}

test('planes one after the other are left to LibTorch', () => compare(cases[3]!, { precision: 'fp32', relu: true, channelsLast: false }));

test('one position in a channel has no variance: an error, not a NaN', async () => {
  const error: any = await engine.run((core) => core.batchNormErrors({ shape: [1, 8, 1, 1], relu: true, precision: 'fp32', channelsLast: true, mean: 0, threads: 1, seed: 1 })).catch((reason) => reason);
  assert.match(error.message, /more than 1 value per channel/);
});

test.run();
