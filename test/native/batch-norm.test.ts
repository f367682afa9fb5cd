/** The fused batch norm of a training step, with and without ReLU, against fp64: no further off than LibTorch's own, and the same bits whatever the threads. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ threads: 2 });

/** [B, C, H, W] */
const cases: readonly { name: string; shape: readonly [number, number, number, number]; mean?: number }[] = [
  { name: 'a narrow layer, folded', shape: [64, 16, 32, 32] },
  { name: 'a layer of a ResNet', shape: [16, 128, 14, 14] },
  { name: 'more channels than positions', shape: [2, 512, 4, 4] },
  { name: 'odd channels, odd planes', shape: [3, 33, 7, 9] },
  { name: 'narrow with an odd number of positions', shape: [5, 6, 7, 3] },
  { name: 'two positions', shape: [2, 40, 1, 1] },
  { name: 'a mean far from zero', shape: [8, 24, 48, 48], mean: 50 },
];
const quantities = ['output', 'gradient', 'gradient of the weight', 'gradient of the bias', 'running mean', 'running variance'];

for (const { name, shape, mean = 0 } of cases) {
  for (const precision of ['fp32', 'bf16'] as const) {
    for (const relu of [true, false]) {
      test(`${name}: ${shape.join(' x ')}, ${precision}${relu ? ', ReLU' : ''}`, async () => {
        const { fused, plain, repeated, kernel } = await engine.run((core) => core.batchNormErrors({ shape, relu, precision, mean, threads: 1, seed: 1 }));
        assert.is(kernel[0], 1, 'the fused kernel');
        assert.is(repeated[0], 1, 'the same bits with one thread');
        assert.is(fused.length, quantities.length);
        const floor = precision === 'fp32' ? 1e-6 * Math.max(1, mean) : 0.5 ** 9; // rounding to fp32 after some sums, to bf16 once
        for (const [i, what] of quantities.entries()) assert.ok(fused[i] <= Math.max(1.1 * plain[i], floor), `${what}: ${fused[i]}, the plain one ${plain[i]}`);
      });
    }
  }
}

test.run();
