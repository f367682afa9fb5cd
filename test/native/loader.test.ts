/**
 * The thin addon alone: it must load where there is no LibTorch, and refuse a wrong one with one clear error. The
 * libraries here are stand-ins of a few lines, compiled on the spot. Each scenario runs in a process of its own,
 * because a process opens libraries once and for all.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const require = createRequire(import.meta.url);
const addon = fileURLToPath(new URL('../../build/Release/sparring.node', import.meta.url));
const { builtFor } = require(addon) as { builtFor: string };
const [major, minor] = builtFor.split('.').map(Number);
const folder = mkdtempSync(join(tmpdir(), 'sparring-loader-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

function compile(path: string, source: string) {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(`${path}.cpp`, source);
  const headers = (require('node-api-headers') as { include_dir: string }).include_dir;
  execFileSync(process.env.CXX ?? 'c++', ['-shared', '-fPIC', '-I', headers, '-o', path, `${path}.cpp`]);
}

/** A folder with a LibTorch that states the given version. */
function fakeLibtorch(name: string, version: [number, number, number]) {
  const libDir = join(folder, name);
  const [packed] = [version.map((part, index) => `(${part}ULL << ${56 - 8 * index})`).join(' | ')];
  compile(join(libDir, 'libc10.so'), '');
  compile(
    join(libDir, 'libtorch_cpu.so'),
    `extern "C" unsigned long long aoti_torch_abi_version() { return ${packed}; }`,
  );
  return libDir;
}

const matching = fakeLibtorch('matching', [major, minor, 7]);
const newer = fakeLibtorch('newer', [major, minor + 1, 0]);
const core = join(folder, 'libsparring_core.so');
compile(
  core,
  `#include <node_api.h>
   extern "C" napi_value sparring_core_register(napi_env env, napi_value exports) {
     napi_value answer;
     napi_create_int32(env, 42, &answer);
     napi_set_named_property(env, exports, "answer", answer);
     return exports;
   }`,
);

interface Outcome {
  value?: unknown;
  error?: { sparringCode?: string; message: string; hint?: string };
}

/** Evaluates an expression in a fresh process, where `load` and the arguments given here are known. */
function evaluate(expression: string, env: Record<string, string> = {}): Outcome {
  const script = `
    const { load, kernels } = require(${JSON.stringify(addon)});
    const [matching, newer, core, folder] = ${JSON.stringify([matching, newer, core, folder])};
    (async () => (${expression}))().then(
      (value) => console.log(JSON.stringify({ value })),
      ({ sparringCode, message, hint }) => console.log(JSON.stringify({ error: { sparringCode, message, hint } })),
    );`;
  const output = execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', env: { ...process.env, ...env } });
  return JSON.parse(output) as Outcome;
}

function assertEnvironmentError({ error }: Outcome, ...parts: string[]) {
  assert.is(error?.sparringCode, 'environment');
  for (const part of parts) assert.match(error!.message, part);
  assert.ok(error!.hint);
}

test('states the version it was built for, and opens nothing by itself', () => {
  assert.match(builtFor, /^2\.\d+\.\d+$/);
  const maps = `require('fs').readFileSync('/proc/self/maps', 'utf8').includes('libtorch')`;
  assert.is(evaluate(maps).value, false);
});

test('a LibTorch of the same minor version is opened, and the core registers', () => {
  assert.is(evaluate('load({ libDir: matching, core, cuda: false }).answer').value, 42);
});

test('loading again gives the same object', () => {
  const twice = 'load({ libDir: matching, core, cuda: false }) === load({ libDir: matching, core, cuda: false })';
  assert.is(evaluate(twice).value, true);
});

test('a worker gets exports of its own and may end before the main thread', () => {
  const worker = `
    new Promise((resolve, reject) => {
      const { Worker } = require('worker_threads');
      const mine = load({ libDir: matching, core, cuda: false });
      const source = 'const { load } = require(' + JSON.stringify(${JSON.stringify(addon)}) + ');' +
        'require("worker_threads").parentPort.postMessage(load(require("worker_threads").workerData).answer)';
      const worker = new Worker(source, { eval: true, workerData: { libDir: matching, core, cuda: false } });
      let answer;
      worker.on('message', (message) => (answer = message)).on('error', reject);
      worker.on('exit', () => resolve([answer, mine.answer, load({ libDir: matching, core, cuda: false }) === mine]));
    })`;
  assert.equal(evaluate(worker).value, [42, 42, true]);
});

test('another minor version is refused before the core is opened', () => {
  const outcome = evaluate(`load({ libDir: newer, core: folder + '/never-opened.so', cuda: false })`);
  assertEnvironmentError(outcome, newer, `${major}.${minor + 1}.0`, `built for ${builtFor}`);
});

test('the version check can be switched off', () => {
  const env = { SPARRING_SKIP_VERSION_CHECK: '1' };
  assert.is(evaluate('load({ libDir: newer, core, cuda: false }).answer', env).value, 42);
});

