import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { SparringError } from '../../lib/errors.js';
import type { InstallOptions } from '../../lib/libtorch/index.js';
import {
  findLibtorch,
  installLibtorch,
  listInstallations,
  removeInstallation,
  verifyInstallation,
} from '../../lib/libtorch/index.js';
import { writeZip } from './support/zip.js';

let folder: string;
let cache: string;
let env: NodeJS.ProcessEnv;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'sparring-install-'));
  cache = join(folder, 'cache/sparring/libtorch');
  env = { PATH: process.env.PATH, XDG_CACHE_HOME: join(folder, 'cache'), SPARRING_PYTHON: join(folder, 'no-python') };
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

const WHEEL = {
  'torch/version.py': "__version__ = '2.13.0+cpu'\n",
  'torch/lib/libtorch_cpu.so': 'cpu library',
  'torch/lib/libc10.so': 'c10 library',
  'torch/lib/libgomp.so.1': 'openmp',
  'torch/lib/libtorch_python.so': 'not needed',
  'torch/lib/libtorchbind_test.so': 'not needed',
  'torch/include/torch/torch.h': '// header',
  'torch/nn/functional.py': 'not needed',
  'torch-2.13.0+cpu.dist-info/licenses/LICENSE': 'BSD',
};

let wheels = 0;
function wheel(changes: Record<string, string | undefined> = {}) {
  const entries = Object.entries({ ...WHEEL, ...changes }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const path = join(folder, `torch-2.13.0+cpu-${wheels++}.whl`);
  writeZip(path, Object.fromEntries(entries));
  return path;
}

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
const install = (options: InstallOptions) => installLibtorch({ env, ...options });

/** Installs, expecting one SparringError. */
async function refused(options: InstallOptions): Promise<SparringError> {
  try {
    await install(options);
  } catch (error) {
    assert.instance(error, SparringError);
    return error as SparringError;
  }
  throw new Error('The installation was accepted.');
}

/** Serves `file` on localhost; the first answer breaks off in the middle when asked to. */
async function serve(file: string, { breakFirst = false } = {}) {
  const requests: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const content = readFileSync(file);
    requests.push(request.headers.range);
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': content.length - start });
    if (breakFirst && requests.length === 1)
      response.write(content.subarray(0, content.length >> 1), () => setTimeout(() => response.destroy(), 500));
    else response.end(content.subarray(start));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/libtorch.zip`;
  return { url, requests, close: () => server.close() };
}

test('a wheel is unpacked without what only Python needs, and is found afterwards', async () => {
  const from = wheel();
  const { root, directory, record } = await install({ from });
  assert.is(record.version, '2.13.0+cpu');
  assert.is(record.source.sha256, sha256(from));
  assert.equal(Object.keys(record.files).sort(), [
    'licences/torch-2.13.0+cpu/LICENSE',
    'torch/include/torch/torch.h',
    'torch/lib/libc10.so',
    'torch/lib/libgomp.so.1',
    'torch/lib/libtorch_cpu.so',
    'torch/version.py',
  ]);
  assert.is(readFileSync(join(root, 'lib/libtorch_cpu.so'), 'utf8'), 'cpu library');
  assert.is(statSync(join(root, 'lib/libtorch_cpu.so')).mode & 0o777, 0o755);
  assert.not(existsSync(join(root, 'lib/libtorch_python.so')));
  assert.equal(readdirSync(directory).sort(), ['licences', 'manifest.json', 'torch']);
  assert.is(findLibtorch({ env, forBuild: true }).found?.root, root);
});

test('an archive and a folder end up in the same layout', async () => {
  const zip = join(folder, 'libtorch.zip');
  writeZip(zip, {
    'libtorch/build-version': '2.12.0+cpu\n',
    'libtorch/lib/libtorch_cpu.so': 'x',
    'libtorch/lib/libc10.so': 'y',
  });
  const fromZip = await install({ from: zip });
  assert.is(fromZip.name, '2.12.0-cpu-linux-x64');
  const copy = join(folder, 'elsewhere');
  mkdirSync(join(copy, 'lib'), { recursive: true });
  for (const file of ['build-version', 'lib/libtorch_cpu.so', 'lib/libc10.so'])
    writeFileSync(join(copy, file), readFileSync(join(fromZip.root, file)));
  removeInstallation(fromZip.name, env);
  const fromFolder = await install({ from: copy });
  assert.equal(fromFolder.record.files, fromZip.record.files);
  assert.is(fromFolder.record.source.kind, 'directory');
});

test('verify finds what changed and what is gone; remove removes', async () => {
  const installation = await install({ from: wheel() });
  assert.equal(await verifyInstallation(installation), { files: 6, missing: [], changed: [] });
  writeFileSync(join(installation.root, 'lib/libc10.so'), 'c10 librarY');
  rmSync(join(installation.root, 'lib/libgomp.so.1'));
  const { missing, changed } = await verifyInstallation(installation);
  assert.equal([missing, changed], [['torch/lib/libgomp.so.1'], ['torch/lib/libc10.so']]);
  removeInstallation(installation.name, env);
  assert.equal(readdirSync(cache), []);
  assert.throws(() => removeInstallation(installation.name, env), /no LibTorch installation named/);
});

for (const name of [
  'torch/include/../../../../../escaped.h',
  '/torch/include/escaped.h',
  'torch\\include\\..\\..\\escaped.h',
])
  test(`the entry ${name} is refused and nothing is left behind`, async () => {
    const error = await refused({ from: wheel({ [name]: 'evil' }) });
    assert.is(error.code, 'environment');
    assert.match(error.message, /escaped\.h|invalid relative path|absolute path|invalid characters/);
    assert.equal(readdirSync(cache), []);
    assert.not(existsSync(join(folder, 'escaped.h')));
  });

test('bad input is refused with its reason and leaves the cache as it was', async () => {
  const good = await install({ from: wheel() });
  const truncated = join(folder, 'truncated.whl');
  writeFileSync(truncated, readFileSync(wheel()).subarray(0, 300));
  const cases: [InstallOptions, RegExp][] = [
    [{ from: wheel(), sha256: '0'.repeat(64) }, /Wrong checksum/],
    [{ from: truncated }, /not a usable zip/],
    [{ from: wheel({ 'torch/lib/libc10.so': undefined }) }, /no lib\/libc10\.so/],
    [{ from: wheel({ 'torch/version.py': "__version__ = '2.4.0'\n" }) }, /LibTorch 2\.4\.0; expected 2\.11 to 2\.13/],
    [{ from: wheel({ 'torch/version.py': undefined }) }, /unknown version/],
    [{ from: wheel(), variant: 'cu130' }, /no lib\/libtorch_cuda\.so/],
    [{ from: wheel({ 'torch/version.py': "__version__ = '2.13.0+cu130'\n", 'torch/lib/libtorch_cuda.so': 'for GPUs' }) }, /expected a LibTorch for the CPU, found one with CUDA/],
    [{ from: wheel({ 'torch/lib/libtorch_cuda.so': 'for GPUs' }), variant: 'cu130' }, /found no libcublas\.so/],
    [{ from: join(folder, 'nothing.whl') }, /no such file/],
    [{ sha256: '0'.repeat(64) }, /--from/],
  ];
  for (const [options, reason] of cases) {
    const error = await refused(options);
    assert.match(error.message, reason);
    assert.ok(error.hint, error.message);
    assert.equal(readdirSync(cache), [good.name], error.message);
  }
  assert.equal((await verifyInstallation(listInstallations(env)[0])).changed, []);
});

test('with the right checksum a file is accepted, and replaces what was there', async () => {
  await install({ from: wheel() });
  const newer = wheel({ 'torch/lib/libc10.so': 'second edition' });
  const { root } = await install({ from: newer, sha256: sha256(newer).toUpperCase() });
  assert.is(readFileSync(join(root, 'lib/libc10.so'), 'utf8'), 'second edition');
  assert.is(listInstallations(env).length, 1);
});

test('a record that is damaged is no installation', async () => {
  const { directory } = await install({ from: wheel() });
  for (const record of ['', '{"formatVersion":1}', '{"formatVersion":1,"version":"2.13.0","source":null,"files":{}}']) {
    writeFileSync(join(directory, 'manifest.json'), record);
    assert.equal(listInstallations(env), []);
  }
});

test('two installations at once and the remains of a killed one do not disturb each other', async () => {
  const dead = 2 ** 22 + 1; // above the largest process id of Linux
  mkdirSync(join(cache, `.tmp-${dead}-abandoned/tree`), { recursive: true });
  writeFileSync(join(cache, '.cpu.lock'), `${dead} ${hostname()}`);
  const waits: string[] = [];
  const from = wheel();
  const both = await Promise.all([1, 2].map(() => install({ from, onStep: (text) => waits.push(text) })));
  assert.is(both[0].root, both[1].root);
  assert.equal(readdirSync(cache), [both[0].name]);
  assert.is(waits.filter((text) => text.startsWith('Waiting for')).length, 1);
});

test('an interrupted download is continued and its checksum decides', async () => {
  const file = wheel();
  const { url, requests, close } = await serve(file, { breakFirst: true });
  try {
    const source = { kind: 'archive' as const, url, size: 1, sha256: sha256(file) };
    const error = await refused({ sources: [source] });
    assert.match(error.message, url);
    let last: number[] = [];
    const { record } = await install({ sources: [source], onProgress: (done, total) => (last = [done, total]) });
    assert.equal(requests, [undefined, `bytes=${statSync(file).size >> 1}-`]);
    assert.is(record.source.sha256, source.sha256);
    assert.is(last[0], last[1]);
    assert.equal(readdirSync(cache), ['2.13.0-cpu-linux-x64']);
    assert.is(
      (await install({ sources: [] })).record.installedAt,
      record.installedAt,
      'the second time nothing is fetched',
    );
  } finally {
    close();
  }
});

test('a disk that is full during a download is an error of its own, and no other source is tried', async () => {
  const file = wheel();
  const { url, requests, close } = await serve(file);
  const part = join(cache, `.${basename(new URL(url).pathname)}.part`);
  try {
    const source = { kind: 'archive' as const, url, size: 1, sha256: sha256(file) };
    mkdirSync(cache, { recursive: true });
    symlinkSync('/dev/full', part);
    const error = await refused({ sources: [source, source] });
    assert.equal([error.code, requests.length], ['io', 1]);
    assert.match(error.message, /ENOSPC/);
    assert.match(error.hint, 'Free space');
    const python = join(folder, 'pip-without-room');
    writeFileSync(python, "#!/bin/sh\necho \"ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\" >&2\nexit 1\n", { mode: 0o755 });
    env.SPARRING_PYTHON = python;
    const ofPip = await refused({ sources: [{ kind: 'wheel', requirement: 'torch==2.13.0+cpu', index: url, size: 1, withDependencies: false }] });
    assert.is(ofPip.code, 'io');
    assert.match(ofPip.message, 'No space left on device');
  } finally {
    delete env.SPARRING_PYTHON;
    close();
    rmSync(part, { force: true });
  }
});

test('a download with the wrong checksum is thrown away; pip is asked next', async () => {
  const file = wheel();
  const { url, close } = await serve(file);
  const python = join(folder, 'pip-stand-in');
  // Copies the wheel to the folder after --dest, as `pip download` would.
  writeFileSync(python, `#!/bin/sh\nwhile [ "$1" != --dest ]; do shift; done\nmkdir -p "$2"\ncp "${file}" "$2"\n`, {
    mode: 0o755,
  });
  try {
    const archive = { kind: 'archive' as const, url, size: 1, sha256: 'f'.repeat(64) };
    const fromPip = {
      kind: 'wheel' as const,
      requirement: 'torch==2.13.0+cpu',
      index: url,
      size: 1,
      withDependencies: false,
    };
    const refusedByAll = await refused({ sources: [archive, fromPip] });
    assert.match(refusedByAll.message, 'Wrong checksum');
    assert.match(refusedByAll.message, 'pip could not fetch');
    env.SPARRING_PYTHON = python;
    const wrong = await refused({ sources: [{ ...fromPip, sha256: 'e'.repeat(64) }] });
    assert.match(wrong.message, 'Wrong checksum');
    assert.equal(readdirSync(cache), []);
    const { record } = await install({ sources: [archive, { ...fromPip, sha256: sha256(file) }] });
    assert.equal(record.source, { kind: 'wheel', name: basename(file), sha256: sha256(file) });
  } finally {
    close();
  }
});

test('an installation can be cancelled', async () => {
  const error = await refused({ from: wheel(), signal: AbortSignal.abort() });
  assert.is(error.code, 'aborted');
  assert.equal(readdirSync(cache), []);
});

test.run();
