/**
 * Times the main operations against PyTorch and what there is in Node.
 *
 *   npm run bench [-- [--quick] [--json] [--device cuda] [--threads N] [--rounds N] [--contenders terms] [--seconds N]
 *                     [--timeout seconds] [--output folder] [--cache folder] [--without term] [search terms]]
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

import { readArguments } from './arguments.mjs';
import { contenders } from './contenders.mjs';
import { graphicsCard } from './machine.mjs';
import { measureTrial } from './measure.mjs';
import { asJson, asLines, asMarkdown } from './report.mjs';

const usage = `npm run bench [-- [--quick] [--json] [--device cuda] [--threads N] [--rounds N] [--contenders terms] [--seconds N]
                        [--timeout seconds] [--output folder] [--cache folder] [--without term] [search terms]]`;
const options = {
  quick: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  output: { type: 'string' },
  cache: { type: 'string' },
};
const { values, settings: asked, trials, selected } = readArguments(usage, options, { rounds: ({ quick }) => (quick ? 1 : 5) });
const settings = values.quick ? { ...asked, warmupMs: 100, measureMs: 300 } : asked;
// With --json, standard output is kept for the result.
const say = values.json ? console.error : console.log;
if (!settings.python) say('No Python with PyTorch was found (set SPARRING_PYTHON to one): ours only, no ratios.\n');

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
if (!values.quick && !values.contenders && measured.length === trials.length) writeMarkdown(fileURLToPath(new URL('results/', import.meta.url)));
if (values.json) console.log(JSON.stringify(asJson(measured)));

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
