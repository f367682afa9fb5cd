/** What the rivals in Node share: the verbs of pytorch.py, answered on standard output. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { median } from './statistics.mjs';

export const job = JSON.parse(process.argv[2]);
const { trial, directory } = job;

export const range = (count) => Array.from({ length: count }, (_, i) => i);
const classifier = trial.models.student ?? trial.models.teacher;

/** [B, size, size, 3] uint8 */
export const images = () => new Uint8Array(readFileSync(join(directory, 'images.u8')));
export const labels = () => range(trial.batch).map((i) => i % classifier.numClasses);
/** [B, C, h, w] */
export const noise = () => floats(readFileSync(join(directory, 'noise.f32')));

function floats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Name -> { shape, data } of a file of fp32; eight bytes of header length, a JSON header, then the data. */
export function readWeights(role) {
  const content = readFileSync(job.weights[role].path);
  const start = 8 + Number(content.readBigUInt64LE(0));
  const { __metadata__: _, ...header } = JSON.parse(content.subarray(8, start).toString());
  const entries = Object.entries(header).filter(([, { dtype }]) => dtype === 'F32');
  return Object.fromEntries(entries.map(([name, { shape, data_offsets: [begin, end] }]) => [name, { shape, data: floats(content.subarray(start + begin, start + end)) }]));
}

/** run: number of runs -> the numbers to compare, Float32Array */
export async function serve(run, version) {
  const { warmup, measured } = trial.fewest ?? { warmup: 2, measured: 3 };
  const repeat = async (milliseconds, fewest) => {
    const [times, start] = [[], performance.now()];
    while (times.length < fewest || performance.now() - start < milliseconds) {
      const before = performance.now();
      await run(trial.repeat);
      times.push((performance.now() - before) / (trial.batch * trial.repeat));
    }
    return times;
  };
  const verbs = {
    async check() {
      const start = performance.now();
      writeFileSync(job.output, await run(trial.check.runs));
      return { firstRunMs: performance.now() - start };
    },
    async warm() {
      await repeat(job.warmupMs, warmup);
    },
    async time() {
      const before = process.cpuUsage();
      const times = await repeat(job.measureMs, measured);
      const { user, system } = process.cpuUsage(before); // µs
      return { msPerImage: median(times), peakMemoryMb: process.resourceUsage().maxRSS / 1024, gpuMemoryMb: 0, cpuMs: (user + system) / 1000, version };
    },
  };
  for await (const verb of createInterface({ input: process.stdin })) console.log(JSON.stringify((await verbs[verb]()) ?? {}));
}
