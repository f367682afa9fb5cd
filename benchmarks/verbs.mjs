/** The verbs of pytorch.py, for the programs in Node: lines of standard input, each answered with a line of JSON. */
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { median } from './statistics.mjs';

/**
 * open: gives `run`, an async function of the number of runs, when a verb first asks for it; what is compared is what `run.result`
 * gives, where there is one, else `run`. prepare: writes what all contenders read. gpuMemoryMb: what the process holds at the end.
 */
export async function serve(job, { open, version, prepare, gpuMemoryMb = () => 0 }) {
  const { trial } = job;
  const { warmup, measured } = trial.fewest ?? { warmup: 2, measured: 3 };
  let opened;
  const operation = () => (opened ??= open());

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
    prepare,

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
      return { msPerImage: median(times), peakMemoryMb: process.resourceUsage().maxRSS / 1024, gpuMemoryMb: gpuMemoryMb(), cpuMs: (user + system) / 1000, version };
    },
  };
  for await (const verb of createInterface({ input: process.stdin })) console.log(JSON.stringify((await verbs[verb]()) ?? {}));
}
