/** Convolutions in bf16 whose matrices have the images of a batch as rows: against ATen's in fp64, by themselves, in training and in frozen networks. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { environmentReport } from '../../lib/native/environment.js';
import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });
const { avx512_bf16: hasKernels, amx_bf16: hasFaster } = environmentReport().cpu.features;

type Shape = readonly [batch: number, inputs: number, height: number, width: number];
interface Case { shape: Shape; outputs: number; kernel: number; stride: number; padding: number; bias?: boolean }

const quantities = ['output', 'gradient of x', 'gradient of the weight', 'gradient of the bias'];

/** Where networks use the kernels: in training, for its gradient of the weight, frozen. */
type Use = 'trained' | 'weight' | 'frozen';
const strided = { kernel: 3, stride: 2, padding: 1 };
const cases: Record<string, Case & { use: Use[] }> = {
  'two by two outputs': { shape: [16, 64, 4, 4], outputs: 96, ...strided, use: ['trained', 'weight', 'frozen'] },
  'the last layer of a small network': { shape: [64, 128, 4, 4], outputs: 256, ...strided, use: ['trained', 'weight', 'frozen'] },
  'odd sides and an odd batch': { shape: [9, 32, 7, 5], outputs: 40, ...strided, use: ['trained', 'weight', 'frozen'] },
  'half a panel of channels': { shape: [8, 16, 9, 8], outputs: 48, ...strided, use: ['trained'] },
  'channels that fill no vector': { shape: [10, 24, 4, 4], outputs: 8, ...strided, use: ['trained', 'frozen'] },
  'eight channels': { shape: [9, 8, 4, 4], outputs: 88, ...strided, use: ['trained', 'frozen'] },
  'as many pixels as in gradients': { shape: [64, 32, 32, 32], outputs: 32, ...strided, use: ['trained', 'weight'] },
  'one pixel': { shape: [11, 40, 1, 1], outputs: 64, kernel: 3, stride: 1, padding: 1, use: ['trained', 'weight', 'frozen'] },
  'one output of two by two': { shape: [8, 32, 2, 2], outputs: 32, ...strided, use: ['trained', 'weight', 'frozen'] },
  '1x1': { shape: [8, 64, 8, 8], outputs: 40, kernel: 1, stride: 1, padding: 0, use: ['trained', 'weight'] },
  '1x1 of stride 2': { shape: [8, 64, 8, 8], outputs: 128, kernel: 1, stride: 2, padding: 0, use: ['trained', 'weight'] },
  'pixels that no output sees': { shape: [8, 32, 8, 9], outputs: 32, kernel: 2, stride: 4, padding: 0, use: ['trained', 'weight'] },
  'outputs that see no pixel': { shape: [8, 32, 2, 3], outputs: 32, kernel: 1, stride: 1, padding: 1, use: ['trained', 'weight', 'frozen'] },
  'without padding': { shape: [8, 32, 9, 9], outputs: 64, kernel: 3, stride: 2, padding: 0, use: ['trained', 'weight'] },
  'few images': { shape: [3, 64, 4, 4], outputs: 96, ...strided, use: ['frozen'] },
  'one image': { shape: [1, 64, 4, 4], outputs: 96, ...strided, use: ['frozen'] },
  'many filters': { shape: [8, 256, 4, 4], outputs: 512, ...strided, use: ['trained', 'weight'] },
  'without a bias': { shape: [16, 64, 4, 4], outputs: 96, ...strided, bias: false, use: ['trained', 'weight', 'frozen'] },
  'many pixels': { shape: [8, 32, 34, 34], outputs: 32, ...strided, use: [] },
  'channels that are no multiple of eight': { shape: [8, 20, 4, 4], outputs: 96, ...strided, use: [] },
};

for (const [name, { use, bias = true, ...one }] of Object.entries(cases)) {
  const convolved = engine.run((core) => core.batchConvolution({ ...one, bias, seed: 5, threads: 2 }));
  const isUsed = (what: Use) => hasKernels && !hasFaster && use.includes(what);

  test(`${name}: the kernels are as near to fp64 as its rounding`, async () => {
    const { available, kernels, rounded, repeated } = await convolved;
    assert.is(available[0] === 1, hasKernels && one.shape[1] % 8 === 0);
    if (available[0] === 0) return;
    for (const i of [0, 1]) assert.ok(kernels[i]! < 1.02 * rounded[i]!, `${quantities[i]}: ${kernels[i]}, of rounding ${rounded[i]}`);
    assert.ok(kernels[2]! < 1e-5, `the gradient of the weight is not rounded: ${kernels[2]}`);
    assert.equal(repeated, new Float32Array(3), 'two threads give the same');
  });

  test(`${name}: in training no further from fp64 than ATen`, async () => {
    const { trained, own, plain, shared, weightAlone } = await convolved;
    assert.is(trained[0] === 1, isUsed('trained'));
    for (const [i, error] of own.entries()) assert.ok(error < 1.02 * plain[i]!, `${quantities[i]}: ${error}, ATen's ${plain[i]}`);
    for (const [i, error] of shared.entries()) assert.ok(error < 1.5 * plain[i]!, `shared, ${quantities[i]}: ${error}, ATen's ${plain[i]}`);
    assert.is(own[2]! < 0.01 * plain[2]!, isUsed('weight'), `the gradient of the weight is rounded by ATen alone: ${own[2]}, ATen's ${plain[2]}`);
    assert.ok(weightAlone[0]! < 1e-6, `the gradient of the weight where x has none: ${weightAlone[0]}`);
  });

  test(`${name}: in a frozen network as near to fp64 as its rounding`, async () => {
    const { frozen, ownFrozen, rounded, alone } = await convolved;
    assert.is(frozen[0] === 1, isUsed('frozen'));
    if (frozen[0] === 0) return;
    for (const [i, error] of ownFrozen.entries()) assert.ok(error < 1.02 * rounded[i]!, `${quantities[i]}: ${error}, of rounding ${rounded[i]}`);
    assert.equal(alone, new Float32Array(2), 'an image by itself gives the same');
  });
}

test.run();
