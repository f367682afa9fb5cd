/** Operations on pictures against Pillow and timm, AugMix's consistency loss against PyTorch. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { relativeError } from '../support/numeric.js';
import { openEngine } from '../support/tiny.js';

interface Case {
  name: string;
  source: [number, number];
  size: number;
  op: string;
  value: number;
  fill: number;
  expected: [number, number];
}

const goldens = new URL('goldens/', import.meta.url);
const { operations, consistency }: { operations: Case[]; consistency: { views: number; classes: number; logits: number[]; loss: number; gradient: number[] } } = JSON.parse(
  readFileSync(new URL('views.json', goldens), 'utf8'),
);
const blob = readFileSync(new URL('views.bin', goldens));
const { core } = await openEngine();

for (const op of new Set(operations.map(({ op }) => op))) {
  test(`${op} gives the pixels of Pillow, each one exactly`, async () => {
    for (const { name, source, expected, ...options } of operations.filter((one) => one.op === op)) {
      const { pixels } = await core.pictureOp(blob.subarray(...source), options);
      assert.equal(Array.from(pixels), Array.from(blob.subarray(...expected)), name);
    }
  });
}

test('the consistency loss and its gradient are those of PyTorch', async () => {
  const { loss, gradient } = await core.consistencyGradient({ ...consistency, logits: Float32Array.from(consistency.logits) });
  assert.ok(Math.abs(loss[0]! / consistency.loss - 1) < 1e-5, `${loss[0]}, expected ${consistency.loss}`);
  assert.ok(relativeError(gradient, consistency.gradient) < 1e-5, `gradient off by ${relativeError(gradient, consistency.gradient)}`);
});

test.run();
