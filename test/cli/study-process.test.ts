/** Jobs of a study in processes of their own. */
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { resolveConfig } from '../../lib/config/load.js';
import { runInProcess } from '../../lib/study/process.js';

const config = resolveConfig({
  threads: 1,
  data: { kind: 'birds', train: 16, test: 20, broad: 16 },
  teacher: { architecture: { family: 'cnn', width: 8, stages: 3 }, training: { batchSize: 4 } },
  generator: { blockChannels: [16, 32], attention: [0, 1], normGroups: 8, headDim: 16, training: { batchSize: 4 } },
  student: { architecture: { family: 'cnn', width: 8, stages: 3 }, training: { batchSize: 4 } },
  rounds: { training: { batchSize: 4 } },
  sampling: { steps: 3, batchSize: 4 },
});

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

test.run();
