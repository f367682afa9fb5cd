import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { checkData } from '../../lib/data/check.js';
import { resolveConfig } from '../../lib/config/load.js';
import { openData } from '../../lib/data/open.js';
import { SparringError } from '../../lib/errors.js';
import { cli } from '../support/cli.js';
import { image, Scratch, text, webPage } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

async function photographs(): Promise<{ root: string; config: string }> {
  const root = scratch.folder();
  for (const split of ['train', 'val', 'test']) {
    for (const group of ['cat/grass', 'cat/snow', 'dog/grass', 'dog/snow']) for (let i = 0; i < 3; i++) await image(join(root, split, group, `${i}.jpg`), { width: 20 + i, height: 30 });
  }
  return { root, config: text(join(root, 'run.yaml'), 'data: { kind: folder, root: ., imageSize: 8 }\n') };
}

test('a whole dataset: splits, groups and sizes; exit code 0', async () => {
  const { config } = await photographs();
  const { status, stdout, stderr } = cli(['data', 'check', '--config', config, '--quiet']);
  assert.is(status, 0, stderr);
  assert.is(stderr, '');
  assert.match(stdout, /class and attribute folders in /);
  assert.match(stdout, /train +12 images\n  cat\/grass +3\n/);
  assert.match(stdout, /image sizes, of 36: 20 x 30 to 22 x 30, most often 20 x 30/);
  assert.match(stdout, /Nothing is wrong\.\n$/);
});

test('an absent group is noted and not wrong: that is what the method is for', async () => {
  const { root, config } = await photographs();
  rmSync(join(root, 'train/cat/snow'), { recursive: true });
  const { status, stdout } = cli(['data', 'check', '--config', config, '--quiet']);
  assert.is(status, 0);
  assert.match(stdout, /note: train: no image of cat\/snow; the student never sees them/);
  const empty = await checkData(resolveConfig({ data: { kind: 'folder', root, imageSize: 8, dropGroups: ['cat/snow', 'cat/ice'] } }).data);
  assert.is(empty.ok, false);
  assert.match(empty.findings.at(-1)!.text, /dropGroups: there is no group cat\/ice; the groups are cat\/grass, cat\/snow/);
});

test('unreadable images: all of them, exit code 1, also as JSON', async () => {
  const { root, config } = await photographs();
  text(join(root, 'train/cat/grass/1.jpg'), webPage);
  text(join(root, 'test/dog/snow/2.jpg'), 'not an image');
  const plain = cli(['data', 'check', '--config', config]);
  assert.is(plain.status, 1);
  assert.match(plain.stdout, /PROBLEM: 2 images cannot be read:/);
  assert.match(plain.stdout, /train.cat.grass.1\.jpg: expected a JPEG, PNG or WebP image, found a web page \(HTML\)/);
  assert.match(plain.stderr, /decoding 100%/);
  const { status, stdout } = cli(['data', 'check', '--config', config, '--json', '--quiet']);
  assert.is(status, 1);
  const result = JSON.parse(stdout);
  assert.equal([result.command, result.ok, result.unreadable.length, result.splits[0].images], ['data check', false, 2, 12]);
  assert.match(result.unreadable[0].path, /test.dog.snow.2\.jpg$/);
});

test('counts that differ from the published ones are shown beside them, and are wrong', async () => {
  const root = scratch.folder();
  for (const split of ['train', 'val', 'test']) for (const group of ['landbirds/land', 'landbirds/water', 'waterbirds/land', 'waterbirds/water']) await image(join(root, split, group, '1.jpg'));
  const { status, stdout } = cli(['data', 'check', '--config', text(join(root, 'run.yaml'), 'data: { kind: spuco-birds, root: . }'), '--quiet']);
  assert.is(status, 1);
  assert.match(stdout, /landbirds\/land +1  published: 10,000/);
  assert.match(stdout, /PROBLEM: validation: other numbers of images than published: landbirds\/land 1 instead of 500, landbirds\/water 1 instead of 25/);
});

test('a layout that does not fit is one error; drawn pictures have groups and nothing to decode', async () => {
  const root = scratch.folder();
  mkdirSync(join(root, 'inner/train'), { recursive: true });
  const failed = cli(['data', 'check', '--config', text(join(root, 'run.yaml'), 'data: { kind: folder, root: . }'), '--json']);
  assert.is(failed.status, 1);
  assert.is(failed.stdout, '');
  assert.match(failed.stderr, /^error \(data\): .*found that one level below, in inner\nSet data\.root to /m);
  const birds = await checkData(resolveConfig({}).data);
  assert.equal([birds.ok, birds.splits.map(({ name, images }) => [name, images])], [true, [['train', 4000], ['validation', 400], ['test', 2000], ['broad', 20000]]]);
});

test('SpuCoMNIST from a part of the MNIST files is wrong, and a warning of a run', async () => {
  const root = scratch.folder();
  for (const [half, count] of [['train', 300], ['t10k', 50]] as const) {
    const header = (kind: number, sizes: number[]) => Buffer.concat([Buffer.of(0, 0, 8, kind), ...sizes.map((size) => Buffer.of(0, 0, size >> 8, size & 255))]);
    text(join(root, `${half}-images-idx3-ubyte`), Buffer.concat([header(3, [count, 28, 28]), Buffer.alloc(count * 784, 9)]));
    text(join(root, `${half}-labels-idx1-ubyte`), Buffer.concat([header(1, [count]), Buffer.from(Array.from({ length: count }, (_, i) => i % 10))]));
  }
  const { data } = resolveConfig({ data: { kind: 'spuco-mnist', root } });
  const { ok, findings, splits } = await checkData(data);
  assert.is(ok, false);
  const [train, validation] = splits.map(({ images }) => images);
  assert.is(train! + validation!, 300);
  assert.equal(findings.map(({ severity, text }) => `${severity} ${text}`), [
    `problem train: another number of images than published: ${train} instead of 48004`,
    `problem validation: another number of images than published: ${validation} instead of 11996`,
    'problem test: another number of images than published: 50 instead of 10000',
  ]);
  assert.equal((await openData(data)).warnings, findings.map(({ text }) => text));
});

test('a check can be stopped', async () => {
  const { root } = await photographs();
  const controller = new AbortController();
  const checking = checkData(resolveConfig({ data: { kind: 'folder', root } }).data, { signal: controller.signal, onProgress: (done) => done === 3 && controller.abort() });
  const error = await checking.then(() => undefined, (reason) => reason);
  assert.ok(error instanceof SparringError && error.code === 'aborted', String(error));
});

test.run();
