/**
 * How near to the machine's limit: writes the measured part of docs/performance.md.
 *
 *   node benchmarks/roofline.mjs [--device cuda] [--threads N] [--rounds N] [--seconds N] [--timeout seconds] [--contenders terms] [--without term] [search terms]
 *
 * Needs a Python with PyTorch, as index.mjs finds it. Of each trial it counts the multiplications, times the contenders as
 * index.mjs does and, on the processor, asks oneDNN where the time goes; before and after, it measures what one plain kernel
 * attains. For an idle machine.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { readArguments } from './arguments.mjs';
import { graphicsCard } from './machine.mjs';
import { measureTrial } from './measure.mjs';
import { asLines } from './report.mjs';
import { breakdownTable, floorTable } from './roofline-tables.mjs';

const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url));
const counted = ['guidedStep', 'chain', 'studentStep', 'discreteAdversary', 'classify', 'sample'];
const { settings: asked, selected } = readArguments(
  'node benchmarks/roofline.mjs [--device cuda] [--threads N] [--rounds N] [--seconds N] [--timeout seconds] [--contenders terms] [--without term] [search terms]',
  { contenders: { type: 'string', default: '16' } }, // bf16
  { isMeasured: ({ operation }) => counted.includes(operation), rounds: () => 3 },
);
const { python, device, threads, rounds } = asked;
if (!python) {
  console.error('A Python with PyTorch is needed to count and to compare: set SPARRING_PYTHON to one.');
  process.exit(2);
}

function plainKernels() {
  const { status, stdout, stderr } = spawnSync(python, [fileURLToPath(new URL('plain_kernels.py', import.meta.url)), device, String(threads)], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const cache = mkdtempSync(join(tmpdir(), 'sparring-bench-cache-'));
process.once('exit', () => rmSync(cache, { recursive: true, force: true, maxRetries: 3 }));
const settings = { ...asked, cache, counts: true, breakdown: device === 'cpu' };

const before = plainKernels();
const measured = [];
for (const trial of selected) {
  try {
    measured.push(await measureTrial(trial, settings));
    console.log(`${asLines(measured.at(-1))}\n`);
  } catch (error) {
    console.error(`${error.message}\n`);
    process.exitCode = 1;
  }
}
if (measured.length === 0) throw new Error('No trial was measured.');
const after = plainKernels();
const attained = { bf16: Math.max(before.bf16, after.bf16), fp32: Math.max(before.fp32, after.fp32) };

const others = Math.max(...measured.map(({ othersShare }) => othersShare));
const machine = [...(device === 'cpu' ? [] : [graphicsCard(device)]), cpus()[0].model.trim(), `${threads} threads of ${availableParallelism()}`].join(', ');
const found = [
  `${new Date().toISOString().slice(0, 10)}, ${machine}; LibTorch ${measured[0].results['ours bf16'].version}; ${rounds} rounds; other work took at most ` +
    `${(others * 100).toFixed(0)} % of the machine. A plain kernel attains ${attained.bf16.toFixed(2)} TFLOP/s in bf16, ${attained.fp32.toFixed(2)} in fp32.`,
  floorTable(measured, attained),
  ...(settings.breakdown ? ['Where the time goes, in oneDNN and beside it:', breakdownTable(measured)] : []),
].join('\n\n');
const [begin, end] = [`<!-- measured on ${device.split(':')[0]} -->`, '<!-- end -->'];
const text = readFileSync(page, 'utf8');
const from = text.indexOf(begin) + begin.length;
writeFileSync(page, `${text.slice(0, from)}\n\n${found}\n\n${text.slice(text.indexOf(end, from))}`);
console.log(`Written to ${page}`);
