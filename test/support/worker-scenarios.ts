/**
 * Scenarios of worker threads and of process ends, each run as `node --import tsx worker-scenarios.ts <name>` by
 * test/native/engine.test.ts. The same file is the worker.
 */
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

import type { Engine } from '../../lib/native/engine.js';
import { generateOptions, openEngine, randomImages, tinyClassifier, tinyGenerator } from './tiny.js';

/** Minutes of work, which reports its progress every few milliseconds. */
export const endless = { classes: new Uint8Array(100_000), seeds: new Float64Array(100_000), steps: 50, batchSize: 2 };

async function generateForever(engine: Engine, onProgress: () => void): Promise<void> {
  const generator = await tinyGenerator(engine, 1);
  await engine.run((core, control) => core.generate(generator.handle, {}, generateOptions(endless), control), { onProgress });
}

async function someImages(engine: Engine): Promise<Uint8Array> {
  using generator = await tinyGenerator(engine, 1);
  const images: Uint8Array[] = [];
  for (let i = 0; i < 5; i++) {
    images.push((await engine.run((core, control) => core.generate(generator.handle, {}, generateOptions(), control))).images);
  }
  return Buffer.concat(images);
}

function startWorker(): Worker {
  // A worker does not inherit the loader of TypeScript.
  const source = `import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => {
    register();
    return import(${JSON.stringify(import.meta.url)});
  })`;
  return new Worker(source, { eval: true, argv: process.argv.slice(2) });
}

function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

const scenarios: Record<string, { main: (engine: Engine) => Promise<void>; worker?: (engine: Engine) => Promise<void> }> = {
  /** A worker is terminated in mid-job, with more jobs of it waiting, while the main thread has jobs of its own. */
  terminate: {
    async main(engine) {
      using classifier = await tinyClassifier(engine, 1);
      for (let i = 0; i < 3; i++) {
        const worker = startWorker();
        await message(worker); // in mid-job
        const waiting = classifier.logits(randomImages(i, 2)); // behind the worker's job
        await worker.terminate();
        if ((await waiting).length !== 4) throw new Error('the job of the main thread was lost');
      }
      console.log('alive');
    },
    async worker(engine) {
      void tinyClassifier(engine, 1); // something behind the long job
      await generateForever(engine, () => parentPort!.postMessage('running'));
    },
  },
  /** process.exit in mid-job. */
  exit: {
    main: (engine) => generateForever(engine, () => process.exit(7)),
  },
  /** process.exit on the main thread while a worker's job runs. */
  'exit-beside-worker': {
    async main() {
      await message(startWorker());
      process.exit(7);
    },
    worker: (engine) => generateForever(engine, () => parentPort!.postMessage('running')),
  },
  /** Main thread and worker submit jobs at once, and both get theirs. */
  both: {
    async main(engine) {
      const worker = startWorker();
      const [mine, theirs] = await Promise.all([someImages(engine), message(worker)]);
      console.log(Buffer.compare(mine, theirs as Uint8Array) === 0 ? 'equal' : 'different');
    },
    async worker(engine) {
      parentPort!.postMessage(await someImages(engine));
    },
  },
  /** A process with handles but without work ends by itself. */
  idle: {
    async main(engine) {
      await tinyClassifier(engine, 1);
      console.log('done');
    },
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url) || !isMainThread) {
  const scenario = scenarios[process.argv[2]];
  await (isMainThread ? scenario.main : scenario.worker!)(await openEngine({ threads: 2 }));
}
