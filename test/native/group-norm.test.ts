/** The fused group norm, with and without SiLU, against fp64: no further off than LibTorch's own, and the same bits each time. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { Precision } from '../../lib/native/contract.js';
import { findAddon } from '../../lib/native/load.js';
import { device, openEngine } from '../support/tiny.js';

const engine = await openEngine({ threads: 2 });

interface Case {
  name: string;
  /** [B, C, H, W] */
  shape: readonly [number, number, number, number];
  groups: number;
  mean?: number;
}

const cases: readonly Case[] = [
  { name: 'groups of 10 channels, as in a U-Net', shape: [1, 320, 16, 16], groups: 32 },
  { name: 'the same in a batch', shape: [16, 320, 8, 8], groups: 32 },
  { name: 'groups of 40 channels', shape: [2, 1280, 8, 8], groups: 32 },
  { name: 'odd channels per group, odd planes', shape: [3, 33, 7, 9], groups: 11 },
  { name: 'channels that are no multiple of 16 bytes', shape: [2, 36, 13, 11], groups: 12 },
  { name: 'one group', shape: [1, 48, 64, 64], groups: 1 },
  { name: 'a group per channel', shape: [2, 64, 20, 20], groups: 64 },
  { name: 'one position', shape: [4, 64, 1, 1], groups: 8 },
  { name: 'many small samples', shape: [300, 32, 4, 4], groups: 8 },
  { name: 'a plane for several blocks', shape: [1, 128, 96, 97], groups: 32 },
  { name: 'the same without 16-byte loads', shape: [1, 33, 130, 31], groups: 3 },
  { name: 'a mean far from zero', shape: [1, 64, 96, 96], groups: 8, mean: 50 },
  ...(device.startsWith('cuda')
    ? [
        { name: 'the last planes of a decoder at 512 px', shape: [1, 128, 512, 512], groups: 32 } as const,
        { name: 'a U-Net at 512 px, batch 16', shape: [16, 320, 64, 64], groups: 32 } as const,
      ]
    : []),
];

const [small, half] = [1e-6, 0.5 ** 9]; // rounding to fp32 after some sums, to bf16 once

/** Whether a fused kernel is there: always on the CPU, on a GPU where its library is loaded. */
const fuses = !device.startsWith('cuda') || findAddon().loader.kernels().loaded;

interface Setting {
  precision: Precision;
  /** Of weight and bias. */
  weights: Precision;
  silu: boolean;
  strided: boolean;
}

async function compare({ shape, groups, mean = 0 }: Case, setting: Setting): Promise<void> {
  const floor = setting.precision === 'fp32' ? small * Math.max(1, mean) : half;
  for (const weightGradients of [true, false]) {
    const { fused, plain, repeated, kernel } = await engine.run((core) => core.groupNormErrors({ device, shape, groups, mean, ...setting, weightGradients, seed: 1 }));
    assert.is(kernel[0], fuses ? 1 : 0, 'the fused kernel');
    assert.is(fused.length, weightGradients ? 4 : 2);
    assert.is(repeated[0], 1, 'the same bits');
    for (const [i, what] of ['output', 'gradient', 'gradient of the weight', 'gradient of the bias'].slice(0, fused.length).entries()) {
      assert.ok(fused[i] <= Math.max(1.1 * plain[i], floor), `${what}: ${fused[i]}, the plain one ${plain[i]}`);
    }
  }
}

for (const given of cases) {
  for (const precision of ['fp32', 'bf16'] as const) {
    for (const silu of [true, false]) {
      test(`${given.name}: ${given.shape.join(' x ')}, ${precision}${silu ? ', SiLU' : ''}`, () => compare(given, { precision, weights: precision, silu, strided: false }));
    }
  }
}

for (const given of cases.slice(0, 4)) {
  test(`${given.name}: fp32 weights under bf16 activations`, () => compare(given, { precision: 'bf16', weights: 'fp32', silu: true, strided: false }));
  test(`${given.name}: weights that are not contiguous`, () => compare(given, { precision: 'fp32', weights: 'fp32', silu: true, strided: true }));
}

test.run();
