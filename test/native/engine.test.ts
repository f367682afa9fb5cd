/** The engine: order, cancellation, progress, disposal, errors, and how workers and processes end. */
import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { SparringError } from '../../lib/errors.js';
import type { GenerateOptions } from '../../lib/native/contract.js';
import { Engine, type Cancellable } from '../../lib/native/engine.js';
import { Classifier, Generator } from '../../lib/native/models.js';
import { failure, generateOptions, openEngine, plainChain, randomImages, tinyClassifier, tinyGenerator, trainerOptions } from '../support/tiny.js';
import { endless } from '../support/worker-scenarios.js';

const engine = await openEngine();
const { core } = engine;
const generator: Generator = await tinyGenerator(engine, 1);

const generate = (options: Partial<GenerateOptions> = {}, cancellable: Cancellable = {}) =>
  engine.run((core, control) => core.generate(generator.handle, {}, generateOptions(options), control), cancellable);

/** Starts an endless job; resolves when it runs. */
async function startEndless(): Promise<{ stop: () => void; ended: Promise<SparringError> }> {
  const controller = new AbortController();
  let ended!: Promise<SparringError>;
  await new Promise<void>((resolve) => {
    ended = failure(() => generate(endless, { signal: controller.signal, onProgress: () => resolve() }), 'aborted');
  });
  return { stop: () => controller.abort(), ended };
}

test('a signal that is aborted already starts nothing', async () => {
  let started = false;
  const work = () => engine.run(async () => void (started = true), { signal: AbortSignal.abort() });
  await failure(work, 'aborted');
  assert.is(started, false);
});

test('a running job stops promptly', async () => {
  const { stop, ended } = await startEndless();
  const before = performance.now();
  stop();
  await ended;
  assert.ok(performance.now() - before < 1000, `${performance.now() - before} ms`);
});

test('a chain optimisation stops promptly', async () => {
  using teacher = await tinyClassifier(engine, 1);
  const pair = { teacher: teacher.handle, student: teacher.handle };
  const guidance = { ...plainChain, iterations: 100_000 };
  const signal = AbortSignal.timeout(200);
  const before = performance.now();
  await failure(() => engine.run((core, control) => core.generate(generator.handle, pair, generateOptions({ guidance }), control), { signal }), 'aborted');
  assert.ok(performance.now() - before < 1500, `${performance.now() - before} ms`);
});

test('a waiting job that is aborted never runs, and the others do', async () => {
  const { stop, ended } = await startEndless();
  const controller = new AbortController();
  let progress = 0;
  const waiting = failure(() => generate({}, { signal: controller.signal, onProgress: () => progress++ }), 'aborted');
  const next = generate();
  controller.abort();
  stop();
  await Promise.all([ended, waiting]);
  assert.is((await next).images.length, 8 * 16 * 16 * 3);
  assert.is(progress, 0);
});

test('an abort after the end changes nothing', async () => {
  const controller = new AbortController();
  await generate({}, { signal: controller.signal });
  controller.abort();
  assert.is((await generate()).images.length, 8 * 16 * 16 * 3);
});

test('jobs run in the order of their submission', async () => {
  const ended: string[] = [];
  const note = (name: string) => () => void ended.push(name);
  await Promise.all([
    generate({ steps: 40 }).then(note('long')),
    core.noiseSchedule({ trainTimesteps: 1000, betas: 'cosine', betaStart: 1e-4, betaEnd: 0.02, setAlphaToOne: true, stepsOffset: 0 }).then(note('short')),
    failure(() => engine.run((core) => core.inspectWeights('/no/such/file')), 'io').then(note('failing')),
    generate({ steps: 10 }).then(note('medium')),
  ]);
  assert.equal(ended, ['long', 'short', 'failing', 'medium']);
});

test('progress rises to the total, and is not one event per step', async () => {
  const classes = new Uint8Array(600), seeds = Float64Array.from(classes, (_, i) => i);
  const events: [number, number][] = [];
  let ended = false;
  const job = generate({ classes, seeds, steps: 2, batchSize: 2 }, {
    onProgress: (done, total) => {
      assert.is(ended, false, 'progress after the result');
      events.push([done, total]);
    },
  });
  await job;
  ended = true;
  await delay(20);
  assert.ok(events.length >= 2 && events.length <= 150, `${events.length} events for 300 batches`);
  assert.ok(events.every(([done, total], i) => total === 600 && (i === 0 || done > events[i - 1][0])), JSON.stringify(events));
  assert.equal(events.at(-1), [600, 600]);
});

test('a callback that throws ends its job with that error', async () => {
  const thrown = new Error('from the callback');
  const work = generate(endless, { onProgress: () => { throw thrown; } });
  assert.is(await work.then(() => undefined, (error: unknown) => error), thrown);
  assert.is((await generate()).images.length, 8 * 16 * 16 * 3); // its turn comes at once: the job is gone
});

test('the event loop turns while a job runs', async () => {
  const { stop, ended } = await startEndless();
  let ticks = 0, last = performance.now(), longest = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    ticks++;
  }, 5);
  await delay(400);
  clearInterval(timer);
  stop();
  await ended;
  assert.ok(ticks >= 20, `${ticks} ticks of 5 ms in 400 ms`);
  assert.ok(longest < 300, `a tick came ${longest} ms late`);
});

