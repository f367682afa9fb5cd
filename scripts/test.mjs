// Runs every test file in a process of its own, so that a crash of the native core is one failure and not the end of
// the run, as many at a time as there are cores (most compute with one thread) but four at most, and closes with the counts. Arguments
// choose files by a part of their path.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const mostAtATime = 4; // a process takes up to 2 GB
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { recursive: true })
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .sort();
if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(', ')}.`);
  process.exit(2);
}

const counts = { passed: 0, failed: 0, skipped: 0 };

async function run(file) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--import', 'tsx', file], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], timeout: 600_000 });
  const ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ error }));
    child.on('close', (status, signal) => resolve({ status, signal }));
  });
  const [stdout, stderr, { status, signal, error }] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  const output = `${stdout}${stderr}`;
  const number = (label) => Number(new RegExp(`${label}:\\s+(\\d+)`).exec(stdout)?.[1] ?? 0);
  const total = number('Total');
  const crashed = status !== 0 && number('Passed') === total;
  counts.passed += number('Passed');
  counts.skipped += number('Skipped');
  counts.failed += total - number('Passed') + (crashed || total === 0 ? 1 : 0);
  const good = status === 0 && total > 0;
  console.log(`${good ? 'ok    ' : 'FAILED'} ${file} (${number('Passed')} of ${total}, ${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  if (!good) console.log(output, error ?? '', signal ?? '');
  const lines = output.split('\n').filter((line) => /^skipped: /.test(line));
  counts.skipped += lines.length;
  for (const line of lines) console.log(`       ${line}`);
}

const queue = [...files];
const worker = async () => {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) await run(file);
};
await Promise.all(Array.from({ length: Math.min(availableParallelism(), mostAtATime) }, worker));
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed === 0 ? 0 : 1);
