import { execFileSync, spawnSync } from 'node:child_process';
import fs, { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepNewest, makeFolder, readSavedJson, writeFileAtomic } from '../../lib/training/files.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-files-'));
test.after(() => rmSync(folder, { recursive: true }));

async function failure(promise: Promise<unknown>): Promise<any> {
  const error: any = await promise.then(() => undefined, (reason) => reason);
  assert.ok(error, 'expected a failure');
  return error;
}

test('replaces the whole file and leaves nothing beside it', async () => {
  const path = join(folder, 'a.txt');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, Uint8Array.of(50));
  assert.is(readFileSync(path, 'utf8'), '2');
  assert.equal(readdirSync(folder), ['a.txt']);
});

test('a folder and those above it, or an error that ends', () => {
  const deep = join(folder, 'x', 'y', 'z');
  makeFolder(deep);
  makeFolder(deep);
  assert.ok(statSync(deep).isDirectory());
  const file = join(folder, 'file');
  writeFileSync(file, '');
  assert.throws(() => makeFolder(file), /EEXIST/);
  assert.throws(() => makeFolder(join(file, 'below')), /EEXIST|ENOTDIR/);
  assert.throws(() => makeFolder('/proc/sparring/below'), /ENOENT/);
  rmSync(join(folder, 'x'), { recursive: true });
  rmSync(file);
});

test('a JSON file of ours: undefined without it, an error with the hint where it is damaged or cannot be read', () => {
  const path = join(folder, 'saved.json');
  const error = (): any => {
    try {
      return readSavedJson(path, 'Delete it.');
    } catch (reason) {
      return reason;
    }
  };
  assert.is(readSavedJson(path, ''), undefined);
  writeFileSync(path, '{"a": [1]}');
  assert.equal(readSavedJson(path, ''), { a: [1] });
  writeFileSync(path, '{"a": ');
  assert.equal([error().code, error().message, error().hint], ['data', `${path}: expected JSON, found something else.`, 'Delete it.']);
  rmSync(path);
  mkdirSync(path);
  assert.equal([error().code, error().message.startsWith(`cannot read ${path}`)], ['io', true]);
  rmSync(path, { recursive: true });
});

/** Makes every write through a file handle fail with `code` while `work` runs. */
async function withFailingWrites(code: string, work: () => Promise<void>): Promise<void> {
  const original = fs.promises.open;
  fs.promises.open = async (...request: Parameters<typeof original>) => {
    const file = await original(...request);
    file.writeFile = async () => {
      await file.write('half');
      throw Object.assign(new Error(`${code}: simulated`), { code });
    };
    return file;
  };
  syncBuiltinESMExports();
  try {
    await work();
  } finally {
    fs.promises.open = original;
    syncBuiltinESMExports();
  }
}

test('disk full: the error names the path, the old file is intact, no temporary file stays', async () => {
  const path = join(folder, 'full.txt');
  await writeFileAtomic(path, 'old');
  await withFailingWrites('ENOSPC', async () => {
    const error = await failure(writeFileAtomic(path, 'new'));
    assert.is(error.code, 'io');
    assert.match(error.message, /cannot write .*full\.txt: the disk is full \(ENOSPC\)/);
    assert.match(error.hint, /Free space/);
  });
  assert.is(readFileSync(path, 'utf8'), 'old');
  assert.equal(readdirSync(folder).filter((name) => name.endsWith('.tmp')), []);
});

test('a disk that is really full', async () => {
  const mount = join(folder, 'tiny');
  mkdirSync(mount);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', mount]).status !== 0) {
    console.log('skipped: a disk that is really full (mounting a small one needs root); the simulated one is tested');
    return;
  }
  try {
    const path = join(mount, 'weights');
    await writeFileAtomic(path, new Uint8Array(1000).fill(1));
    const error = await failure(writeFileAtomic(path, new Uint8Array(200_000)));
    assert.match(error.message, /the disk is full/);
    assert.equal(readdirSync(mount), ['weights']);
    assert.is(readFileSync(path).length, 1000);
  } finally {
    execFileSync('umount', [mount]);
  }
});

test('no permission and no folder', async () => {
  assert.match((await failure(writeFileAtomic(join(folder, 'nowhere', 'a'), 'x'))).message, /cannot write .*nowhere.a: no such file or folder/);
  await withFailingWrites('EACCES', async () => {
    const error = await failure(writeFileAtomic(join(folder, 'b'), 'x'));
    assert.is(error.code, 'io');
    assert.match(error.message, /permission denied \(EACCES\)/);
  });
  assert.not(existsSync(join(folder, 'b')));
  if (process.getuid?.() === 0) console.log('skipped: a real read-only folder (root may write everywhere); the simulated one is tested');
  else {
    const locked = join(folder, 'locked');
    mkdirSync(locked);
    chmodSync(locked, 0o500);
    assert.match((await failure(writeFileAtomic(join(locked, 'a'), 'x'))).message, /permission denied/);
  }
});

test('keeps the newest by number, files and folders alike', async () => {
  const place = join(folder, 'checkpoints');
  mkdirSync(place);
  for (const name of ['step-2.bin', 'step-10.bin', 'step-9.bin', 'best.bin']) writeFileSync(join(place, name), '');
  mkdirSync(join(place, 'step-1.bin/inside'), { recursive: true });
  assert.equal(await keepNewest(place, /^step-(\d+)\.bin$/, 2), ['step-9.bin', 'step-10.bin']);
  assert.equal(readdirSync(place).sort(), ['best.bin', 'step-10.bin', 'step-9.bin']);
  assert.equal(await keepNewest(place, /^step-(\d+)\.bin$/, 5), ['step-9.bin', 'step-10.bin']);
  assert.is((await failure(keepNewest(place, /^step-(\d+)/, 0))).code, 'config');
  assert.is((await failure(keepNewest(join(place, 'no'), /(\d)/, 1))).code, 'io');
});

test.run();
