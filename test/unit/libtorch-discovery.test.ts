import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { DiscoveryOptions } from '../../lib/libtorch/index.js';
import { findLibtorch, formatTrace, libtorchMissing } from '../../lib/libtorch/index.js';

let folder: string;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'sparring-discovery-'));
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

/** A folder that looks like a LibTorch of `version`. */
function fakeLibtorch(
  name: string,
  version: string,
  files: string[] = ['lib/libtorch_cpu.so', 'lib/libc10.so', 'include/torch/script.h'],
) {
  const root = join(folder, name);
  for (const file of files) {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  writeFileSync(join(root, 'version.py'), `__version__ = '${version}'\n`);
  return root;
}

/** A Python whose torch is in `root`. */
function fakePython(root: string) {
  const path = join(folder, 'python');
  writeFileSync(path, `#!/bin/sh\necho "${root}"\n`, { mode: 0o755 });
  return path;
}

function fakeInstallation(version: string) {
  const root = fakeLibtorch(`cache/sparring/libtorch/${version}-cpu-linux-x64/torch`, version);
  writeFileSync(join(root, '..', 'manifest.json'), JSON.stringify({ formatVersion: 1, version, source: { kind: 'wheel', name: 'torch.whl' }, files: {} }));
  return root;
}

/** Looks with the given variables only; the real Python and cache of this machine play no part. */
function look(env: Record<string, string>, options: DiscoveryOptions = {}) {
  const isolated = {
    SPARRING_PYTHON: join(folder, 'no-python'),
    XDG_CACHE_HOME: join(folder, 'cache'),
    PATH: process.env.PATH,
  };
  return findLibtorch({ ...options, env: { ...isolated, ...env } });
}

test('looks at the variables, then PyTorch, then the cache', () => {
  const env: Record<string, string> = {
    SPARRING_LIBTORCH: fakeLibtorch('first', '2.13.0'),
    LIBTORCH: fakeLibtorch('second', '2.13.0'),
    SPARRING_PYTHON: fakePython(fakeLibtorch('third', '2.13.0')),
  };
  const cached = fakeInstallation('2.13.0');
  const order: (string | undefined)[] = [];
  for (const variable of ['SPARRING_LIBTORCH', 'LIBTORCH', 'SPARRING_PYTHON', 'none']) {
    order.push(look(env).found?.root);
    delete env[variable];
  }
  assert.equal(order, [join(folder, 'first'), join(folder, 'second'), join(folder, 'third'), cached]);
});

test('a wrong version is recorded and the search goes on', () => {
  const old = fakeLibtorch('old', '1.13.1+cu117');
  const good = fakeLibtorch('good', '2.12.1+cpu');
  const { found, trace } = look({ SPARRING_LIBTORCH: old, LIBTORCH: good });
  assert.is(found?.root, good);
  assert.is(found?.version, '2.12.1+cpu');
  assert.is(found?.source, 'LIBTORCH');
  assert.equal(trace, [
    { source: 'SPARRING_LIBTORCH', path: old, verdict: 'version 1.13.1+cu117, but 2.11 to 2.13 are supported' },
    { source: 'LIBTORCH', path: good, verdict: 'accepted' },
  ]);
});

test('a built addon accepts its own minor version only, unless the check is switched off', () => {
  const env: Record<string, string> = { SPARRING_LIBTORCH: fakeLibtorch('a', '2.12.1') };
  const { found, trace } = look(env, { builtFor: '2.13.0' });
  assert.is(found, undefined);
  assert.is(trace[0].verdict, 'version 2.12.1, but the addon was built for 2.13.0');
  assert.ok(look(env, { builtFor: '2.12.0' }).found);
  assert.ok(look({ ...env, SPARRING_SKIP_VERSION_CHECK: '1' }, { builtFor: '2.13.0' }).found);
});

test('the newest installation in the cache is preferred', () => {
  fakeInstallation('2.11.0');
  const newest = fakeInstallation('2.13.0');
  fakeInstallation('2.12.0');
  assert.is(look({}).found?.root, newest);
  assert.is(look({}, { builtFor: '2.11.0' }).found?.version, '2.11.0');
});

test('the folder around, the folder itself and lib inside it all lead to the same place', () => {
  const root = fakeLibtorch('site-packages/torch', '2.13.0');
  for (const path of [join(root, '..'), root, join(root, 'lib')])
    assert.is(look({ SPARRING_LIBTORCH: path }).found?.root, root, path);
});

test('the version is read from an archive and from headers as well', () => {
  const root = fakeLibtorch('zip', '2.13.0');
  rmSync(join(root, 'version.py'));
  assert.match(look({ LIBTORCH: root }).trace[1].verdict, 'version cannot be read');
  const header = ['MAJOR 2', 'MINOR 11', 'PATCH 3'].map((part) => `#define TORCH_VERSION_${part}\n`).join('');
  mkdirSync(join(root, 'include/torch/headeronly'));
  writeFileSync(join(root, 'include/torch/headeronly/version.h'), header);
  assert.is(look({ LIBTORCH: root }).found?.version, '2.11.3');
  writeFileSync(join(root, 'build-version'), '2.13.0+cpu\n');
  assert.is(look({ LIBTORCH: root }).found?.version, '2.13.0+cpu');
});

test('headers are asked for to build, CUDA to use a GPU', () => {
  const bare = fakeLibtorch('bare', '2.13.0', ['lib/libtorch_cpu.so', 'lib/libc10.so']);
  assert.ok(look({ LIBTORCH: bare }).found);
  assert.match(look({ LIBTORCH: bare }, { forBuild: true }).trace[1].verdict, 'no include/torch');
  assert.match(look({ LIBTORCH: bare }, { cuda: true }).trace[1].verdict, 'CPU only');
  const cuda = fakeLibtorch('cuda', '2.13.0', ['lib/libtorch_cpu.so', 'lib/libc10.so', 'lib/libtorch_cuda.so']);
  assert.is(look({ LIBTORCH: cuda }, { cuda: true }).found?.cuda, true);
});

test('every place is named when nothing is found, with the command that helps', () => {
  const incomplete = fakeLibtorch('incomplete', '2.13.0', ['lib/libtorch_cpu.so']);
  const failing = join(folder, 'python');
  writeFileSync(failing, '#!/bin/sh\necho "broken interpreter" >&2\nexit 1\n', { mode: 0o755 });
  const discovery = look({ SPARRING_LIBTORCH: incomplete, LIBTORCH: '/does/not/exist', SPARRING_PYTHON: failing });
  assert.is(discovery.found, undefined);
  const error = libtorchMissing(discovery);
  assert.is(error.code, 'environment');
  for (const part of [
    `${incomplete}: no lib/libc10.so`,
    '/does/not/exist: no such folder',
    'broken interpreter',
    'nothing installed in',
  ])
    assert.match(error.message, part);
  assert.match(error.hint!, 'npx sparring libtorch install');
  assert.match(error.hint!, 'MB');
  assert.is(formatTrace(discovery.trace).split('\n').length, 4);
  assert.match(libtorchMissing(discovery, { cuda: true }).hint!, '--variant cu130');
});

test('without the named Python the trace says so', () => {
  assert.is(look({}).trace[2].verdict, 'no such command');
});

test.run();
