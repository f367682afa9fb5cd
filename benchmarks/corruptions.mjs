// Corruptions against the Python package imagecorruptions: severity 3, one thread on both sides, CPU time per image.
//
//   node benchmarks/corruptions.mjs [--size 224] [--count 16] [--rounds 3]
//
// SPARRING_PYTHON names a Python with the packages of test/parity/make_corruption_goldens.py. The sides take turns; a
// ratio is the rival's time over ours within a round. elastic_transform of the package is another one than ours.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { commonCorruptions, corrupt, Engine, heldOutCorruptions } from '../dist/index.js';

const { values } = parseArgs({ options: { size: { type: 'string', default: '224' }, count: { type: 'string', default: '16' }, rounds: { type: 'string', default: '3' } } });
const [size, count, rounds] = [values.size, values.count, values.rounds].map(Number);
const kinds = [...commonCorruptions, ...heldOutCorruptions];
const engine = await Engine.open({ device: 'cpu', threads: 1 });
const folder = mkdtempSync(join(tmpdir(), 'corruptions-'));
const pictures = join(folder, 'pictures');
const seeds = Array.from({ length: count }, (_, i) => i);

function rival() {
  const { status, stdout, stderr } = spawnSync(process.env.SPARRING_PYTHON ?? 'python3', [fileURLToPath(new URL('corruptions.py', import.meta.url)), pictures, size, count], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function ours(images) {
  const seconds = {};
  for (const kind of kinds) {
    const run = () => corrupt(engine, images, { kind, severity: 3, size, seeds });
    await run();
    const before = process.cpuUsage();
    await run();
    const { user, system } = process.cpuUsage(before);
    seconds[kind] = (user + system) / 1e6 / count;
  }
  return seconds;
}

const found = [];
try {
  for (let round = 0; round < rounds; round++) {
    const theirs = rival();
    found.push({ theirs, own: await ours(readFileSync(pictures)) });
  }
} finally {
  rmSync(folder, { recursive: true });
}

const sorted = (numbers) => [...numbers].sort((a, b) => a - b);
const median = (numbers) => sorted(numbers)[numbers.length >> 1];
console.log(`${size} px, ${count} images, ${rounds} rounds, load ${loadavg()[0].toFixed(1)}\n`);
console.log('| kind | ours, images per second of CPU | imagecorruptions | ratio (range) |\n| --- | --- | --- | --- |');
for (const kind of kinds) {
  const ratios = sorted(found.map(({ theirs, own }) => theirs[kind] / own[kind]));
  const rate = (side) => (1 / median(found.map((one) => one[side][kind]))).toFixed(0);
  console.log(`| ${kind} | ${rate('own')} | ${rate('theirs')} | ${median(ratios).toFixed(1)} (${ratios[0].toFixed(1)} to ${ratios.at(-1).toFixed(1)}) |`);
}
