/** The kernels of 3x3 convolutions by themselves: tiles of either size, and what is left of one at the edges of an image, against ATen in fp64. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openEngine } from '../support/tiny.js';

const engine = await openEngine({ on: 'cpu' });

/** Those of 8 are for bf16, whose rounding has an error of 2e-3. */
const bounds = { 4: 4e-6, 8: 8e-5 } as const;

for (const tile of [4, 8] as const) {
  for (let height = 1; height <= 18; ++height) {
    const width = 1 + (height * 7) % 18; // each from 1 to 18 once
    for (const shape of [[2, 32, height, width], [3, 16, height, height]] as const) {
      test(`tiles of ${tile}: images of ${shape.join('x')}`, async () => {
        const { available, errors } = await engine.run((core) => core.winogradErrors({ shape, outputs: 48, tile, seed: height }));
        if (available[0] === 0) return;
        assert.is(errors.length, shape[2] % 2 === 0 && shape[3] % 2 === 0 ? 4 : 2);
        for (const error of errors) assert.ok(error < bounds[tile], String(error));
      });
    }
  }
}

test.run();
