/** Jobs of a study in processes of their own. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { Generator } from '../../lib/native/models.js';
import { probe } from '../../lib/study/probe.js';
import { runInProcess } from '../../lib/study/process.js';

const given = {
  threads: 1,
  data: { kind: 'birds', train: 16, test: 20, broad: 16 },
  teacher: { architecture: { family: 'cnn', width: 8, stages: 3 }, training: { batchSize: 4 } },
  generator: { blockChannels: [16, 32], attention: [0, 1], normGroups: 8, headDim: 16, training: { batchSize: 4 } },
  student: { architecture: { family: 'cnn', width: 8, stages: 3 }, training: { batchSize: 4 } },
  rounds: { training: { batchSize: 4 } },
  sampling: { steps: 3, batchSize: 4 },
};
const config = resolveConfig(given);

/** Processes of this one that do jobs of a study. */
function children(): number {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter((pid) => pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('worker')).length;
}

test('a job has ended when its process has: the next one finds all memory free', async () => {
  const job = runInProcess({ kind: 'probe', config });
  assert.is(children(), 1);
  const rates = await job;
  assert.is(children(), 0, 'done');
  assert.ok(rates!.studentStep > 0 && rates!.guidedImage > 0);
  const failing: any = await runInProcess({ kind: 'probe', config: resolveConfig({ data: { kind: 'folder', root: 'none', imageSize: 32 } }) }).catch((error) => error);
  assert.is(children(), 0, 'failed');
  assert.equal([failing.code, failing.message.includes('none')], ['data', true]);
});

test('a probe draws few images in few steps, and stops within them', async () => {
  const { generate } = Generator.prototype;
  const drawn: [steps: number, images: number, signal: AbortSignal | undefined][] = [];
  const windows: unknown[] = [];
  const controller = new AbortController();
  let abortAt = Infinity;
  Generator.prototype.generate = function (opponents, options, cancellable) {
    windows.push(options.guidance.kind === 'step' && [options.guidance.from, options.guidance.until]);
    drawn.push([options.steps, options.seeds.length, cancellable?.signal]);
    if (drawn.length === abortAt) controller.abort();
    return generate.call(this, opponents, options, cancellable);
  };
  try {
    // Guided between 0.3 and 0.25 alone: where no step of two lies.
    const narrow = resolveConfig({ ...given, sampling: { steps: 50, guidance: { kind: 'step', from: 0.3, until: 0.25 } } });
    const rates = await probe(narrow, controller.signal);
    assert.equal([drawn.length, Math.max(...drawn.map(([steps]) => steps))], [4, 2]);
    assert.ok(drawn.every(([, images]) => images <= 16) && drawn[0][1] === 1);
    assert.ok(drawn.every(([, , signal]) => signal === controller.signal));
    assert.equal(windows, [false, false, [1, 0], [1, 0]], 'guided in both steps');
    assert.ok(rates.unguidedImage > 0 && rates.guidedImage >= rates.unguidedImage);
    assert.equal(rates.undefinedRows, ['groupdro', 'dfr'], 'groups without training images, and no validation split');
    abortAt = 5;
    const error: any = await probe(narrow, controller.signal).catch((reason) => reason);
    assert.equal([error.code, drawn.length], ['aborted', 5]);
  } finally {
    Generator.prototype.generate = generate;
  }
});

test.run();
