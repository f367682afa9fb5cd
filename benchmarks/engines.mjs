/** The programs that measure, and the child process that each measurement is. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Command and script by engine. */
function programOf(engine, { python }) {
  return engine === 'pytorch' ? [python, here('pytorch.py')] : [process.execPath, here(`${engine}.mjs`)];
}

/** Why an engine cannot run; undefined if it can. */
export function absence(engine, { python }) {
  if (['pytorch', 'onnxruntime'].includes(engine) && !python) return 'no Python with PyTorch was found (set SPARRING_PYTHON to one)';
  const needed = packages[engine];
  if (needed && !isInstalled(needed)) return `${needed} is not installed (npm install --prefix benchmarks)`;
  return undefined;
}

/** Of benchmarks/package.json, which nothing else needs. */
const packages = { onnxruntime: 'onnxruntime-node', tfjs: '@tensorflow/tfjs' };

function isInstalled(name) {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a contender on a job, hands `work` a function that has it do one verb after the other (check, warm, time, ...; their
 * answers are JSON), and ends it. settings: { python, threads, timeoutSeconds, cache }; more: environment variables, and what is
 * called with each other line that is printed. Throws an Error that says how it failed.
 */
export async function withContender({ engine, name }, job, settings, work, { variables = {}, onLine = () => {} } = {}) {
  const { threads, timeoutSeconds, cache } = settings;
  // The same OpenMP settings for all, those of lib/native/load.ts: the rivals are faster with them too.
  const { OMP_WAIT_POLICY: _, ...inherited } = process.env;
  const env = {
    ...inherited, GOMP_SPINCOUNT: '30000', OMP_NUM_THREADS: String(threads), PYTHONDONTWRITEBYTECODE: '1',
    TORCHINDUCTOR_CACHE_DIR: `${cache}/inductor`, TRITON_CACHE_DIR: `${cache}/triton`, // compiled once, there for all rounds
    UV_THREADPOOL_SIZE: String(threads), // decodes JPEGs on our side
    ...variables,
  };
  const [command, script] = programOf(engine, settings);
  const child = spawn(command, [script, JSON.stringify(job)], { env });
  running.add(child);
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (complaints += text));
  child.stdin.on('error', () => {}); // it is gone; what follows says why
  const ended = new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function answer() {
    for (;;) {
      const { done, value } = await answers.next();
      if (done) return undefined;
      if (value.startsWith('{')) return JSON.parse(value);
      onLine(value); // of a library
    }
  }

  async function ask(verb) {
    let isLate = false;
    const timer = setTimeout(() => ((isLate = true), child.kill('SIGKILL')), timeoutSeconds * 1000);
    child.stdin.write(`${verb}\n`);
    const found = await answer();
    clearTimeout(timer);
    if (isLate) throw new Error(`${name} took longer than ${timeoutSeconds} s to ${verb}`);
    if (!found) throw new Error(`${name} failed to ${verb} (${await ended}):\n${complaints.trim()}`);
    return found;
  }

  try {
    return await work(ask);
  } finally {
    child.stdin.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(timer);
    running.delete(child);
  }
}
