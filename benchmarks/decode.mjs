// Does training wait for photographs? Times the decoder alone, then steps of a student with the look-ahead of the
// training loop (the next batch is read while the engine computes this one), in the first epoch and from the cache.
//
//   node benchmarks/decode.mjs [folder] [--size 64] [--batch 64] [--batches 30] [--threads 1]
//
// UV_THREADPOOL_SIZE=1 before it gives one thread to reading and decoding.
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { Classifier, Engine, openFolder, resolveConfig, Trainer } from '../dist/index.js';
import { batchIndices } from '../dist/data/order.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { size: { type: 'string', default: '64' }, batch: { type: 'string', default: '64' }, batches: { type: 'string', default: '30' }, threads: { type: 'string', default: '1' } },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/data/clothing', import.meta.url));
const [size, batchSize, batches, threads] = [values.size, values.batch, values.batches, values.threads].map(Number);

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const open = async () => (await openFolder({ root: folder, imageSize: size })).train;
const indices = (set, step) => batchIndices(set.length, batchSize, step, 0);

console.log(`${size} px, batches of ${batchSize}, ${threads} engine threads, ${process.env.UV_THREADPOOL_SIZE ?? 4} threads of the pool, ${availableParallelism()} cores, load ${loadavg()[0].toFixed(1)}`);

async function timeReads(set) {
  const times = [];
  const before = process.cpuUsage();
  for (let step = 0; step < batches; step++) {
    const start = performance.now();
    await set.read(indices(set, step));
    times.push(performance.now() - start);
  }
  const { user, system } = process.cpuUsage(before);
  return { wall: median(times), cpu: (user + system) / 1000 / batches };
}
const alone = await open();
for (const name of ['decode', 'cache']) {
  const { wall, cpu } = await timeReads(alone);
  console.log(`${name.padEnd(8)} ${wall.toFixed(1)} ms per batch, ${(wall / batchSize).toFixed(3)} ms per image; CPU ${(cpu / batchSize).toFixed(3)} ms per image`);
}

const config = resolveConfig({ data: { kind: 'folder', root: folder, imageSize: size }, threads, student: { architecture: { family: 'resnet', layers: [1, 1, 1], width: 16, stem: 'cifar' } } });
const engine = await Engine.open(config);
const set = await open();
const student = await Classifier.create(engine, { ...config.student, numClasses: set.classes.length, imageSize: size }, set.classes, 0);
const trainer = await Trainer.classifier(student, null, config.student.training, { seed: 0 });
for (const name of ['first epoch', 'from cache']) {
  const [waits, steps] = [[], []];
  const read = async (step) => ({ images: await set.read(indices(set, step)), labels: Int32Array.from(indices(set, step), (index) => set.labels[index]) });
  let upcoming = read(0);
  for (let step = 0; step < batches; step++) {
    const start = performance.now();
    const batch = await upcoming;
    waits.push(performance.now() - start);
    upcoming = read(step + 1);
    await trainer.step(batch, 1e-3, step);
    steps.push(performance.now() - start);
  }
  const [wait, step] = [waits.slice(1), steps.slice(1)].map(median);
  console.log(`training, ${name}: ${step.toFixed(1)} ms per step, of which it waits ${wait.toFixed(1)} ms for images`);
}
