/** Depthwise convolutions in bf16, those that are computed in fp32 too: against ATen's in fp64. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });

function values(count: number, purpose: string): Float32Array {
  const random = stream(13, purpose);
  return Float32Array.from({ length: count }, () => random.uniform() * 2 - 0.7);
}

function convolve(kernel: number, stride: number) {
  const shape = [3, 24, 9, 14] as const;
  return engine.run((core) => core.depthwiseConvolution({
    shape, kernel, stride,
    x: values(3 * 24 * 9 * 14, 'x'),
    weight: values(24 * kernel * kernel, 'weight'),
    direction: values(3 * 24 * Math.ceil(9 / stride) * Math.ceil(14 / stride), 'direction'),
  }));
}

for (const [kernel, stride, inFp32] of [[3, 1, false], [3, 2, true], [5, 1, true], [5, 2, true], [7, 1, true]] as const) {
  test(`${kernel}x${kernel} with a stride of ${stride}: no further from fp64 than ATen's`, async () => {
    const { own, plain } = await convolve(kernel, stride);
    assert.is(own.length, 3);
    for (const [i, error] of own.entries()) assert.ok(error < 0.01 && error < 1.05 * plain[i]!, `${i}: ${error}, ATen's ${plain[i]}`);
    if (!inFp32) assert.equal(own, plain, 'left to ATen');
  });
}

test.run();
