/** Noise schedule and DDIM against diffusers' DDIMScheduler, whole trajectories. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { relativeError, rows } from '../support/numeric.js';
import { readGolden } from '../support/safetensors.js';
import { openEngine } from '../support/tiny.js';

const { core } = await openEngine();
const { tensors } = readGolden('ddim');
const start = tensors.start.values as Float32Array;

test('alpha bar at every timestep', async () => {
  const { alphasCumprod } = await core.noiseSchedule({ steps: 10, spacing: 'trailing' });
  const expected = tensors.alphas_cumprod.values;
  assert.ok(relativeError(alphasCumprod, expected) < 1e-6);
  // Noise amplitudes alone: at the noisy end alpha bar is too small to count in the norm above.
  const amplitude = (values: ArrayLike<number>) => Array.from(values, Math.sqrt).slice(900);
  assert.ok(relativeError(amplitude(alphasCumprod), amplitude(expected)) < 1e-5);
});

for (const spacing of ['trailing', 'leading'] as const) {
  for (const clip of [true, false]) {
    for (const steps of [10, 20]) {
      const key = `${spacing}.${clip ? 'clip' : 'free'}.${steps}`;

      test(`trajectory ${key}`, async () => {
        const { timesteps } = await core.noiseSchedule({ steps, spacing });
        assert.equal(Array.from(timesteps), Array.from(tensors[`${key}.timesteps`].values));
        const trajectory = rows(tensors[`${key}.trajectory`].values as Float32Array, start.length);
        let x: Float32Array = start;
        for (const [i, timestep] of timesteps.entries()) {
          const v = x.map((value) => 0.3 * value + 0.1 * Math.sin(timestep / 100)); // the model of the golden file
          ({ x } = await core.ddimStep({ x, v, timestep, steps, clip }));
          const error = relativeError(x, trajectory[i + 1]);
          assert.ok(error < 1e-5, `after step ${i}: ${error}`);
        }
      });
    }
  }
}

test.run();
