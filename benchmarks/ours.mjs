/**
 * Our side: one measurement in its own process.
 *
 *   node ours.mjs '<job as JSON>'
 *
 * Verbs come as lines on standard input, each is answered with a line of JSON. `prepare` writes weights and inputs that all
 * contenders read; the others are those of pytorch.py, the counterpart. The operations are in ours-operations.mjs.
 */
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { Engine } from '../dist/native/engine.js';
import { gpuMemory } from './machine.mjs';
import { modelsOf } from './ours-models.mjs';
import { operationsOf } from './ours-operations.mjs';
import { median } from './statistics.mjs';

const job = JSON.parse(process.argv[2]);
const { trial } = job;
const gpuMemoryBefore = gpuMemory(job.device);
const { core } = await Engine.open({ device: job.device, threads: job.threads });
const models = modelsOf(core, job);
let opened;
/** The operation, as a function of the number of runs. */
const operation = () => (opened ??= operationsOf(core, models, job)[trial.operation]());

const { warmup, measured } = trial.fewest ?? { warmup: 2, measured: 3 };
async function repeat(milliseconds, fewest) {
  const run = await operation();
  const [times, start] = [[], performance.now()];
  while (times.length < fewest || performance.now() - start < milliseconds) {
    const before = performance.now();
    await run(trial.repeat);
    times.push((performance.now() - before) / (trial.batch * trial.repeat));
  }
  return times;
}

const verbs = {
  async prepare() {
    await models.prepareInputs();
    await models.prepareWeights();
  },

  async check() {
    const run = await operation();
    const start = performance.now();
    writeFileSync(job.output, await (run.result ?? run)(trial.check.runs));
    return { firstRunMs: performance.now() - start };
  },

  async warm() {
    await repeat(job.warmupMs, warmup);
  },

  async time() {
    const before = process.cpuUsage();
    const times = await repeat(job.measureMs, measured);
    const { user, system } = process.cpuUsage(before); // µs
    return {
      msPerImage: median(times),
      peakMemoryMb: process.resourceUsage().maxRSS / 1024,
      gpuMemoryMb: gpuMemory(job.device) - gpuMemoryBefore,
      cpuMs: (user + system) / 1000,
      version: core.info().libtorch,
    };
  },
};

for await (const verb of createInterface({ input: process.stdin })) console.log(JSON.stringify((await verbs[verb]()) ?? {}));
