// Runs every test file in a process of its own, so that a crash of the native core is one failure and not the end of
// the run, and closes with the counts. Arguments choose files by a part of their path.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { recursive: true })
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => file.includes(part))))
  .sort();
if (files.length === 0) {
  console.error(`No test file matches ${wanted.join(', ')}.`);
  process.exit(2);
}

let passed = 0;
let failed = 0;
let skipped = 0;
for (const file of files) {
  const startedAt = performance.now();
  const child = spawnSync(process.execPath, ['--import', 'tsx', file], { cwd: root, encoding: 'utf8', timeout: 600_000, maxBuffer: 2 ** 26 });
  const output = `${child.stdout}${child.stderr}`;
  const number = (label) => Number(new RegExp(`${label}:\\s+(\\d+)`).exec(child.stdout)?.[1] ?? 0);
  const total = number('Total');
  const crashed = child.status !== 0 && number('Passed') === total;
  passed += number('Passed');
  skipped += number('Skipped');
  failed += total - number('Passed') + (crashed || total === 0 ? 1 : 0);
  const good = child.status === 0 && total > 0;
  console.log(`${good ? 'ok    ' : 'FAILED'} ${file} (${number('Passed')} of ${total}, ${((performance.now() - startedAt) / 1000).toFixed(1)} s)`);
  if (!good) console.log(output, child.error ?? '', child.signal ?? '');
  const lines = output.split('\n').filter((line) => /^skipped: /.test(line));
  skipped += lines.length;
  for (const line of lines) console.log(`       ${line}`);
}
console.log(`\n${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exit(failed === 0 ? 0 : 1);
