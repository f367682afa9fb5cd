/** The 3x3 convolutions of frozen networks, which run on prepared weights: against ATen's, forward and backward, in fp32 and bf16. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import type { Precision } from '../../lib/native/contract.js';
import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });

type Shape = readonly [batch: number, inputs: number, height: number, width: number];

/** Numbers with a mean of 0.3, as after a SiLU, so that errors do not cancel. */
function values(count: number, purpose: string): Float32Array {
  const random = stream(7, purpose);
  return Float32Array.from({ length: count }, () => random.uniform() * 2 - 0.7);
}

function convolve(shape: Shape, outputs: number, precision: Precision, bias = values(outputs, 'bias') as Float32Array | null) {
  const [batch, inputs, height, width] = shape;
  const options = {
    shape, outputs, precision,
    x: values(batch * inputs * height * width, 'x'),
    weight: values(outputs * inputs * 9, 'weight'),
    bias,
    direction: values(batch * outputs * height * width, 'direction'),
  };
  return engine.run((core) => core.frozenConvolution(options));
}

/** L2, relative. */
function error(found: Float32Array, exact: Float32Array): number {
  let [difference, size] = [0, 0];
  for (const [i, value] of exact.entries()) {
    difference += (found[i]! - value) ** 2;
    size += value ** 2;
  }
  return Math.sqrt(difference / size);
}

const cases: [shape: Shape, outputs: number, inBf16: boolean][] = [
  [[2, 16, 8, 8], 16, true], // whole tiles
  [[3, 32, 7, 14], 48, false], // tiles that reach over the edge; a last panel that is half full; in bf16 too much of them is outside
  [[2, 32, 15, 15], 32, true], // over the edge, both ways
  [[1, 96, 4, 4], 32, true], // one tile
  [[5, 48, 12, 31], 64, true], // more than a block, the last row of products not full
];

for (const [shape, outputs, inBf16] of cases) {
  const name = `${shape.join('x')} to ${outputs}`;

  test(`${name}: in fp32 equal to fp64 to rounding, the gradient too`, async () => {
    const result = await convolve(shape, outputs, 'fp32');
    assert.equal(result.taken, result.available, 'wherever there is a kernel it is used');
    assert.ok(error(result.output, result.exactOutput) < 3e-6, String(error(result.output, result.exactOutput)));
    assert.ok(error(result.gradient, result.exactGradient) < 3e-6, String(error(result.gradient, result.exactGradient)));
    assert.equal(result.unrecorded, result.output);
  });

  test(`${name}: in bf16 no further from fp64 than ATen's`, async () => {
    const result = await convolve(shape, outputs, 'bf16');
    assert.equal(result.taken, inBf16 ? result.available : Float32Array.of(0));
    assert.ok(error(result.output, result.exactOutput) < 1.02 * error(result.plainOutput, result.exactOutput));
    assert.ok(error(result.gradient, result.exactGradient) < 1.02 * error(result.plainGradient, result.exactGradient));
  });
}

test('without a bias', async () => {
  const result = await convolve([2, 16, 8, 8], 32, 'fp32', null);
  assert.ok(error(result.output, result.exactOutput) < 3e-6);
  assert.ok(error(result.gradient, result.exactGradient) < 3e-6);
});

test('an image does not depend on what else is in the batch, nor on the number of threads', async () => {
  const shape: Shape = [6, 32, 8, 8];
  const all = await convolve(shape, 32, 'bf16'), alone = await convolve([1, 32, 8, 8], 32, 'bf16');
  assert.equal(all.output.slice(0, 32 * 64), alone.output);
  await openEngine({ threads: 2, on: 'cpu' });
  const two = await convolve(shape, 32, 'bf16');
  await openEngine({ on: 'cpu' });
  assert.equal(two.output, all.output);
});

test('small or narrow inputs and large weights are left to ATen', async () => {
  for (const [shape, outputs] of [[[1, 3, 8, 8], 16], [[1, 16, 8, 8], 3], [[1, 16, 5, 5], 16], [[1, 512, 4, 4], 512]] as [Shape, number][]) {
    assert.is((await convolve(shape, outputs, 'fp32')).taken[0], 0, shape.join('x'));
  }
});

test.run();
