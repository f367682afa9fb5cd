/** The 3x3 convolutions of networks that are trained: output and gradients against ATen's in fp64, in fp32 and under autocast. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });

type Shape = readonly [batch: number, inputs: number, height: number, width: number];

/** Numbers with a mean of 0.3, as after a ReLU, so that errors do not cancel. */
function values(count: number, purpose: string): Float32Array {
  const random = stream(11, purpose);
  return Float32Array.from({ length: count }, () => random.uniform() * 2 - 0.7);
}

function convolve(shape: Shape, outputs: number, { autocast = false, bias = true } = {}) {
  const [batch, inputs, height, width] = shape;
  return engine.run((core) => core.trainedConvolution({
    shape, outputs, autocast, threads: 2,
    x: values(batch * inputs * height * width, 'x'),
    weight: values(outputs * inputs * 9, 'weight'),
    bias: bias ? values(outputs, 'bias') : null,
    direction: values(batch * outputs * height * width, 'direction'),
  }));
}

const quantities = ['output', 'gradient of x', 'gradient of the weight', 'gradient of the bias'];

// Blocks are those of fp32. In bf16 tiles are larger, and in few blocks; see winograd.test.ts.
const cases: [what: string, shape: Shape, outputs: number][] = [
  ['whole tiles', [4, 32, 16, 16], 32],
  ['too few positions to transform the weights', [2, 32, 8, 8], 48],
  ['the smallest panel', [16, 16, 8, 8], 16],
  ['tiles of three and of two outputs at the edges', [5, 48, 15, 14], 80],
  ['of two both ways', [6, 64, 14, 14], 32],
  ['of one', [6, 32, 13, 17], 48],
  ['no whole tiles', [9, 32, 3, 2], 48],
  ['two blocks of tiles, the second shorter', [1, 32, 100, 100], 64], // 313 and 312, with several sums in each
  ['two blocks with tiles of one and of three outputs', [1, 32, 101, 103], 64],
  ['several groups of outputs and inputs', [1, 160, 8, 8], 288],
  ['several blocks and groups, the last groups half full', [1, 176, 48, 52], 288],
  ['the most weights', [1, 512, 4, 4], 512],
];

for (const [what, shape, outputs] of cases) {
  const name = `${what}: ${shape.join('x')} to ${outputs}`;

  test(`${name}: in fp32 equal to fp64 to rounding`, async () => {
    const { available, taken, own, repeated } = await convolve(shape, outputs);
    assert.equal(taken, available, 'wherever there is a kernel it is used');
    for (const [i, error] of own.entries()) assert.ok(error < 5e-6, `${quantities[i]}: ${error}`);
    if (taken[0] === 1) assert.equal(repeated.subarray(2), new Float32Array(2), 'two threads give the same gradients of the weight and the bias');
  });

  test(`${name}: under autocast no further from fp64 than ATen's`, async () => {
    const { available, taken, own, plain, shared } = await convolve(shape, outputs, { autocast: true });
    assert.equal(taken, available);
    for (const [i, error] of own.entries()) assert.ok(error < 1.02 * plain[i]!, `${quantities[i]}: ${error}, ATen's ${plain[i]}`);
    for (const [i, error] of shared.entries()) assert.ok(error < 1.5 * plain[i]!, `shared, ${quantities[i]}: ${error}, ATen's ${plain[i]}`);
    if (taken[0] === 1) assert.ok(own[2]! < 0.01 * plain[2]!, 'the gradient of the weight is not rounded to bf16');
  });
}

test('without a bias', async () => {
  const { own } = await convolve([4, 32, 16, 16], 32, { bias: false });
  assert.is(own.length, 3);
  for (const error of own) assert.ok(error < 5e-6, String(error));
});

test('the convolution itself is the kernel\'s where there are enough positions for it', async () => {
  for (const [shape, outputs, inFp32, inBf16] of [
    [[4, 32, 16, 16], 32, true, true],
    [[3, 32, 16, 16], 32, false, false], // too few positions
    [[16, 192, 8, 8], 192, true, false], // too few in bf16 for so many weights
    [[32, 192, 8, 8], 192, true, true],
    [[20, 32, 6, 9], 32, true, true],
    [[120, 32, 3, 3], 32, true, false], // in bf16 too few products are saved
    [[7, 32, 1, 2], 32, false, false],
    [[64, 32, 1, 2], 32, false, null], // in bf16, from eight images on, it is that of ops/batch_conv.h
  ] as [Shape, number, boolean, boolean | null][]) {
    for (const [autocast, isKernel] of [[false, inFp32], [true, inBf16]] as const) {
      if (isKernel === null) continue;
      const { available, own, plain } = await convolve(shape, outputs, { autocast });
      assert.is(own[0] !== plain[0], isKernel && available[0] === 1, `${shape.join('x')}, ${autocast ? 'bf16' : 'fp32'}`);
    }
  }
});

test('narrow inputs, the smallest images and large weights are left to ATen', async () => {
  for (const [shape, outputs] of [[[1, 3, 8, 8], 16], [[1, 16, 8, 8], 3], [[40, 16, 1, 2], 32], [[1, 528, 4, 4], 512]] as [Shape, number][]) {
    assert.is((await convolve(shape, outputs)).taken[0], 0, shape.join('x'));
  }
});

test.run();
