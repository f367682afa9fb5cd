/** Runs the contenders of one trial, each measurement in a process of its own: first compared, then timed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { comparisons, contenders, references } from './contenders.mjs';
import { compareRounds, median, relativeError, rotate } from './statistics.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/**
 * settings: { python: command or undefined, device, threads, rounds, warmupMs, measureMs }
 * Returns { name, results: { [contender]: { msPerImage, peakMemoryMb, version, error, times } }, comparisons,
 * othersShare }, the last being the fraction of the machine that other work took while we timed.
 * Throws an Error when a contender fails or its result is not that of the others.
 */
export async function measureTrial(trial, settings, onProgress = () => {}) {
  const present = contenders.filter(({ engine }) => engine === 'ours' || settings.python);
  const directory = mkdtempSync(join(tmpdir(), 'sparring-bench-'));
  try {
    const job = { trial, directory, device: settings.device, threads: settings.threads, warmupMs: settings.warmupMs, measureMs: settings.measureMs };
    onProgress('preparing');
    await runChild(present[0], 'prepare', { ...job, precision: 'fp32' }, settings);
    const errors = await compareResults(trial, present, job, settings, onProgress);
    const { measured, othersShare } = await timeRounds(present, job, settings, onProgress);
    return { name: trial.name, ...summarise(present, measured, errors), othersShare };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Relative errors to the reference, by contender; throws where one is above the trial's limit. */
async function compareResults(trial, present, job, settings, onProgress) {
  const found = {};
  for (const contender of present) {
    onProgress(`checking ${contender.name}`);
    const output = join(job.directory, `${contender.name}.f32`);
    await runChild(contender, 'check', { ...job, ...contender, output }, settings);
    const bytes = readFileSync(output);
    found[contender.name] = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  }
  const reference = references.find((name) => name in found);
  const errors = {};
  for (const { name, precision } of present) {
    errors[name] = relativeError(found[name], found[reference], trial.check.rows);
    const limit = trial.check.limit[precision];
    if (errors[name] > limit)
      throw new Error(`${trial.name}: ${name} computes something else than ${reference}: relative error ${errors[name].toExponential(1)}, at most ${limit} expected. Nothing was timed.`);
  }
  return errors;
}

/** By contender, one measurement per round. Each round starts with another contender. */
async function timeRounds(present, job, settings, onProgress) {
  const measured = Object.fromEntries(present.map(({ name }) => [name, []]));
  const before = processorTime();
  for (let round = 0; round < settings.rounds; ++round) {
    for (const contender of rotate(present, round)) {
      onProgress(`round ${round + 1} of ${settings.rounds}, ${contender.name}`);
      measured[contender.name].push(await runChild(contender, 'time', { ...job, ...contender }, settings));
    }
  }
  const after = processorTime();
  const children = Object.values(measured).flat().reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  const others = after.busy - before.busy - children - (after.own - before.own);
  return { measured, othersShare: Math.max(0, others / (after.total - before.total)) };
}

/** Milliseconds since the machine started: of all processors together, of all when busy, and of this process. */
function processorTime() {
  let [total, idle] = [0, 0];
  for (const { times } of cpus()) {
    for (const time of Object.values(times)) total += time;
    idle += times.idle;
  }
  const { user, system } = process.cpuUsage(); // µs
  return { total, busy: total - idle, own: (user + system) / 1000 };
}

function summarise(present, measured, errors) {
  const results = {};
  for (const { name } of present) {
    const times = measured[name].map(({ msPerImage }) => msPerImage);
    const peakMemoryMb = median(measured[name].map((one) => one.peakMemoryMb));
    results[name] = { msPerImage: median(times), peakMemoryMb, version: measured[name][0].version, error: errors[name], times };
  }
  const ratios = comparisons
    .filter(({ rival }) => rival in results)
    .map(({ rival, ours }) => ({ rival, ours, ...compareRounds(results[rival].times, results[ours].times) }));
  return { results, comparisons: ratios };
}

/** The JSON on the child's last line; undefined when it printed none. */
function runChild({ engine, name }, verb, job, { python, threads }) {
  const [command, script] = engine === 'ours' ? [process.execPath, here('ours.mjs')] : [python, here('eager.py')];
  // The same OpenMP settings for both, those of lib/native/load.ts: the rival is faster with them too.
  const { OMP_WAIT_POLICY: _, ...inherited } = process.env;
  const env = { ...inherited, GOMP_SPINCOUNT: '30000', OMP_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(command, [script, verb, JSON.stringify(job)], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code !== 0) return reject(new Error(`${name} failed to ${verb} (${signal ?? `exit code ${code}`}):\n${complaints.trim()}`));
      const line = output.trim().split('\n').at(-1);
      resolve(line ? JSON.parse(line) : undefined);
    });
  });
}
