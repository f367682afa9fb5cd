/** A study knows the images that it began with: by what is listed of them, not by their times. */
import { cpSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { checkDataFingerprints, dataFingerprintsOf, saveDataFingerprints } from '../../lib/study/given-data.js';
import { runStudy } from '../../lib/study/run.js';
import { failure, image, Scratch, text } from '../support/dataset-trees.js';
import { failure as thrown, ready } from '../support/study.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

/** Two classes with two training images each and a test image. */
async function photos(): Promise<string> {
  const root = scratch.folder();
  for (const name of ['cat', 'dog']) {
    for (const [split, count] of [['train', 2], ['test', 1]] as const) {
      for (let i = 0; i < count; i++) await image(join(root, split, name, `${i}.png`), { grey: 40 * i });
    }
  }
  return root;
}

const studyOf = (...data: Record<string, unknown>[]) => ready({ output: scratch.folder(), datasets: Object.fromEntries(data.map((one, i) => [`d${i}`, { data: one }])) });

/** Begins a study, lets something happen, and gives the message with which it is refused; undefined where it goes on. */
async function after(study: ReturnType<typeof studyOf>, change: () => unknown): Promise<string | undefined> {
  const before = await dataFingerprintsOf(study);
  checkDataFingerprints(study, before);
  await saveDataFingerprints(study, before);
  await change();
  const found = await dataFingerprintsOf(study);
  try {
    checkDataFingerprints(study, found);
    return undefined;
  } catch (error: any) {
    assert.is(error.code, 'data');
    assert.match(error.message, study.output);
    assert.match(error.hint, /Put the old images back, or choose another folder with --output/);
    return error.message;
  }
}

test('the same images with other times, or as a copy, are the same; so are files that are no images of the dataset', async () => {
  const root = await photos();
  const message = await after(studyOf({ kind: 'folder', root }), () => {
    cpSync(root, `${root}-copy`, { recursive: true });
    rmSync(root, { recursive: true });
    renameSync(`${root}-copy`, root);
    utimesSync(join(root, 'train/cat/0.png'), 1, 1);
    text(join(root, 'notes.txt'), 'mine');
  });
  assert.is(message, undefined);
});

test('an image that is added, gone, renamed, of another size or of another class is told with its folder', async () => {
  const changes: [change: (root: string) => unknown, expected: RegExp][] = [
    [(root) => image(join(root, 'train/dog/new.png')), /train\/dog: expected the images that the runs in .* were begun with \(2 images, \d+ bytes, \w{12}\), found others \(3 images, \d+ bytes, \w{12}\)\.$/],
    [(root) => rmSync(join(root, 'train/dog/1.png')), /train\/dog: .*\(2 images, .* found others \(1 image, /],
    [(root) => renameSync(join(root, 'train/dog/1.png'), join(root, 'train/dog/2.png')), /train\/dog: .*\(2 images, (\d+) bytes, (\w{12})\), found others \(2 images, \1 bytes, (?!\2)/],
    [(root) => image(join(root, 'test/cat/0.png'), { width: 90, grey: 7 }), /test\/cat: /],
    [(root) => renameSync(join(root, 'train/dog/1.png'), join(root, 'train/cat/2.png')), /train\/cat: .*; 1 more differs\.$/],
    [(root) => cpSync(join(root, 'train'), join(root, 'val'), { recursive: true }), /val\/cat: .*\(none\), found others \(2 images.*; 1 more differs\.$/],
  ];
  for (const [change, expected] of changes) {
    const root = await photos();
    assert.match((await after(studyOf({ kind: 'folder', root }), () => change(root))) ?? 'it went on', expected);
  }
});

test('another class, split or caption in a list is another dataset, with the same files', async () => {
  const root = await photos();
  const file = join(root, 'list.csv');
  const list = (first: string) => text(file, `path,label,split,caption\ntrain/cat/0.png,${first}${first.split(',').length === 2 ? ',' : ''}\ntrain/cat/1.png,cat,train,\ntrain/dog/0.png,dog,train,\ntest/cat/0.png,cat,test,\ntest/dog/0.png,dog,test,\n`);
  for (const changed of ['dog,train', 'cat,val', 'cat,train,a cat']) {
    list('cat,train');
    text(join(root, 'ignored.png'), '');
    assert.match((await after(studyOf({ kind: 'manifest', file }), () => list(changed))) ?? 'it went on', /train\/cat: /);
  }
});

test('members of shards count by name and size', async () => {
  const root = scratch.folder();
  const tar = (name: string, members: [name: string, bytes: number][]) => {
    const blocks = members.flatMap(([member, bytes]) => {
      const header = Buffer.alloc(512);
      header.write(member, 0);
      header.write('0000644\0', 100);
      header.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
      header.write('ustar\0' + '00', 257);
      header.write('0', 156);
      header.write(' '.repeat(8), 148);
      header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
      return [header, Buffer.alloc(Math.ceil(bytes / 512) * 512, '0')];
    });
    writeFileSync(join(root, name), Buffer.concat([...blocks, Buffer.alloc(1024)]));
  };
  const make = (bytes: number) => {
    tar('train-0.tar', [['a.png', 300], ['a.cls', 1]]);
    tar('test-0.tar', [['b.png', bytes], ['b.cls', 1]]);
  };
  make(200);
  assert.match((await after(studyOf({ kind: 'webdataset', root }), () => make(201))) ?? 'it went on', /test-0\.tar: .*\(1 image, 200 bytes, \w{12}\), found others \(1 image, 201 bytes, /);
});

test('MNIST counts by its contents: all sets in its files are of one size', async () => {
  const root = scratch.folder();
  const idx = (shape: number[], fill: number) => {
    const header = Buffer.alloc(4 + 4 * shape.length);
    header[2] = 8;
    header[3] = shape.length;
    shape.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
    return Buffer.concat([header, Buffer.alloc(shape.reduce((product, size) => product * size), fill)]);
  };
  const make = (test: number) => {
    for (const [half, fill] of [['train', 1], ['t10k', test]] as const) {
      writeFileSync(join(root, `${half}-images-idx3-ubyte`), idx([2, 28, 28], fill));
      writeFileSync(join(root, `${half}-labels-idx1-ubyte`), idx([2], 0));
    }
  };
  make(1);
  assert.match((await after(studyOf({ kind: 'spuco-mnist', root }), () => make(2))) ?? 'it went on', /test: .*\(2 images, 1568 bytes, /);
});

test('a dataset is looked at once, however it is resized; one that joins later is no change', async () => {
  const [root, other] = [await photos(), await photos()];
  const resized = { kind: 'folder', root, imageSize: 32, cacheBytes: 1, transform: { kernel: 'bicubic' }, dropGroups: ['cat/all'] };
  const study = studyOf({ kind: 'birds' }, { kind: 'folder', root }, resized);
  const found = await dataFingerprintsOf(study);
  assert.equal(found.map(({ data }) => data), [{ kind: 'folder', root }]);
  await saveDataFingerprints(study, found);
  const more = { ...studyOf({ kind: 'folder', root: other }), output: study.output };
  const joined = await dataFingerprintsOf(more);
  checkDataFingerprints(more, joined);
  await saveDataFingerprints(more, joined);
  await image(join(root, 'train/cat/9.png'));
  const changed = await dataFingerprintsOf(study);
  assert.match(thrown(() => checkDataFingerprints(study, changed)).message, /train\/cat: /);
});

test('a study on changed images, or on a damaged record of them, is refused before anything is begun', async () => {
  const root = await photos();
  const weights = text(join(scratch.folder(), 'w.safetensors'), 'w');
  const study = ready({ output: scratch.folder(), base: { teacher: { weights }, generator: { weights } }, datasets: { photos: { data: { kind: 'folder', root } } } });
  await saveDataFingerprints(study, await dataFingerprintsOf(study));
  await image(join(root, 'train/cat/9.png'));
  assert.match((await failure(runStudy(study))).message, /train\/cat: expected the images/);
  text(join(study.output, 'data.json'), '[');
  assert.match((await failure(runStudy(study))).message, /data\.json: expected JSON/);
});

test('a signal ends the look at the images', async () => {
  await failure(dataFingerprintsOf(studyOf({ kind: 'folder', root: await photos() }), AbortSignal.abort()), 'aborted');
});

test.run();