test('a disposed handle is refused everywhere, also by jobs that come later', async () => {
  const classifier = await tinyClassifier(engine, 1), other = await tinyGenerator(engine, 1);
  const trainer = await engine.run((core) => core.createClassifierTrainer(classifier.handle, null, { ...trainerOptions(), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 }));
  const running = classifier.logits(randomImages(1, 2)); // submitted before: keeps what it needs
  for (const handle of [classifier.handle, other.handle, trainer]) {
    core.dispose(handle);
    core.dispose(handle); // twice is allowed
  }
  assert.is((await running).length, 4);
  const images = randomImages(1, 2);
  for (const work of [
    () => classifier.logits(images),
    () => classifier.clone(),
    () => classifier.save('never-written.safetensors'),
    () => engine.run((core) => core.parameterCount(other.handle)),
    () => other.generate({}, generateOptions()),
    () => engine.run((core) => core.generate(generator.handle, { teacher: classifier.handle }, generateOptions())),
    () => engine.run((core) => core.trainStep(trainer, images, Int32Array.of(0, 1), { learningRate: 0.1, step: 0 })),
    () => engine.run(async (core) => core.trainedModel(trainer)),
  ]) {
    assert.match((await failure(work, 'disposed')).message, 'disposed');
  }
});

test('a handle of another kind is refused', async () => {
  using classifier = await tinyClassifier(engine, 1);
  await failure(() => engine.run((core) => core.predict(generator.handle as never, randomImages(1, 1), { precision: 'fp32' })), 'usage');
  await failure(() => engine.run((core) => core.generate(classifier.handle as never, {}, generateOptions())), 'usage');
  await failure(() => engine.run((core) => core.parameterCount({} as never)), 'usage');
});

test('an error is a SparringError with the stack of its caller and without that of C++', async () => {
  async function theCaller(): Promise<unknown> {
    return await engine.run((core) => core.inspectWeights('/no/such/file'));
  }
  const error = await failure(theCaller, 'io');
  assert.match(error.message, '/no/such/file');
  assert.match(error.stack!, /^SparringError: .*\/no\/such\/file/);
  assert.match(error.stack!, 'theCaller');
  assert.match(error.hint!, 'path');

  // What LibTorch itself refuses: there is no class 7.
  const logits = Float32Array.of(0, 1);
  const refused = await failure(
    () => engine.run((core) => core.objectiveGradient({ teacherLogits: logits, studentLogits: logits, classes: [7], objective: { form: 'difference', gamma: 1, terms: 'both' } })),
    'torch',
  );
  assert.not.match(refused.message, /frame #|\.cpp|\.so/);
});

test('options that are missing or of the wrong type are named', async () => {
  const given = { ...generateOptions(), steps: undefined as unknown as number };
  assert.match((await failure(() => engine.run((core) => core.generate(generator.handle, {}, given)), 'usage')).message, "'steps'");
  assert.match((await failure(() => generate({ batchSize: 1.5 }), 'usage')).message, "'batchSize'");
  assert.match((await failure(() => generate({ guidance: { kind: 'magic' } as never }), 'usage')).message, 'magic');
});

test('options of the engine, of a model and of a step that make no sense are SparringErrors', async () => {
  for (const [options, name] of [[{ threads: -1 }, 'threads'], [{ threads: 1e12 }, 'threads'], [{ device: 'tpu' }, 'device'], [{ precision: 'fp64' as never }, 'precision']] as const) {
    assert.match((await failure(() => Engine.open(options), 'config')).message, `Engine.open: ${name}: expected`);
  }
  using classifier = await tinyClassifier(engine, 1);
  await failure(() => Classifier.create(engine, classifier.spec, ['one'], 0), 'usage');
  await failure(() => Generator.create(engine, generator.spec, ['one'], 0), 'usage');
});

/** Runs a scenario of worker-scenarios.ts in a process of its own. */
function scenario(name: string): Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }> {
  const script = fileURLToPath(new URL('../support/worker-scenarios.ts', import.meta.url));
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['--import', 'tsx', script, name], { timeout: 60_000 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

test('worker.terminate() in mid-job leaves the process and its other jobs alive', async () => {
  assert.equal(await scenario('terminate'), { code: 0, signal: null, stdout: 'alive\n', stderr: '' });
});

for (const name of ['exit', 'exit-beside-worker']) {
  test(`process.exit() in mid-job keeps its code and prints nothing: ${name}`, async () => {
    for (let i = 0; i < 3; i++) assert.equal(await scenario(name), { code: 7, signal: null, stdout: '', stderr: '' });
  });
}

test('main thread and worker both run jobs', async () => {
  assert.equal(await scenario('both'), { code: 0, signal: null, stdout: 'equal\n', stderr: '' });
});

test('a process without work ends by itself', async () => {
  assert.equal(await scenario('idle'), { code: 0, signal: null, stdout: 'done\n', stderr: '' });
});

test.run();
