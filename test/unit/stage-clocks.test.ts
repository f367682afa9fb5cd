/** Time that counts for the making of images or for training, over sessions. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { averageCost, costOf, sumOfCosts } from '../../lib/methods/cost.js';
import type { ModelHandle } from '../../lib/native/contract.js';
import { Stage } from '../../lib/training/stage.js';
import type { Trainer } from '../../lib/training/trainer.js';

const folder = mkdtempSync(join(tmpdir(), 'sparring-clocks-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** All that a checkpoint asks of one. */
const trainer = { save: async (path: string) => writeFileSync(path, '') } as unknown as Trainer<ModelHandle>;
const open = (name: string): Stage => new Stage(folder, name, { everySeconds: 60, keep: 1 });
const slack = 0.02;

test('each clock counts its own work alone, also work that failed, and goes on in the next session', async () => {
  const stage = open('a');
  assert.equal(stage.clocks, { making: 0, training: 0 });
  await stage.timed('making', () => sleep(60));
  await sleep(200); // counts for neither
  await stage.timed('training', () => sleep(30).then(() => Promise.reject(new Error('x')))).catch(() => {});
  const { making, training } = stage.clocks!;
  assert.ok(making > 0.06 - slack && making < 0.19, `${making}`);
  assert.ok(training > 0.03 - slack && training < 0.19, `${training}`);
  // A checkpoint in the middle has what was done until then.
  await stage.timed('training', async () => {
    await sleep(60);
    await stage.checkpoint(trainer, 1);
  });
  const again = open('a');
  assert.is(again.clocks!.making, making);
  assert.ok(again.clocks!.training >= training + 0.06 - slack && again.clocks!.training <= stage.clocks!.training);
});

test('a stage that was begun without clocks has none, and its row no cost', async () => {
  const stage = open('b');
  await stage.checkpoint(trainer, 1);
  const path = join(folder, 'b/state.json');
  const { clocks: _, ...state } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify(state));
  const again = open('b');
  await again.timed('making', () => sleep(1));
  assert.is(again.clocks, undefined);
  assert.equal(costOf(again.clocks, { imagesMade: 1, trainingImages: 1 }), {});
});

test('costs of parts add up, those of seeds are averaged, and one that is not known leaves none', () => {
  const { cost: one } = costOf({ making: 2, training: 3 }, { imagesMade: 10, trainingImages: 640 }, 5);
  const other = { imagesMade: 20, makingSeconds: 1, trainingImages: 64, trainingSeconds: 1 };
  assert.equal(one, { imagesMade: 10, trainingImages: 640, makingSeconds: 7, trainingSeconds: 3 });
  assert.equal(sumOfCosts([one, other]), { cost: { imagesMade: 30, makingSeconds: 8, trainingImages: 704, trainingSeconds: 4 } });
  assert.equal(averageCost([one, other]), { cost: { imagesMade: 15, makingSeconds: 4, trainingImages: 352, trainingSeconds: 2 } });
  assert.equal([sumOfCosts([one, undefined]), averageCost([undefined])], [{}, {}]);
});

test.run();
