/** Convolutions of frozen networks on weights in oneDNN's own order, of any stride and transposed ones: against ATen's, forward and backward. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });
const bf16 = engine.core.info().cpuBf16;

type Shape = readonly [batch: number, inputs: number, height: number, width: number];
interface Case { shape: Shape; outputs: number; kernel: number; stride?: number; padding: number; transposed?: boolean; bias?: boolean }

const convolve = ({ shape, outputs, kernel, stride = 1, padding, transposed = false, bias = true }: Case, precision: 'fp32' | 'bf16') =>
  engine.run((core) => core.packedConvolution({ shape, outputs, kernel, stride, padding, transposed, bias, precision, seed: 3 }));

const cases: Record<string, Case> = {
  '3x3': { shape: [2, 192, 6, 5], outputs: 176, kernel: 3, padding: 1 },
  '3x3 of one position': { shape: [2, 176, 1, 1], outputs: 176, kernel: 3, padding: 1 },
  '3x3 of stride 2, even and odd sides': { shape: [2, 192, 8, 7], outputs: 176, kernel: 3, stride: 2, padding: 1 },
  '3x3 of stride 2 without padding': { shape: [2, 192, 9, 9], outputs: 176, kernel: 3, stride: 2, padding: 0 },
  '1x1': { shape: [2, 512, 4, 4], outputs: 528, kernel: 1, padding: 0 },
  '1x1 of stride 2': { shape: [2, 512, 5, 4], outputs: 528, kernel: 1, stride: 2, padding: 0 },
  '4x4 transposed, as upsampling is merged': { shape: [2, 144, 4, 5], outputs: 128, kernel: 4, stride: 2, padding: 1, transposed: true },
  'without a bias': { shape: [1, 192, 4, 4], outputs: 176, kernel: 3, padding: 1, bias: false },
};

for (const [name, one] of Object.entries(cases)) {
  for (const precision of ['fp32', 'bf16'] as const) {
    test(`${name}: in ${precision} as near to fp64 as ATen's`, async () => {
      if (precision === 'bf16' && !bf16) return;
      const result = await convolve(one, precision);
      assert.is(result.taken[0], 1);
      for (const [i, error] of result.own.entries()) assert.ok(error < (precision === 'fp32' ? 2e-6 : 1.02 * result.plain[i]), `${error}, ATen's ${result.plain[i]}`);
      for (const key of ['unrecorded', 'resized', 'alone'] as const) {
        for (const error of result[key]) assert.ok(error < (precision === 'fp32' ? 2e-6 : 1e-3), `${key}: ${error}`);
      }
    });
  }
}

test('few weights and many positions are left to ATen', async () => {
  assert.is((await convolve({ shape: [1, 64, 4, 4], outputs: 64, kernel: 3, padding: 1 }, 'fp32')).taken[0], 0);
  assert.is((await convolve({ shape: [1, 176, 17, 17], outputs: 176, kernel: 3, padding: 1 }, 'fp32')).taken[0], 0);
});

test.run();
