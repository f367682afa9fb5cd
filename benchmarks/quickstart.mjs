// The quickstart as a whole: this tree against another one, such as an earlier commit, in turn. Both are built.
//
//   node benchmarks/quickstart.mjs <folder of the other tree> [--rounds 2] [--threads N] [--seed 0] [--set key=value]...
//
// --set is for this tree, so that its recipe is the other's. Images and steps of both are printed: only equal work compares.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { compareRounds, median } from './statistics.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '2' }, threads: { type: 'string', default: String(availableParallelism()) }, seed: { type: 'string', default: '0' }, set: { type: 'string', multiple: true, default: [] } },
});
if (positionals.length !== 1 || !(Number(values.rounds) >= 1)) {
  console.error('Usage: node benchmarks/quickstart.mjs <folder of another tree, built> [--rounds 2] [--threads N] [--seed 0] [--set key=value]...');
  process.exit(2);
}
const trees = { this: { root: fileURLToPath(new URL('..', import.meta.url)), set: values.set }, other: { root: positionals[0], set: [] } };

/** Returns { seconds: by the clock, rows: of the result }. */
function run({ root, set }) {
  const output = mkdtempSync(join(tmpdir(), 'sparring-quickstart-'));
  try {
    const flags = ['--json', '--quiet', '--threads', values.threads, '--seed', values.seed, '--output', join(output, 'run'), ...set.flatMap((one) => ['--set', one])];
    const start = performance.now();
    const printed = execFileSync(process.execPath, [join(root, 'bin/sparring.js'), 'quickstart', ...flags], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 26 });
    return { seconds: (performance.now() - start) / 1000, rows: JSON.parse(printed.trimEnd().split('\n').at(-1)).rows };
  } finally {
    rmSync(output, { recursive: true });
  }
}

const rounds = [];
for (let round = 0; round < Number(values.rounds); round++) {
  const order = round % 2 === 0 ? ['other', 'this'] : ['this', 'other'];
  rounds.push(Object.fromEntries(order.map((name) => [name, run(trees[name])])));
  console.error(`round ${round + 1}: ${order.map((name) => `${name} ${rounds[round][name].seconds.toFixed(0)} s`).join(', ')}`);
}

function line(name, work, timeOf) {
  const [ours, theirs] = ['this', 'other'].map((tree) => rounds.map((round) => timeOf(round[tree])));
  const { ratio, lowest, highest } = compareRounds(theirs, ours);
  console.log(`| ${name} | ${work} | ${median(ours).toFixed(1)} | ${median(theirs).toFixed(1)} | ${ratio.toFixed(2)}x (${lowest.toFixed(2)}x to ${highest.toFixed(2)}x) |`);
}
console.log('| | images, steps (here / there) | here, s | there, s | there / here |\n|---|--:|--:|--:|--:|');
for (const { method, generated, trainingSteps } of rounds[0].this.rows) {
  const same = rounds[0].other.rows.find((row) => row.method === method);
  if (trainingSteps === 0 || !same) continue; // the teacher is shipped; a row that is not there has nothing to compare with
  line(method, `${generated}, ${trainingSteps} / ${same.generated}, ${same.trainingSteps}`, ({ rows }) => rows.find((row) => row.method === method).seconds);
}
line('the whole command', '', ({ seconds }) => seconds);
