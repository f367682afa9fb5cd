// How long a network of the size of Stable Diffusion 1's U-Net takes to load, and how much memory, against a plain read of
// its file with a warm page cache.
//   node benchmarks/load.mjs [--rounds 5] [--folder <where the files of 3.4 and 1.7 GB go>]
import { execFileSync } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { rounds: { type: 'string', default: '5' }, folder: { type: 'string', default: tmpdir() } } });
const [task, path] = positionals;
const gigabytes = (bytes) => (bytes / 1e9).toFixed(2);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Bytes that this process has used at most since `from`, files that it has mapped included. */
const status = (key) => 1024 * Number(new RegExp(`${key}:\\s+(\\d+)`).exec(readFileSync('/proc/self/status', 'utf8'))[1]);
function memory(work) {
  writeFileSync('/proc/self/clear_refs', '5'); // the peak starts anew
  const before = status('VmRSS');
  return work(() => status('VmHWM') - before);
}

async function openNetwork() {
  const { Engine } = await import('../dist/native/engine.js');
  const { buildNetwork, imagenet, networkNamed } = await import('../dist/models/catalog.js');
  const engine = await Engine.open({ device: 'cpu', precision: 'fp32' });
  const named = networkNamed('stable-diffusion-1');
  return {
    engine,
    build: (seed) => buildNetwork(engine, named, imagenet, seed),
    /** As a published generator is opened, which is neither trained nor saved. */
    async buildFrozen() {
      const autoencoder = await engine.run((core) => core.createAutoencoder({ ...named.autoencoder, device: 'cpu', seed: null }));
      return { handle: await engine.run((core) => core.createDenoiser({ ...named.spec, device: 'cpu', seed: null, weights: 'bf16' }, autoencoder)) };
    },
  };
}

const tasks = {
  async make() {
    const { engine, build } = await openNetwork();
    const network = await build(0);
    for (const storage of ['fp32', 'fp16']) await engine.run((core) => core.saveWeights(network.handle, join(path, `${storage}.safetensors`), {}, storage));
  },
  async read() {
    return memory((peak) => {
      const start = performance.now();
      const file = openSync(path);
      const content = Buffer.allocUnsafeSlow(fstatSync(file).size);
      for (let at = 0; at < content.length; ) at += readSync(file, content, at, Math.min(2 ** 26, content.length - at), at);
      closeSync(file);
      return { seconds: (performance.now() - start) / 1000, bytes: peak() };
    });
  },
  load: () => load(({ build }) => build(null)),
  frozen: () => load(({ buildFrozen }) => buildFrozen(), true),
};

async function load(build, freeze = false) {
  const opened = await openNetwork();
  return memory(async (peak) => {
    const start = performance.now();
    const { handle } = await build(opened);
    const built = performance.now();
    await opened.engine.run((core) => core.loadWeights(handle, path, { newHead: false }));
    if (freeze) await opened.engine.run((core) => core.freezeDenoiser(handle, { precision: 'bf16' }));
    return { seconds: (performance.now() - start) / 1000, building: (built - start) / 1000, bytes: peak() };
  });
}

if (task) {
  console.log(JSON.stringify((await tasks[task]()) ?? null));
} else {
  const child = (name, argument) => JSON.parse(execFileSync(process.execPath, [fileURLToPath(import.meta.url), name, argument], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
  const folder = mkdtempSync(join(values.folder, 'sparring-load-'));
  try {
    child('make', folder);
    for (const [storage, kind] of [['fp32', 'load'], ['fp16', 'load'], ['fp16', 'frozen']]) {
      const file = join(folder, `${storage}.safetensors`), { size } = statSync(file);
      child('read', file); // warms the page cache
      const rounds = Array.from({ length: Number(values.rounds) }, () => ({ read: child('read', file), load: child(kind, file) }));
      const of = (name, key) => median(rounds.map((round) => round[name][key]));
      const ratios = rounds.map(({ read, load }) => load.seconds / read.seconds);
      console.log(`${storage}, ${gigabytes(size)} GB, ${kind === 'frozen' ? 'frozen in bf16' : 'trainable'}: read ${of('read', 'seconds').toFixed(2)} s, load ${of('load', 'seconds').toFixed(2)} s (of these building ${of('load', 'building').toFixed(2)} s), ` +
        `ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}); peak memory ${gigabytes(of('load', 'bytes'))} GB, ${(of('load', 'bytes') / size).toFixed(2)} of the file, ` +
        `read ${(of('read', 'bytes') / size).toFixed(2)}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
