/** The set-up script in a minimal checkout where nothing is built: what it says when it cannot go on. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const script = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));
let checkout: string;
test.before.each(() => {
  checkout = mkdtempSync(join(tmpdir(), 'sparring-setup-'));
  for (const folder of ['scripts', 'lib', 'node_modules', 'dist', 'path']) mkdirSync(join(checkout, folder));
  copyFileSync(script, join(checkout, 'scripts/setup.mjs'));
  symlinkSync(process.execPath, join(checkout, 'path/node'));
  for (const file of ['package-lock.json', 'node_modules/.package-lock.json'])
    writeFileSync(join(checkout, file), '{ "packages": {} }');
  writeFileSync(join(checkout, 'tsconfig.json'), '{}');
  writeFileSync(join(checkout, 'dist/.compiled'), ''); // the newest file: nothing to compile
  needs('>=20.19');
});
test.after.each(() => rmSync(checkout, { recursive: true, force: true }));

function needs(node: string) {
  writeFileSync(join(checkout, 'package.json'), JSON.stringify({ engines: { node } }));
}

/** Runs the set-up with a PATH that holds node and the given commands, none of which does anything. */
function setup(commands: string[], env: Record<string, string> = {}) {
  const path = join(checkout, 'path');
  for (const command of commands) writeFileSync(join(path, command), '#!/bin/sh\n', { mode: 0o755 });
  return spawnSync(process.execPath, [join(checkout, 'scripts/setup.mjs')], {
    encoding: 'utf8',
    env: { PATH: path, ...env },
  });
}

test('without a compiler and CMake it stops with one error that names both', () => {
  const { status, stderr, stdout } = setup([]);
  assert.is(status, 3);
  assert.match(stderr, 'a C++20 compiler and CMake 3.21 or newer not found');
  assert.match(stderr, 'sudo apt install');
  assert.not.match(stderr, /\n\s+at /);
  assert.is(stdout, '');
});

test('it names only what is missing', () => {
  const { status, stderr } = setup(['g++']);
  assert.is(status, 3);
  assert.match(stderr, 'CMake 3.21 or newer not found');
  assert.not.match(stderr, 'compiler and');
});

test('a CXX that does not exist is not replaced by another compiler', () => {
  const { status, stderr } = setup(['g++', 'cmake'], { CXX: 'g++-99' });
  assert.is(status, 3);
  assert.match(stderr, 'the compiler that CXX names (g++-99) not found');
});

test('a Node.js that is too old is told the version it needs', () => {
  needs('>=99.1');
  const { status, stderr } = setup(['g++', 'cmake']);
  assert.is(status, 3);
  assert.match(stderr, `Node.js ${process.versions.node} is too old; 99.1 or newer is needed`);
});

test('with the tools in place it goes on to LibTorch', () => {
  mkdirSync(join(checkout, 'dist/libtorch'));
  const trace = `[{ source: 'LIBTORCH', path: '/elsewhere', verdict: 'no such folder' }]`;
  writeFileSync(
    join(checkout, 'dist/libtorch/index.js'),
    `export const findLibtorch = () => ({ trace: ${trace} });
     export const formatTrace = (trace) => JSON.stringify(trace);
     export const showSteps = () => ({ end() {} });
     export async function installLibtorch() {
       throw Object.assign(new Error('LibTorch could not be fetched'), { code: 'environment', hint: 'use --from' });
     }`,
  );
  writeFileSync(
    join(checkout, 'package.json'),
    readFileSync(join(checkout, 'package.json'), 'utf8').replace('{', '{"type":"module",'),
  );
  const { status, stderr } = setup(['c++', 'cmake']);
  assert.is(status, 3);
  assert.match(stderr, '/elsewhere');
  assert.match(stderr, 'Set-up stopped: LibTorch could not be fetched\nuse --from');
});

test('the addon is built again once both CUDA and its compiler are there, and not otherwise', () => {
  const at = (path: string) => join(checkout, path);
  for (const folder of ['dist/libtorch', 'native', 'node_modules/cmake-js/bin', 'libtorch', 'build/Release']) mkdirSync(at(folder), { recursive: true });
  const found = JSON.stringify({ root: checkout, libDir: at('libtorch'), version: '2.13.0' });
  writeFileSync(at('dist/libtorch/index.js'), `export const findLibtorch = () => ({ found: ${found}, trace: [] });`);
  for (const file of ['CMakeLists.txt', 'build/CMakeCache.txt', 'build/Release/sparring.node', 'build/Release/libsparring_core.so']) writeFileSync(at(file), '');
  writeFileSync(at('package.json'), JSON.stringify({ type: 'module', engines: { node: '>=20.19' } }));
  writeFileSync(at('node_modules/cmake-js/package.json'), '{}');
  writeFileSync(at('node_modules/cmake-js/bin/cmake-js'), 'console.log(`cmake-js ${process.argv[2]}`);');
  const verbs = (commands: string[]) => {
    const { status, stderr } = setup(['g++', 'cmake', ...commands]);
    assert.is(status, 0, stderr);
    return [...stderr.matchAll(/^cmake-js (.*)$/gm)].map((match) => match[1]);
  };
  assert.equal(verbs([]), ['configure', 'build']);
  assert.equal(verbs([]), []);
  writeFileSync(at('libtorch/libtorch_cuda.so'), '');
  assert.equal(verbs([]), [], 'CUDA without a compiler');
  assert.equal(verbs(['nvcc']), ['configure', 'build']);
  assert.equal(verbs(['nvcc']), []);
});

test.run();
