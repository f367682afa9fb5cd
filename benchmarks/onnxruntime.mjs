/** onnxruntime-node, which computes forward only: the network that pytorch.py exports, on the processor in fp32. */
import { createRequire } from 'node:module';

import { images, job, noise, range } from './node-rival.mjs';
import { serve } from './verbs.mjs';

const { InferenceSession, Tensor, env } = createRequire(import.meta.url)('onnxruntime-node');
const { trial } = job;
const session = await InferenceSession.create(job.network, { intraOpNumThreads: job.threads, interOpNumThreads: 1, graphOptimizationLevel: 'all' });

const operations = {
  classify() {
    const { imageSize } = trial.models.teacher;
    const x = new Tensor('uint8', images(), [trial.batch, imageSize, imageSize, 3]);
    return async () => (await session.run({ x })).y.data;
  },

  /** DDIM in JavaScript around the U-Net, as pytorch_operations.py has it. */
  sample() {
    const { unet, schedule, drawSize, clip } = trial.models.denoiser;
    const shape = [trial.batch, unet.channels, drawSize, drawSize];
    const alphaBars = cosineAlphaBars(schedule.trainTimesteps);
    const stride = alphaBars.length / trial.steps;
    const start = noise();
    return async () => {
      let x = start;
      for (let timestep = alphaBars.length - 1; timestep >= 0; timestep -= stride) {
        const timesteps = new Tensor('float32', new Float32Array(trial.batch).fill(timestep), [trial.batch]);
        const { data: v } = (await session.run({ x: new Tensor('float32', x, shape), timesteps })).y;
        const [alpha, sigma] = [Math.sqrt(alphaBars[timestep]), Math.sqrt(1 - alphaBars[timestep])];
        const following = timestep >= stride ? alphaBars[timestep - stride] : 1;
        const [nextAlpha, nextSigma] = [Math.sqrt(following), Math.sqrt(1 - following)];
        const next = new Float32Array(x.length);
        for (let i = 0; i < x.length; ++i) {
          const x0 = Math.min(Math.max(alpha * x[i] - sigma * v[i], -clip), clip);
          next[i] = nextAlpha * x0 + nextSigma * (sigma * x[i] + alpha * v[i]);
        }
        x = next;
      }
      return x.map((value) => Math.round((Math.min(Math.max(value, -1), 1) + 1) * 127.5));
    };
  },
};

/** Of the generators of pixels, which predict v. */
function cosineAlphaBars(count) {
  const alphaBar = (t) => Math.cos(((t + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  let product = 1;
  return range(count).map((i) => (product *= 1 - Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), 0.999)));
}

const once = operations[trial.operation]();
async function run(repeat) {
  let found;
  for (let i = 0; i < repeat; ++i) found = await once();
  return found;
}

await serve(job, { open: () => run, version: env.versions.node });
