/** Convolutions in bf16 whose matrices have the images of a batch as rows: against ATen's in fp64, by themselves, in training and in frozen networks. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });
/** Where ATen has not the faster AMX. */
const hasKernels = (() => {
  const flags = process.arch === 'x64' ? new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]!.trim().split(/\s+/)) : new Set();
  return flags.has('avx512_bf16') && !flags.has('amx_bf16');
})();

type Shape = readonly [batch: number, inputs: number, height: number, width: number];
interface Case { shape: Shape; outputs: number; kernel: number; stride: number; padding: number; bias?: boolean }

const convolve = ({ bias = true, ...one }: Case) => engine.run((core) => core.batchConvolution({ ...one, bias, seed: 5, threads: 2 }));

const quantities = ['output', 'gradient of x', 'gradient of the weight', 'gradient of the bias'];

const strided = { kernel: 3, stride: 2, padding: 1 };
const cases: Record<string, Case & { trained: boolean; frozen: boolean }> = {
  'two by two outputs': { shape: [16, 64, 4, 4], outputs: 96, ...strided, trained: true, frozen: true },
  'the last layer of a small network': { shape: [64, 128, 4, 4], outputs: 256, ...strided, trained: true, frozen: true },
  'odd sides and an odd batch': { shape: [9, 32, 7, 5], outputs: 40, ...strided, trained: true, frozen: true },
  'half a panel of channels': { shape: [8, 16, 9, 8], outputs: 48, ...strided, trained: true, frozen: false },
  'channels that fill no vector': { shape: [10, 24, 4, 4], outputs: 8, ...strided, trained: true, frozen: true },
  'as many pixels as in gradients': { shape: [8, 32, 32, 32], outputs: 32, ...strided, trained: true, frozen: false },
  'one pixel': { shape: [11, 40, 1, 1], outputs: 64, kernel: 3, stride: 1, padding: 1, trained: true, frozen: true },
  'one output of two by two': { shape: [8, 32, 2, 2], outputs: 32, ...strided, trained: true, frozen: true },
  '1x1 of stride 2': { shape: [8, 64, 8, 8], outputs: 128, kernel: 1, stride: 2, padding: 0, trained: true, frozen: false },
  'pixels that no output sees': { shape: [8, 32, 8, 9], outputs: 32, kernel: 2, stride: 4, padding: 0, trained: true, frozen: false },
  'without padding': { shape: [8, 32, 9, 9], outputs: 64, kernel: 3, stride: 2, padding: 0, trained: true, frozen: false },
  'few images': { shape: [3, 64, 4, 4], outputs: 96, ...strided, trained: false, frozen: true },
  'many weights': { shape: [8, 256, 4, 4], outputs: 512, ...strided, trained: true, frozen: false },
  'without a bias': { shape: [16, 64, 4, 4], outputs: 96, ...strided, bias: false, trained: true, frozen: true },
  'many pixels': { shape: [8, 32, 34, 34], outputs: 32, ...strided, trained: false, frozen: false },
  'channels that are no multiple of eight': { shape: [8, 20, 4, 4], outputs: 96, ...strided, trained: false, frozen: false },
};

for (const [name, { trained, frozen, ...one }] of Object.entries(cases)) {
  test(`${name}: as near to fp64 as the rounding of the result`, async () => {
    const found = await convolve(one);
    const expectUse = hasKernels && one.shape[1] % 8 === 0;
    assert.is(found.available[0], expectUse ? 1 : 0, 'whether there are kernels');
    assert.is(found.trained[0], trained && expectUse ? 1 : 0, 'in training');
    assert.is(found.frozen[0], frozen && expectUse ? 1 : 0, 'in a frozen network');
    if (expectUse) {
      for (const i of [0, 1]) assert.ok(found.kernels[i]! < 1.02 * found.rounded[i]!, `${quantities[i]}: ${found.kernels[i]}, of rounding ${found.rounded[i]}`);
      assert.ok(found.kernels[2]! < 5e-6, `the gradient of the weight is not rounded: ${found.kernels[2]}`);
      assert.equal(found.repeated, new Float32Array(3), 'two threads give the same');
      if (frozen) assert.equal(found.alone, new Float32Array(2), 'an image by itself gives the same');
    }
    for (const [i, error] of found.own.entries()) assert.ok(error < 1.02 * found.plain[i]!, `in training, ${quantities[i]}: ${error}, ATen's ${found.plain[i]}`);
    for (const [i, error] of found.ownFrozen.entries()) assert.ok(error < 1.02 * found.plainFrozen[i]!, `frozen, ${quantities[i]}: ${error}, ATen's ${found.plainFrozen[i]}`);
  });
}

test.run();
