/** `sparring data corrupt`: what it writes, how it goes on, what it refuses. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { writeCorrupted } from '../../lib/data/corrupted-folder.js';
import { corrupted } from '../../lib/data/corruptions.js';
import { resolveConfig } from '../../lib/config/load.js';
import { openData } from '../../lib/data/open.js';
import { cli, lastLine } from '../support/cli.js';
import { image, Scratch, text } from '../support/dataset-trees.js';
import { failure, openEngine } from '../support/tiny.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

const data = { kind: 'birds', imageSize: 32, train: 8, test: 12, broad: 8 } as const;
const root = scratch.folder();
const config = text(join(root, 'run.yaml'), `seed: 4\ndata: ${JSON.stringify(data)}\n`);
const output = join(root, 'out');
const flags = ['data', 'corrupt', '--config', config, '--output', output, '--quiet', '--json'];

/** Paths of the images below a folder. */
function images(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).filter((path) => path.endsWith('.png')).sort();
}

test('the layout of ImageNet-C with the pixels that a corrupted dataset has', async () => {
  const { status, stdout, stderr } = cli([...flags, '--kinds', 'fog,gaussian_noise', '--severities', '2,5']);
  assert.is(status, 0, stderr);
  assert.is(stderr, '');
  assert.equal(lastLine(stdout), { command: 'data corrupt', folder: output, written: 48, images: 48 });
  assert.equal(readdirSync(output).sort(), ['corruptions.json', 'fog', 'gaussian_noise']);
  const { test: set } = await openData(resolveConfig({ data }).data);
  const expected = corrupted(await openEngine(), set, { kind: 'gaussian_noise', severity: 5, seed: 4 });
  for (let index = 0; index < set.length; index++) {
    const path = join(output, 'gaussian_noise/5', set.classes[set.labels[index]!]!, `${String(index).padStart(2, '0')}.png`);
    const found = await sharp(path).raw().toBuffer();
    assert.is(found.compare(await expected.read([index])), 0, path);
  }
  assert.is(images(join(output, 'fog/2')).length, 12);
});

test('the same command makes what is missing and leaves the rest', () => {
  const [lost, kept] = images(output).map((path) => join(output, path));
  const [bytes, { mtimeMs }] = [readFileSync(lost!), statSync(kept!)];
  rmSync(lost!);
  const again = cli([...flags, '--kinds', 'fog,gaussian_noise', '--severities', '2,5']);
  assert.is(lastLine(again.stdout).written, 1);
  assert.is(readFileSync(lost!).compare(bytes), 0);
  assert.is(statSync(kept!).mtimeMs, mtimeMs);
  const more = cli([...flags, '--kinds', 'fog', '--severities', '1']);
  assert.is(lastLine(more.stdout).written, 12);
});

test('without lists: the fifteen in five severities', () => {
  const all = cli(['data', 'corrupt', '--config', config, '--set', 'data.test=4', '--output', join(root, 'all')]);
  assert.is(all.status, 0, all.stderr);
  assert.match(all.stdout, /^300 of 300 images written: /);
  assert.match(all.stderr, /corrupting 100%/);
  assert.is(readdirSync(join(root, 'all')).length, 16);
});

test('what is refused', () => {
  const refused = (more: string[], pattern: RegExp): void => {
    const { status, stderr } = cli([...flags.slice(0, 7), ...more]);
    assert.is(status, 2, stderr);
    assert.match(stderr, pattern);
  };
  refused(['--kinds', 'fog,rain'], /--kinds: expected some of gaussian_noise, .*, saturate with commas between, found "rain"/);
  refused(['--severities', '0'], /--severities: expected some of 1, 2, 3, 4, 5 with commas between, found "0"/);
  refused(['--seed', '5'], /expected images of birds.* with seed 5, found a corruptions\.json of other data or another seed/);
  refused(['--set', 'data.test=16'], /found a corruptions\.json of other data or another seed/);
});

test('images that are too small, and classes whose names are no folders, leave nothing behind', async () => {
  for (const split of ['train', 'val', 'test']) for (const name of ['cat', 'dog']) for (let i = 0; i < 2; i++) await image(join(root, 'photos', split, name, `${i}.png`));
  const small = text(join(root, 'small.yaml'), 'data: { kind: folder, root: photos, imageSize: 16 }\n');
  const { status, stderr } = cli(['data', 'corrupt', '--config', small, '--output', join(root, 'small'), '--quiet']);
  assert.is(status, 2, stderr);
  assert.match(stderr, /corrupt: expected images of at least 32 px, found 16 px/);
  const set = { ...(await openData(resolveConfig({ data }).data)).test, classes: ['land/bird', 'waterbird'] };
  await failure(async () => writeCorrupted(await openEngine(), set, join(root, 'named'), { kinds: ['fog'], severities: [1], seed: 0 }), 'data');
  assert.not.ok(existsSync(join(root, 'small')) || existsSync(join(root, 'named')));
});

test.run();
