/**
 * Times the main operations against PyTorch eager.
 *
 *   npm run bench [-- [--quick] [--json] [--device cuda] [--threads N] [--rounds N] [search terms]]
 *
 * Runs the trials whose name has every search term. The Python of the rival is SPARRING_PYTHON, python3 or python.
 * A complete run is written to benchmarks/results/<date>-<device>.md; --quick (one short round) is a smoke test.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { installedTorch, pythonCommands } from '../dist/libtorch/python.js';
import { measureTrial } from './measure.mjs';
import { asJson, asLines, asMarkdown } from './report.mjs';
import { trials } from './trials.mjs';

const options = {
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  device: { type: 'string', default: 'cpu' },
  threads: { type: 'string', default: String(availableParallelism()) },
  rounds: { type: 'string' },
};

const { values, positionals } = readArguments();
const selected = trials.filter(({ name }) => positionals.every((term) => name.toLowerCase().includes(term.toLowerCase())));
if (selected.length === 0) usage(`No trial has ${positionals.join(' and ')} in its name. There are:\n  ${trials.map(({ name }) => name).join('\n  ')}`);

const python = pythonCommands().find((command) => 'root' in installedTorch(command));
const settings = {
  python,
  device: values.device,
  threads: count('threads', values.threads),
  rounds: count('rounds', values.rounds ?? (values.quick ? '1' : '5')),
  ...(values.quick ? { warmupMs: 100, measureMs: 300 } : { warmupMs: 1000, measureMs: 3000 }),
};
// With --json, standard output is kept for the result.
const say = values.json ? console.error : console.log;
if (!python) say('No Python with PyTorch was found (set SPARRING_PYTHON to one): ours only, no ratios.\n');

const measured = [];
for (const trial of selected) {
  try {
    measured.push(await measureTrial(trial, settings, showProgress));
    showProgress('');
    say(`${asLines(measured.at(-1))}\n`);
  } catch (error) {
    showProgress('');
    console.error(`${error.message}\n`);
    process.exitCode = 1;
  }
}
if (!values.quick && measured.length === trials.length) writeMarkdown();
if (values.json) console.log(JSON.stringify(asJson(measured)));

function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return usage(error.message);
  }
}

function count(name, text) {
  const number = Number(text);
  return Number.isInteger(number) && number > 0 ? number : usage(`--${name}: expected a whole number above 0, found '${text}'.`);
}

function usage(message) {
  console.error(`${message}\nUsage: npm run bench [-- [--quick] [--json] [--device cuda] [--threads N] [--rounds N] [search terms]]`);
  return process.exit(2);
}

function showProgress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function writeMarkdown() {
  const date = new Date().toISOString().slice(0, 10);
  const { results } = measured[0];
  const facts = [
    ...(settings.device === 'cpu' ? [] : [['device', graphicsCard()]]),
    ['processor', `${cpus()[0].model.trim()}, ${settings.threads} threads of ${availableParallelism()}`],
    ['other work', `took at most ${(Math.max(...measured.map(({ othersShare }) => othersShare)) * 100).toFixed(0)} % of the machine meanwhile`],
    ['ours', `LibTorch ${results['ours bf16'].version}, Node.js ${process.versions.node}`],
    ['eager', python ? `PyTorch ${results['eager fp32'].version}` : 'not measured: no Python with PyTorch'],
    ['rounds', `${settings.rounds}, a fresh process per measurement, order rotated; ${settings.warmupMs / 1000} s warm-up, then ${settings.measureMs / 1000} s`],
  ];
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  const path = fileURLToPath(new URL(`results/${date}-${settings.device.replace(':', '-')}.md`, import.meta.url));
  writeFileSync(path, asMarkdown(measured, { date, device: settings.device, command, facts }));
  say(`Written to ${path}`);
}

function graphicsCard() {
  const { stdout } = spawnSync('nvidia-smi', ['--query-gpu=name,driver_version', '--format=csv,noheader'], { encoding: 'utf8' });
  const [name, driver] = (stdout ?? '').trim().split('\n')[0].split(', ');
  return driver ? `${name}, driver ${driver}` : 'unknown: nvidia-smi does not answer';
}
