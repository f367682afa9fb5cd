/**
 * Our side: one measurement in its own process.
 *
 *   node ours.mjs '<job as JSON>'
 *
 * Verbs come as lines on standard input, each is answered with a line of JSON. `prepare` writes weights and inputs that all
 * contenders read; the others are those of pytorch.py, the counterpart. The operations are in ours-operations.mjs.
 */
import { Engine } from '../dist/native/engine.js';
import { gpuMemory } from './machine.mjs';
import { modelsOf } from './ours-models.mjs';
import { operationsOf } from './ours-operations.mjs';
import { serve } from './verbs.mjs';

const job = JSON.parse(process.argv[2]);
const { trial } = job;
const gpuMemoryBefore = gpuMemory(job.device);
const { core } = await Engine.open({ device: job.device, threads: job.threads });
const models = modelsOf(core, job);

await serve(job, {
  open: () => operationsOf(core, models, job)[trial.operation](),
  async prepare() {
    await models.prepareInputs();
    await models.prepareWeights();
  },
  gpuMemoryMb: () => gpuMemory(job.device) - gpuMemoryBefore,
  version: core.info().libtorch,
});
