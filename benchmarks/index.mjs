/**
 * Times the main operations against PyTorch and what there is in Node.
 *
 *   npm run bench [-- [--quick] [--json] [--device cuda] [--threads N] [--rounds N] [--contenders terms] [--seconds N]
 *                     [--timeout seconds] [--output folder] [--cache folder] [search terms]]
 *
 * Runs the trials whose name has every search term with the contenders whose name has one of the terms, which commas part. The
 * Python of the rivals is SPARRING_PYTHON, python3 or python. A complete run is written to
 * benchmarks/results/<date>-<device>.md; --output writes whatever was run, after each trial. --quick (one short round) is a
 * smoke test. A measurement takes three seconds or --seconds of them, after a third of that to warm up. A rival of which a step
 * takes longer than the timeout is left out.
 * --cache keeps weights of published size and compiled code for further runs.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { installedTorch, pythonCommands } from '../dist/libtorch/python.js';
import { contenders } from './contenders.mjs';
import { graphicsCard } from './machine.mjs';
import { measureTrial } from './measure.mjs';
import { asJson, asLines, asMarkdown } from './report.mjs';
import { trials } from './trials.mjs';

const options = {
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  device: { type: 'string', default: 'cpu' },
  threads: { type: 'string', default: String(availableParallelism()) },
  rounds: { type: 'string' },
  contenders: { type: 'string', default: '' },
  seconds: { type: 'string' },
  timeout: { type: 'string', default: '1800' },
  output: { type: 'string' },
  cache: { type: 'string' },
};

const { values, positionals } = readArguments();
const here = trials.filter(({ devices = ['cpu', 'cuda'] }) => devices.includes(values.device.split(':')[0]));
const selected = here.filter(({ name }) => positionals.every((term) => name.toLowerCase().includes(term.toLowerCase())));
if (selected.length === 0) usage(`No trial has ${positionals.join(' and ')} in its name. There are:\n  ${here.map(({ name }) => name).join('\n  ')}`);

const python = pythonCommands().find((command) => 'root' in installedTorch(command));
const settings = {
  python,
  device: values.device,
  threads: count('threads', values.threads),
  rounds: count('rounds', values.rounds ?? (values.quick ? '1' : '5')),
  terms: values.contenders.split(','),
  timeoutSeconds: count('timeout', values.timeout),
  ...durations(count('seconds', values.seconds ?? '3')),
};
// With --json, standard output is kept for the result.
const say = values.json ? console.error : console.log;
if (!python) say('No Python with PyTorch was found (set SPARRING_PYTHON to one): ours only, no ratios.\n');

const measured = [];
const cache = values.cache ?? mkdtempSync(join(tmpdir(), 'sparring-bench-cache-')); // weights of published size take gigabytes
mkdirSync(cache, { recursive: true });
if (!values.cache) process.once('exit', () => rmSync(cache, { recursive: true, force: true, maxRetries: 3 }));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
for (const trial of selected) {
  try {
    measured.push(await measureTrial(trial, { ...settings, cache }, showProgress));
    showProgress('');
    say(`${asLines(measured.at(-1))}\n`);
    if (values.output) writeResults(values.output);
  } catch (error) {
    showProgress('');
    console.error(`${error.message}\n`);
    process.exitCode = 1;
  }
}
if (!values.quick && !values.contenders && measured.length === here.length) writeMarkdown(fileURLToPath(new URL('results/', import.meta.url)));
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

function durations(seconds) {
  return values.quick ? { warmupMs: 100, measureMs: 300 } : { warmupMs: (seconds * 1000) / 3, measureMs: seconds * 1000 };
}

function usage(message) {
  console.error(`${message}\nUsage: npm run bench [-- [--quick] [--json] [--device cuda] [--threads N] [--rounds N] [--contenders terms] [--seconds N]
                        [--timeout seconds] [--output folder] [--cache folder] [search terms]]`);
  return process.exit(2);
}

function showProgress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

function writeResults(folder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'results.json'), `${JSON.stringify(asJson(measured), null, 2)}\n`);
  writeMarkdown(folder);
}

function writeMarkdown(folder) {
  const date = new Date().toISOString().slice(0, 10);
  const versionOf = (engine) => {
    const names = contenders.filter((one) => one.engine === engine).map(({ name }) => name);
    return measured.flatMap(({ results }) => Object.entries(results)).find(([name]) => names.includes(name))?.[1].version;
  };
  const rivals = Object.entries({ pytorch: 'PyTorch', onnxruntime: 'onnxruntime-node', tfjs: 'TensorFlow.js' }).filter(([engine]) => versionOf(engine));
  const facts = [
    ...(settings.device === 'cpu' ? [] : [['device', graphicsCard(settings.device)]]),
    ['processor', `${cpus()[0].model.trim()}, ${settings.threads} threads of ${availableParallelism()}`],
    ['other work', `took at most ${(Math.max(...measured.map(({ othersShare }) => othersShare)) * 100).toFixed(0)} % of the machine meanwhile`],
    ['ours', `LibTorch ${versionOf('ours')}, Node.js ${process.versions.node}`],
    ['rivals', rivals.map(([engine, name]) => `${name} ${versionOf(engine)}`).join(', ') || 'none'],
    ['rounds', `${settings.rounds}, a fresh process per measurement, the first of which also compares results; order rotated; ${(settings.warmupMs / 1000).toFixed(1)} s warm-up, then ${settings.measureMs / 1000} s`],
  ];
  const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ');
  const path = join(folder, `${date}-${settings.device.replace(':', '-')}.md`);
  writeFileSync(path, asMarkdown(measured, { date, device: settings.device, command, facts }));
  say(`Written to ${path}`);
}
