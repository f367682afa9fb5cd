import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { listSpuriousImageNet } from '../../lib/data/spurious-imagenet.js';
import { evaluateSpurious } from '../../lib/methods/evaluate-spurious.js';
import { failure, image, Scratch, text } from '../support/dataset-trees.js';

const scratch = new Scratch();
test.after(() => scratch.remove());

/** 1000 class folders, of which those of the two spurious features have images; greys stand for what is seen. */
async function trees(): Promise<{ root: string; imageNet: string }> {
  const [root, imageNet] = [scratch.folder(), scratch.folder()];
  for (let k = 0; k < 1000; k++) mkdirSync(join(imageNet, 'val', `n${String(k + 10).padStart(8, '0')}`), { recursive: true });
  for (const grey of [200, 100]) await image(join(imageNet, 'val/n00000012', `${grey}.JPEG`), { grey, width: 40, height: 30 });
  for (const grey of [150, 50]) await image(join(root, 'images/spurious_class_2_hummingbird_component_7', `${grey}.jpg`), { grey });
  await image(join(imageNet, 'val/n00000997', '1.JPEG'), { grey: 250 });
  for (const grey of [10, 20, 30]) await image(join(root, 'images/ab_cd_987_ef_0', `${grey}.jpg`), { grey });
  text(join(root, 'images/timestamp.txt'), '1');
  return { root, imageNet };
}

/** Brighter images are more of every class asked for. */
const classifier = {
  classes: Array.from({ length: 1000 }, (_, k) => String(k)),
  spec: { imageSize: 8 },
  async probabilities(images: Uint8Array) {
    const rows = images.length / 192;
    const probabilities = new Float32Array(rows * 1000);
    for (let row = 0; row < rows; row++) for (const label of [2, 987]) probabilities[row * 1000 + label] = images[row * 192]! / 600;
    return probabilities;
  },
} as never;

test('classes come from the folder names, by rank of the WordNet id', async () => {
  const { root, imageNet } = await trees();
  const pairs = await listSpuriousImageNet({ root, imageNet });
  assert.equal(pairs.map(({ label, validation, spurious }) => [label, validation.length, spurious.length]), [[987, 1, 3], [2, 2, 2]]);
  assert.equal(await listSpuriousImageNet({ root: join(root, 'images'), imageNet }), pairs);
});

test('scores of validation images against spurious ones', async () => {
  const { averagePrecision, rocAuc, classes } = await evaluateSpurious(classifier, await trees());
  assert.is(rocAuc, (1 + 0.75) / 2);
  assert.ok(Math.abs(averagePrecision - (1 + 5 / 6) / 2) < 1e-9);
  assert.ok(classes[1]!.meanValidation > classes[1]!.meanSpurious);
});

test('damage', async () => {
  const { root, imageNet } = await trees();
  await failure(evaluateSpurious({ ...(classifier as object), classes: ['a'] } as never, { root, imageNet }), 'config');
  mkdirSync(join(root, 'images/other'));
  assert.match((await failure(listSpuriousImageNet({ root, imageNet }))).message, /images.other: expected a folder name with the number of an ImageNet class/);
  rmSync(join(root, 'images/other'), { recursive: true });
  mkdirSync(join(root, 'images/x_class_5_y_0'));
  assert.match((await failure(listSpuriousImageNet({ root, imageNet }))).message, /n00000015: expected images, found none/);
  rmSync(join(imageNet, 'val/n00000999'), { recursive: true });
  assert.match((await failure(listSpuriousImageNet({ root, imageNet }))).message, /expected folders of all 1000 WordNet ids, since classes are their ranks, found 999/);
  assert.match((await failure(listSpuriousImageNet({ root: scratch.folder(), imageNet }))).message, /expected class folders such as .*, found an empty folder/);
});

test.run();
