/** Runs the contenders of one trial, each measurement in a process of its own: first compared, then timed. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { comparisonsOf, contenders, contendersOf, references } from './contenders.mjs';
import { absence, withContender } from './engines.mjs';
import { processorTime } from './machine.mjs';
import { parsePrimitive } from './roofline-tables.mjs';
import { compareRounds, median, relativeError, rotate } from './statistics.mjs';

/**
 * settings: { python: command or undefined, device, threads, rounds, warmupMs, measureMs, timeoutSeconds, terms: of the names of
 * the contenders, cache: folder for what several trials need, counts, breakdown: whether multiplications are counted and oneDNN
 * is asked where the time goes; default not }
 * Returns { name, unit: what a time is of, results: { [contender]: { msPerImage, peakMemoryMb, gpuMemoryMb, version, error,
 * times, firstRunMs } }, comparisons, skipped: [{ name, reason }], othersShare, gflopsPerImage, breakdowns }; othersShare is the
 * fraction of the machine that other work took while we timed. Throws an Error when one of ours or the reference fails, or ours
 * is not what the reference computes; a rival of which that is true is skipped.
 */
export async function measureTrial(trial, settings, onProgress = () => {}) {
  const directory = mkdtempSync(join(settings.cache, 'trial-'));
  try {
    const { device, threads, warmupMs, measureMs } = settings;
    const job = { trial, directory, weights: weightsOf(trial, directory, settings.cache), device, threads, warmupMs, measureMs };
    onProgress('preparing');
    await withContender(contenders.find(({ engine }) => engine === 'ours'), { ...job, precision: 'fp32' }, settings, (ask) => ask('prepare'));
    return { name: trial.name, unit: trial.unit ?? 'image', ...(await runRounds(job, settings, onProgress)) };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Each contender is compared with the reference and, in the same process, timed for the first time; then come the other rounds. */
async function runRounds(job, settings, onProgress) {
  const { trial, directory } = job;
  const { rows, runs, limit } = trial.check;
  const reference = references
    .map((name) => contenders.find((one) => one.name === name))
    .find(({ engine, operations }) => operations.includes(trial.operation) && !absence(engine, settings));
  const check = async (ask, output) => {
    const { firstRunMs } = await ask('check');
    const bytes = readFileSync(output);
    return { found: new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4), firstRunMs };
  };
  const jobOf = (contender) => ({
    ...job,
    ...contender,
    trial: { ...trial, repeat: contender.repeat ?? trial.repeat, fewest: contender.fewest ?? trial.fewest },
    output: join(directory, `${contender.name}.f32`),
    network: join(directory, 'network.onnx'),
  });

  onProgress(`checking ${reference.name}`);
  // A part of the batch will do where images do not depend on each other, and fp32 of all may not fit.
  const part = rows < trial.batch && runs === 1 ? { ...trial, batch: rows } : trial;
  const referenceJob = { ...jobOf(reference), trial: part };
  const { found: expected, gflopsPerImage } = await withContender(reference, referenceJob, settings, async (ask) => ({
    ...(await check(ask, referenceJob.output)),
    ...(settings.counts && (await ask('count'))),
  }));

  const [results, skipped, share] = [{}, [], shareOfOthers()];
  const measure = async (contender, ask) => {
    await ask('warm');
    results[contender.name].measured.push(await share.during(() => ask('time')));
  };
  /** The network as a file of ONNX, made once by PyTorch. */
  let exported;
  const exportNetwork = () => (exported ??= withContender(reference, jobOf(reference), settings, (ask) => ask('export')));
  const attempt = async (contender, work) => {
    const { name, engine } = contender;
    try {
      const reason = absence(engine, settings);
      if (reason) throw new Error(reason);
      if (engine === 'onnxruntime') await exportNetwork();
      await withContender(contender, jobOf(contender), settings, work);
    } catch (error) {
      if (engine === 'ours' || name === reference.name) throw new Error(`${trial.name}: ${error.message}`);
      delete results[name];
      skipped.push({ name, reason: error.message });
    }
  };

  for (const contender of contendersOf(trial, settings)) {
    const { name, precision } = contender;
    await attempt(contender, async (ask) => {
      onProgress(`checking ${name}`);
      const { found, firstRunMs } = await check(ask, jobOf(contender).output);
      const error = relativeError(found.subarray(0, expected.length), expected, rows);
      if (error > limit[precision]) {
        throw new Error(`${name} computes something else than ${reference.name}: relative error ${error.toExponential(1)}, at most ${limit[precision]} expected. It was not timed.`);
      }
      results[name] = { error, firstRunMs, measured: [] };
      onProgress(`round 1 of ${settings.rounds}, ${name}`);
      await measure(contender, ask);
    });
  }
  for (let round = 1; round < settings.rounds; ++round) {
    const present = contendersOf(trial, settings).filter(({ name, rounds = Infinity }) => name in results && round < rounds);
    for (const contender of rotate(present, round)) {
      onProgress(`round ${round + 1} of ${settings.rounds}, ${contender.name}`);
      await attempt(contender, (ask) => measure(contender, ask));
    }
  }
  const breakdowns = settings.breakdown ? await breakDown(Object.keys(results), jobOf, settings) : undefined;
  return { ...summarise(results), skipped, othersShare: share.found(), gflopsPerImage, breakdowns };
}

/**
 * Where the weights of each role are: random ones of published size in the cache, as large files for more than one trial, others
 * beside the inputs. A generator that is told texts also has its conditions.
 */
function weightsOf({ models }, directory, cache) {
  const paths = {};
  for (const [role, spec] of Object.entries(models)) {
    const shared = role === 'discretiser' || role === 'autoencoder' || (role === 'denoiser' && 'autoencoder' in models);
    const hash = createHash('sha256').update(JSON.stringify(spec.unet ?? spec)).digest('hex').slice(0, 12);
    paths[role] = { shared, path: shared ? join(cache, `${role}-${hash}.safetensors`) : join(directory, `${role}.safetensors`) };
  }
  if (models.denoiser?.unet.textChannels > 0) paths.conditions = { shared: false, path: join(directory, 'conditions.safetensors') };
  return paths;
}

/** By contender in bf16, ours and eager: milliseconds that oneDNN says its primitives took, and those of the clock. */
async function breakDown(names, jobOf, settings) {
  const found = {};
  const asked = contenders.filter(({ name, precision, compile, recipe }) => names.includes(name) && precision === 'bf16' && !compile && !recipe);
  for (const contender of asked) {
    let primitives = {};
    const onLine = (line) => {
      const [kind, milliseconds] = parsePrimitive(line) ?? [];
      if (kind) primitives[kind] = (primitives[kind] ?? 0) + milliseconds;
    };
    const wallMs = await withContender(contender, jobOf(contender), settings, async (ask) => {
      await ask('warm');
      primitives = {};
      const start = performance.now();
      await ask('time');
      return performance.now() - start;
    }, { variables: { ONEDNN_VERBOSE: 'profile_exec' }, onLine });
    found[contender.name] = { primitives, wallMs };
  }
  return found;
}

/** The fraction of the machine that is busy with something else than what is waited for. */
function shareOfOthers() {
  let [others, total] = [0, 0];
  return {
    /** work resolves to { cpuMs, ... }, the processor time that it took in its own process. */
    async during(work) {
      const before = processorTime();
      const result = await work();
      const after = processorTime();
      others += after.busy - before.busy - result.cpuMs - (after.own - before.own);
      total += after.total - before.total;
      return result;
    },
    found: () => (total > 0 ? Math.max(0, others / total) : 0),
  };
}

function summarise(found) {
  const results = {};
  for (const [name, { measured, ...rest }] of Object.entries(found)) {
    const medians = Object.fromEntries(['msPerImage', 'peakMemoryMb', 'gpuMemoryMb'].map((key) => [key, median(measured.map((one) => one[key]))]));
    results[name] = { ...medians, version: measured[0].version, times: measured.map(({ msPerImage }) => msPerImage), ...rest };
  }
  const comparisons = comparisonsOf(Object.keys(results)).map(({ rival, ours }) => {
    const { times } = results[rival];
    return { rival, ours, ...compareRounds(times, results[ours].times.slice(0, times.length)) }; // a slow one has fewer rounds
  });
  return { results, comparisons };
}
