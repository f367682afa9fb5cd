/** The kernels of 3x3 convolutions by themselves: tiles of either size, and what is left of one at the edges of an image, against ATen in fp64. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });

/** Those of 8 are for bf16, whose rounding has an error of 2e-3. */
const bounds = { 4: 4e-6, 8: 8e-5 } as const;

/** Each height from 1 to 18 with widths of other remainders, of which the second is even where the height is; then images of several blocks of tiles. */
const shapes: (readonly [batch: number, inputs: number, height: number, width: number])[] = [[40, 16, 18, 22], [8, 16, 72, 72]];
for (let height = 1; height <= 18; ++height) {
  shapes.push([2, 32, height, 1 + (height * 7) % 18], [2, 16, height, 1 + (height * 7 + 9) % 18], [3, 16, height, height]);
}

for (const tile of [4, 8] as const) {
  for (const shape of shapes) {
    test(`tiles of ${tile}: images of ${shape.join('x')}`, async () => {
      const { available, errors } = await engine.run((core) => core.winogradErrors({ shape, outputs: 48, tile, seed: shape[2] }));
      if (available[0] === 0) return;
      assert.is(errors.length, shape[2] % 2 === 0 && shape[3] % 2 === 0 ? 4 : 2);
      for (const error of errors) assert.ok(error < bounds[tile], String(error));
    });
  }
}

test.run();
