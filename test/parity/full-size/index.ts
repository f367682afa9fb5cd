/**
 * Every architecture at full size with random weights against its reference: `npm run parity -- --help`.
 *
 * The reference and then ours run in a process each, one after the other, and what they exchange is deleted with the row.
 * Rows are kept in runs/parity.jsonl, from which --resume goes on.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { pythonCommands } from '../../../lib/libtorch/python.js';
import { fullSize, type FullSize } from './architectures.js';
import { asLine, asMarkdown, misses, type Facts, type Job, type Row } from './report.js';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const rowsFile = at('../../../runs/parity.jsonl');
const document = at('../../../docs/parity.md');
const usageText = `Usage: npm run parity [-- [--python PATH] [--threads N] [--resume] [--write] [name ...]]

  --python   a Python with the references, else that of SPARRING_PYTHON, else python3 or python
  --threads  of either side; default: all cores
  --resume   leave out what has passed with the same addon, references and threads
  --write    write docs/parity.md when every architecture has passed

A name stands for each architecture whose name has it; without any, all are checked.`;

const options = {
  python: { type: 'string' },
  threads: { type: 'string', default: String(availableParallelism()) },
  resume: { type: 'boolean', default: false },
  write: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

const { values: given, positionals } = readArguments();
if (given.help) {
  console.log(usageText);
  process.exit(0);
}
const threads = Number(given.threads);
if (!(Number.isInteger(threads) && threads > 0)) usage(`--threads: expected a whole number above 0, found '${given.threads}'.`);
const strangers = positionals.filter((part) => !fullSize.some(({ name }) => name.includes(part)));
if (strangers.length > 0) usage(`No architecture has ${strangers.join(' or ')} in its name. There are:\n  ${fullSize.map(({ name }) => name).join('\n  ')}`);
const chosen = fullSize.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));

const python = given.python ?? pythonCommands().find((command) => spawnSync(command, ['--version']).status === 0) ?? 'python3';
const versions = referenceVersions();
/** What rows must agree in to stand in one table. */
const facts: Omit<Facts, 'libtorch' | 'resumed' | 'date'> = {
  versions, threads, processor: cpus()[0]!.model.trim(),
  addon: createHash('sha256').update(readFileSync(at('../../../build/Release/libsparring_core.so'))).digest('hex').slice(0, 12),
};

const kept = readRows();
const rows = given.resume ? kept.filter(({ name }) => chosen.some((one) => one.name === name)) : [];

let child: ReturnType<typeof spawn> | undefined;
let folder: string | undefined;
const removeFolder = (): void => {
  if (folder) rmSync(folder, { recursive: true, force: true });
};
process.on('exit', removeFolder);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    child?.kill(signal);
    removeFolder();
    console.error('\nInterrupted; --resume goes on from here.');
    process.exit(130);
  });
}

let failed = 0;
for (const one of chosen) {
  if (rows.some(({ name }) => name === one.name)) continue;
  try {
    const row = await measure(one);
    const missed = misses(row);
    console.log(asLine(row));
    for (const what of missed) console.log(`  MISSES ${what}`);
    if (missed.length > 0) failed += 1;
    else keep(one, row);
  } catch (error) {
    failed += 1;
    console.log(`${one.name}\n  FAILED ${(error as Error).message}`);
  }
}
console.log(`\n${rows.length} of ${chosen.length} hold${failed > 0 ? `, ${failed} do not` : ''}.`);
if (given.write) write();
process.exitCode = failed > 0 ? 1 : 0;

async function measure(one: FullSize): Promise<Row> {
  folder = mkdtempSync(join(tmpdir(), 'sparring-parity-'));
  try {
    const description = join(folder, 'description.json');
    const job: Job = { folder, threads, seed: 1 };
    const run = async <Result>(command: string, args: string[], more: Partial<Job> = {}): Promise<[result: Result, seconds: number]> => {
      writeFileSync(description, JSON.stringify({ ...one, ...job, ...more }));
      const startedAt = performance.now();
      const result = (await runChild(command, [...args, description])) as Result;
      return [result, (performance.now() - startedAt) / 1000];
    };
    const [reference, referenceSeconds] = await run<Required<Pick<Job, 'parts'>> & Pick<Row, 'parameters'>>(python, [at('../full_size.py')]);
    const [ours, oursSeconds] = await run<Pick<Row, 'parts' | 'libtorch'>>(process.execPath, ['--import', 'tsx', at('ours.ts')], { parts: reference.parts });
    return { name: one.name, parameters: reference.parameters, input: inputOf(one), parts: ours.parts, seconds: { ours: oursSeconds, reference: referenceSeconds }, libtorch: ours.libtorch };
  } finally {
    removeFolder();
    folder = undefined;
  }
}

/** The JSON on the last line that the child prints. */
function runChild(command: string, args: string[]): Promise<unknown> {
  const env = { ...process.env, OMP_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1', HF_HUB_OFFLINE: '1' };
  const started = (child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  let output = '';
  let complaints = '';
  started.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  started.stderr!.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  return new Promise((resolve, reject) => {
    started.once('error', reject);
    started.once('close', (code, signal) => {
      child = undefined;
      if (code !== 0) return reject(new Error(`${command} ended with ${signal ?? `exit code ${code}`}:\n${complaints.trim()}`));
      resolve(JSON.parse(output.trim().split('\n').at(-1)!));
    });
  });
}

function referenceVersions(): Record<string, string> {
  const { status, stdout, stderr, error } = spawnSync(python, [at('../full_size.py'), '--versions'], { encoding: 'utf8' });
  if (status === 0) return JSON.parse(stdout) as Record<string, string>;
  console.error(`${python}: ${error ? error.message : stderr.trim()}\nGive it with --python PATH or in SPARRING_PYTHON.`);
  return process.exit(3);
}

function inputOf(one: FullSize): string {
  if (one.kind === 'text') return `${one.texts.length} texts`;
  return `${('batch' in one ? one.batch : undefined) ?? 1} of ${one.size} px`;
}

/** Rows of an earlier run that still say what is so, the latest of each name. */
function readRows(): Row[] {
  if (!existsSync(rowsFile)) return [];
  const lines = readFileSync(rowsFile, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as { facts: object; entry: FullSize; row: Row });
  const known = new Set(fullSize.map((entry) => JSON.stringify(entry)));
  const valid = lines.filter((line) => JSON.stringify(line.facts) === JSON.stringify(facts) && known.has(JSON.stringify(line.entry)));
  return [...new Map(valid.map(({ row }) => [row.name, row])).values()];
}

function keep(entry: FullSize, row: Row): void {
  mkdirSync(at('../../../runs'), { recursive: true });
  appendFileSync(rowsFile, `${JSON.stringify({ facts, entry, row })}\n`);
  rows.push(row);
}

function write(): void {
  const all = fullSize.map(({ name }) => rows.find((row) => row.name === name)).filter((row) => row !== undefined);
  if (all.length < fullSize.length) return console.error(`docs/parity.md is not written: it needs all ${fullSize.length} architectures (--resume keeps what has passed).`);
  writeFileSync(document, asMarkdown(all, { ...facts, libtorch: all[0]!.libtorch, resumed: given.resume, date: new Date().toISOString().slice(0, 10) }));
  console.log('Written to docs/parity.md');
}

function readArguments() {
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return usage((error as Error).message);
  }
}

function usage(message: string): never {
  console.error(`${message}\n\n${usageText}`);
  process.exit(2);
}
