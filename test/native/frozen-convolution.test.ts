/**
 * The 3x3 convolutions of frozen networks, which run on prepared weights, with and without upsampling before them: against ATen's, forward and
 * backward, in fp32 and bf16.
 */
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

interface Convolution {
  outputs: number;
  precision: Precision;
  upsamples?: boolean;
  bias?: boolean;
}

function convolve(shape: Shape, { outputs, precision, upsamples = false, bias = true }: Convolution) {
  const [batch, inputs, height, width] = shape;
  const options = {
    shape, outputs, precision, upsamples,
    x: values(batch * inputs * height * width, 'x'),
    weight: values(outputs * inputs * 9, 'weight'),
    bias: bias ? values(outputs, 'bias') : null,
    direction: values(batch * outputs * height * width * (upsamples ? 4 : 1), 'direction'),
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

// Tiles and blocks are those of fp32. In bf16 most are larger; see winograd.test.ts.
const cases: [shape: Shape, outputs: number, inBf16: boolean, upsamples?: boolean][] = [
  [[2, 16, 8, 8], 16, false], // whole tiles; in bf16 too few channels
  [[2, 32, 8, 8], 32, true],
  [[3, 32, 7, 14], 48, true], // tiles of three and of two outputs at the edges; a last panel that is half full
  [[2, 32, 13, 6], 48, true], // of one below, of two beside
  [[3, 32, 14, 17], 32, true], // of two below, of one beside
  [[2, 32, 6, 9], 48, true],
  [[2, 32, 3, 3], 48, false], // in bf16 too few products are saved
  [[2, 16, 5, 3], 32, false], // no whole tiles
  [[3, 16, 2, 2], 16, false],
  [[120, 32, 9, 6], 48, true], // of one below, of two beside, in several blocks
  [[2, 32, 15, 15], 32, true],
  [[120, 32, 6, 7], 32, true], // blocks of 96 of 480 tiles, which begin within each of the four groups of 120
  [[1, 96, 4, 4], 32, true], // one tile
  [[1, 48, 44, 44], 64, true], // blocks of 41, 41 and 39 tiles
  [[1, 512, 8, 12], 512, true], // weights that the cache does not hold
  [[2, 16, 4, 4], 16, false, true], // whole tiles of the larger image
  [[1, 32, 2, 2], 48, true, true], // one tile
  [[2, 32, 3, 4], 32, true, true], // tiles of two outputs below
  [[3, 48, 7, 13], 64, true, true], // both ways
  [[1, 48, 26, 42], 64, true, true], // several blocks, the last of them shorter
  [[60, 32, 3, 5], 32, true, true], // three blocks of 120 of 360 tiles, two of which begin within a group of them
  [[1, 512, 4, 6], 512, true, true],
];

for (const [shape, outputs, inBf16, upsamples = false] of cases) {
  const name = `${upsamples ? 'upsampled ' : ''}${shape.join('x')} to ${outputs}`;

  test(`${name}: in fp32 equal to fp64 to rounding, the gradient too`, async () => {
    const result = await convolve(shape, { outputs, upsamples, precision: 'fp32' });
    assert.equal(result.taken, result.available, 'wherever there is a kernel it is used');
    assert.is(result.output.length, shape[0] * outputs * shape[2] * shape[3] * (upsamples ? 4 : 1));
    assert.ok(error(result.output, result.exactOutput) < 3e-6, String(error(result.output, result.exactOutput)));
    assert.ok(error(result.gradient, result.exactGradient) < 3e-6, String(error(result.gradient, result.exactGradient)));
    assert.equal(result.unrecorded, result.output);
  });

  test(`${name}: in bf16 no further from fp64 than ATen's`, async () => {
    const result = await convolve(shape, { outputs, upsamples, precision: 'bf16' });
    assert.equal(result.taken, inBf16 ? result.available : Float32Array.of(0));
    assert.ok(error(result.output, result.exactOutput) < 1.02 * error(result.plainOutput, result.exactOutput));
    assert.ok(error(result.gradient, result.exactGradient) < 1.02 * error(result.plainGradient, result.exactGradient));
  });
}

for (const upsamples of [false, true]) {
  const name = upsamples ? 'upsampled: ' : '';

  test(`${name}without a bias`, async () => {
    const result = await convolve([2, 16, 8, 8], { outputs: 32, upsamples, precision: 'fp32', bias: false });
    assert.ok(error(result.output, result.exactOutput) < 3e-6);
    assert.ok(error(result.gradient, result.exactGradient) < 3e-6);
  });

  for (const precision of ['fp32', 'bf16'] as const) {
    for (const size of [[8, 8], [7, 6]] as const) {
      test(`${name}an image of ${size.join('x')} does not depend on what else is in the batch, nor on the number of threads, in ${precision}`, async () => {
        const shape: Shape = [6, 32, ...size], convolution: Convolution = { outputs: 32, upsamples, precision };
        const all = await convolve(shape, convolution), alone = await convolve([1, 32, ...size], convolution);
        assert.equal(all.taken, all.available);
        if (all.taken[0] === 0) return; // ATen's may
        assert.equal(all.output.slice(0, alone.output.length), alone.output);
        assert.equal(all.gradient.slice(0, alone.gradient.length), alone.gradient);
        await openEngine({ threads: 2, on: 'cpu' });
        const two = await convolve(shape, convolution);
        await openEngine({ on: 'cpu' });
        assert.equal([two.output, two.gradient], [all.output, all.gradient]);
      });
    }
  }
}

test('small or narrow inputs and large weights are left to ATen', async () => {
  for (const [shape, outputs] of [[[1, 3, 8, 8], 16], [[1, 16, 8, 8], 3], [[1, 16, 1, 2], 16], [[1, 528, 4, 4], 512]] as [Shape, number][]) {
    assert.is((await convolve(shape, { outputs, precision: 'fp32' })).taken[0], 0, shape.join('x'));
  }
});

test.run();