test('a library that states no version is refused', () => {
  compile(join(folder, 'silent/libc10.so'), '');
  compile(join(folder, 'silent/libtorch_cpu.so'), '');
  const outcome = evaluate(`load({ libDir: folder + '/silent', core, cuda: false })`);
  assertEnvironmentError(outcome, 'does not state its version');
});

test('missing libraries are named', () => {
  assertEnvironmentError(evaluate(`load({ libDir: folder + '/empty', core, cuda: false })`), 'empty/libc10.so');
  assertEnvironmentError(evaluate('load({ libDir: matching, core, cuda: true })'), 'libc10_cuda.so');
  const gone = evaluate(`load({ libDir: matching, core: folder + '/gone.so', cuda: false })`);
  assertEnvironmentError(gone, 'gone.so');
});

test('kernels for CUDA are opened with it, and a library of them that does not fit is no error', () => {
  for (const name of ['libc10.so', 'libc10_cuda.so', 'libtorch_cuda.so']) compile(join(folder, 'with-cuda', name), '');
  compile(join(folder, 'with-cuda/libtorch_cpu.so'), `extern "C" unsigned long long aoti_torch_abi_version() { return ${major}ULL << 56 | ${minor}ULL << 48; }`);
  const registers = (body: string) => `#include <cstdlib>
    extern "C" const char* sparring_cuda_register(const char* libtorch, int interface) { ${body} }`;
  compile(join(folder, 'kernels.so'), registers('return interface > 0 ? nullptr : "no interface";'));
  compile(join(folder, 'refuses.so'), registers('return libtorch;'));
  compile(join(folder, 'environment.so'), registers('return std::getenv("CUBLAS_WORKSPACE_CONFIG");'));
  compile(join(folder, 'old.so'), 'int kernel() { return 1; }');
  compile(join(folder, 'unfit.so'), 'extern "C" int missing_kernel(); int use() { return missing_kernel(); }');
  const after = (cuda: boolean, name: string, env: Record<string, string> = {}) => {
    const expression = `[load({ libDir: folder + '/with-cuda', core, cuda: ${cuda}, kernels: folder + '/${name}' }).answer, kernels()]`;
    const [answer, state] = evaluate(expression, env).value as [number, { loaded: boolean; problem: string }];
    assert.is(answer, 42);
    return state;
  };
  assert.equal(after(true, 'kernels.so'), { loaded: true, problem: '' });
  assert.equal(after(false, 'kernels.so'), { loaded: false, problem: '' });
  assert.equal(after(true, 'refuses.so'), { loaded: false, problem: `${folder}/refuses.so: ${major}.${minor}.0` }, 'told which LibTorch is open');
  assert.match(after(true, 'old.so').problem, 'old.so: it is of an older build');
  assert.match(after(true, 'environment.so').problem, ':4096:8', 'cuBLAS has a workspace of its own');
  assert.match(after(true, 'environment.so', { CUBLAS_WORKSPACE_CONFIG: ':16:8' }).problem, ':16:8', 'what is set stays');
  const unfit = after(true, 'unfit.so');
  assert.is(unfit.loaded, false);
  assert.match(unfit.problem, 'missing_kernel');
});

test('a core that does not fit is refused', () => {
  compile(join(folder, 'broken.so'), 'extern "C" int missing_symbol(); int use() { return missing_symbol(); }');
  const broken = evaluate(`load({ libDir: matching, core: folder + '/broken.so', cuda: false })`);
  assertEnvironmentError(broken, 'broken.so', 'missing_symbol');
  const stranger = evaluate(`load({ libDir: matching, core: matching + '/libc10.so', cuda: false })`);
  assertEnvironmentError(stranger, 'sparring_core_register');
});

test('a failed attempt can be repaired, but two LibTorch folders never mix', () => {
  const attempt = (options: string) =>
    `(() => { try { load(${options}); return 'loaded'; } catch (e) { return e.message; } })()`;
  const good = '{ libDir: matching, core, cuda: false }';
  const outcome = evaluate(`[
    ${attempt('{ libDir: matching, core: folder + "/gone.so", cuda: false }')},
    ${attempt(good)},
    ${attempt('{ libDir: newer, core, cuda: false }')},
    ${attempt('{ libDir: matching, core, cuda: true }')},
  ]`);
  const [first, second, third, fourth] = outcome.value as string[];
  assert.match(first, 'gone.so');
  assert.is(second, 'loaded');
  assert.match(third, 'already open from');
  assert.match(fourth, 'without CUDA');
});

test('wrong arguments are a TypeError', () => {
  for (const argument of ['', '1', '{}', '{ libDir: 1, core, cuda: false }', '{ libDir: matching, core, cuda: 0 }'])
    assert.match(evaluate(`load(${argument})`).error?.message ?? 'no error', 'Expected {');
});

test.run();
