/** Noise schedules and samplers against diffusers' schedulers: whole trajectories, from the config files of diffusers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { schedulerConfig } from '../../lib/diffusion/scheduler-config.js';
import type { NoiseScheduleSpec, SamplerSpec } from '../../lib/native/contract.js';
import { normals, relativeError, rows } from '../support/numeric.js';
import { readGolden } from '../support/safetensors.js';
import { failure, openEngine } from '../support/tiny.js';

interface Run {
  /** As diffusers saves it, without the options that have their defaults. */
  scheduler: Record<string, unknown>;
  steps: number;
  eta: number;
  strength: number;
}

const engine = await openEngine();
const { core } = engine;
const { config, tensors } = readGolden<{ runs: Record<string, Run> }>('samplers');
const floats = (name: string) => tensors[name].values as Float32Array;
const noise = floats('noise');
const batch = tensors.noise.shape[0];

/** The model of the golden file: tanh(x / 2 + sin(t / 100)). */
const model = (x: Float32Array, t: number) => x.map((value) => Math.tanh(value / 2 + Math.sin(t / 100)));

for (const [key, { scheduler, steps, eta, strength }] of Object.entries(config.runs)) {
  test(`trajectory ${key}`, async () => {
    const { schedule, prediction, sampler, clip } = schedulerConfig(scheduler, key);
    const expected = rows(floats(`${key}.trajectory`), noise.length), times = floats(`${key}.timesteps`);
    const outputs = Float32Array.from(expected.slice(0, -1).flatMap((x, i) => Array.from(model(x, times[i]))));
    const { timesteps, trajectory } = await core.samplerTrajectory({
      schedule, prediction, clip, sampler: { ...sampler, steps, eta, strength },
      noise, image: strength < 1 ? floats('image') : null, outputs, stepNoise: floats('step_noise'), seeds: new Array(batch).fill(0),
    });
    assert.equal(Array.from(timesteps), Array.from(times));
    for (const [i, x] of rows(trajectory, noise.length).entries()) {
      const error = relativeError(x, expected[i]);
      assert.ok(error < 1e-5, `before step ${i}: ${error}`);
    }
  });
}

for (const [betas, name] of [['linear', 'linear'], ['scaled-linear', 'scaled_linear'], ['cosine', 'squaredcos_cap_v2']] as const) {
  test(`alpha bar at every timestep, ${betas}`, async () => {
    const { schedule } = schedulerConfig(config.runs[`ddim.${name}.epsilon.leading`].scheduler, name);
    const { alphasCumprod } = await core.noiseSchedule(schedule);
    const expected = floats(`alphas_cumprod.${name}`);
    assert.ok(relativeError(alphasCumprod, expected) < 1e-6);
    // Noise amplitudes alone: at the noisy end alpha bar is too small to count in the norm above.
    const amplitude = (values: ArrayLike<number>) => Array.from(values, Math.sqrt).slice(900);
    assert.ok(relativeError(amplitude(alphasCumprod), amplitude(expected)) < 1e-5);
  });
}

const schedule: NoiseScheduleSpec = { trainTimesteps: 1000, betas: 'cosine', betaStart: 1e-4, betaEnd: 0.02, setAlphaToOne: true, stepsOffset: 0 };
const run = (sampler: Partial<SamplerSpec>, more: { seeds?: number[]; schedule?: Partial<NoiseScheduleSpec>; prediction?: 'epsilon' | 'v' | 'x0' } = {}) => {
  const spec: SamplerSpec = { kind: 'ddim', steps: 4, spacing: 'trailing', eta: 0, variance: 'fixed-small', strength: 1, ...sampler };
  const taken = Math.floor(Math.min(spec.steps, 1000) * spec.strength);
  return engine.run((core) => core.samplerTrajectory({
    schedule: { ...schedule, ...more.schedule }, sampler: spec, prediction: more.prediction ?? 'v', clip: 0, noise, image: null,
    outputs: normals(5, taken * noise.length), stepNoise: null, seeds: more.seeds ?? [40, 41],
  }));
};

test('noise within steps depends on the seed of the image and the step alone', async () => {
  const both = await run({ kind: 'ddpm' });
  const again = await run({ kind: 'ddpm' });
  assert.equal(again.trajectory, both.trajectory);
  const other = await run({ kind: 'ddpm' }, { seeds: [40, 99] });
  const half = noise.length / batch;
  for (const [i, x] of rows(other.trajectory, noise.length).entries()) {
    const expected = rows(both.trajectory, noise.length)[i];
    assert.equal(x.slice(0, half), expected.slice(0, half));
    if (i > 0) assert.not.equal(x.slice(half), expected.slice(half));
  }
});

test('DDIM leads back to what its inversion started from, when the network says the same both ways', async () => {
  const epsilon = normals(6, noise.length);
  const steps = 25;
  const outputs = Float32Array.from({ length: steps * noise.length }, (_, i) => epsilon[i % noise.length]);
  const options = { schedule: { ...schedule, betas: 'scaled-linear' as const }, prediction: 'epsilon' as const, clip: 0, image: null, outputs, stepNoise: null, seeds: new Array(batch).fill(0) };
  const sampler: SamplerSpec = { kind: 'ddim-inversion', steps, spacing: 'leading', eta: 0, variance: 'fixed-small', strength: 1 };
  const inverted = await core.samplerTrajectory({ ...options, sampler, noise });
  const returned = await core.samplerTrajectory({ ...options, sampler: { ...sampler, kind: 'ddim' }, noise: rows(inverted.trajectory, noise.length).at(-1)! });
  assert.ok(relativeError(rows(returned.trajectory, noise.length).at(-1)!, noise) < 1e-5);
});

test('impossible runs are refused', async () => {
  const refusals: [() => Promise<unknown>, RegExp][] = [
    [() => run({ steps: 0 }), /strength leave no step/],
    [() => run({ steps: 3, strength: 0.1 }), /leave no step/],
    [() => run({ steps: 1001 }), /timesteps below 1000, found 1001 steps/],
    [() => run({ steps: 2 ** 52 }), /found 4503599627370496 steps/],
    [() => run({ steps: 1000, spacing: 'leading' }, { schedule: { stepsOffset: 1 } }), /timesteps below 1000, found 1000 steps/],
    [() => run({ eta: 1.5 }), /eta must be from 0 to 1/],
    [() => run({ strength: 0 }), /strength must be above 0/],
    [() => run({ kind: 'ddim-inversion', spacing: 'linspace' }), /leading or trailing/],
    [() => run({ kind: 'ddim-inversion' }, { prediction: 'x0' }), /says nothing of the noise/],
    [() => run({ kind: 'heun' as 'euler' }), /kind: expected one of ddim, .*, found 'heun'/],
    [() => run({}, { schedule: { betaEnd: 2 } }), /betas between 0 and 1/],
  ];
  for (const [work, message] of refusals) assert.match((await failure(work, 'usage')).message, message);
});

test.run();
