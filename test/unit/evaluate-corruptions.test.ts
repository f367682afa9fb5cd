import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { commonCorruptions } from '../../lib/data/corruptions.js';
import { MemoryDataset } from '../../lib/data/memory.js';
import type { Dataset } from '../../lib/data/types.js';
import { evaluateCorruptions } from '../../lib/methods/evaluate-corruptions.js';
import type { Corruption } from '../../lib/native/contract.js';
import { corruptionText } from '../../lib/report/ood-table.js';
import { failure } from '../support/dataset-trees.js';

const shared = { classes: ['dark', 'bright'], attributes: ['all'], imageSize: 1 };

/** 600 images of one pixel; the first `moved` bright ones are dark. */
function images(moved: number): Dataset {
  const length = 600;
  const pixels = new Uint8Array(length * 3);
  const labels = Int32Array.from({ length }, (_, i) => i % 2);
  for (let i = 0; i < length; i++) pixels.fill(labels[i] === 1 && i < 2 * moved ? 0 : 200 * labels[i]!, 3 * i, 3 * i + 3);
  return new MemoryDataset({ name: 'images', ...shared, labels, attributeOf: new Int32Array(length), pixels });
}

/** Says bright from a threshold on; 300 says dark always. */
function classifier(threshold: number): any {
  return {
    classes: shared.classes,
    async logits(batch: Uint8Array) {
      return Float32Array.from({ length: (batch.length / 3) * 2 }, (_, k) => (k % 2 === 0 ? threshold : batch[3 * (k >> 1)]!));
    },
  };
}

const moved = (kind: Corruption, severity: number): number => (kind === 'fog' ? 60 : 30) * severity;

test('errors by severity, and mCE relative to the reference on the same images, each read once', async () => {
  let reads = 0;
  const corrupted = (kind: Corruption, severity: number): Dataset => {
    const dataset = images(moved(kind, severity));
    return { ...dataset, length: dataset.length, read: (indices) => (reads++, dataset.read(indices)) };
  };
  const { cleanError, corruptions: each, meanCorruptionError, relativeMeanCorruptionError, meanAccuracy, reference } = await evaluateCorruptions(classifier(100), images(0), corrupted, { reference: classifier(300) });
  assert.is(cleanError, 0);
  assert.equal(each.find(({ name }) => name === 'fog')!.bySeverity, [0.1, 0.2, 0.3, 0.4, 0.5]);
  assert.equal([reference!.clean, reference!.bySeverity.snow], [0.5, [0.5, 0.5, 0.5, 0.5, 0.5]]);
  assert.ok(Math.abs(meanCorruptionError! - (14 * 30 + 60) / 15) < 1e-9);
  assert.is(relativeMeanCorruptionError, null); // corruption does not harm the reference
  assert.ok(Math.abs(meanAccuracy! - (14 * 0.85 + 0.7) / 15) < 1e-9);
  assert.is(reads, 15 * 5 * 3); // batches of 256 of 600 images
  const printed = corruptionText(await evaluateCorruptions(classifier(100), images(0), corrupted, { reference: classifier(300) }));
  assert.match(printed, /^  fog +30\.0 +60\.0   10\.0  20\.0  30\.0  40\.0  50\.0$/m);
  assert.match(printed, /^mCE 32\.0 \(lower is better\), relative mCE n\/a, mean accuracy 84\.0 %\nerror without corruption 0\.0 %, of the reference 50\.0 %$/m);
});

test('without a reference there are accuracies and no mCE; other kinds on request', async () => {
  const open = (kind: Corruption, severity: number): Dataset => images(moved(kind, severity));
  const plain = await evaluateCorruptions(classifier(100), images(0), open);
  assert.equal([plain.meanCorruptionError, plain.reference, plain.corruptions.length], [null, null, commonCorruptions.length]);
  assert.ok(plain.meanAccuracy! > 0.8);
  assert.match(corruptionText(plain), /Error %  by severity\n(.*\n)+mean accuracy 84\.0 %\nerror without corruption 0\.0 %$/);
  const some = await evaluateCorruptions(classifier(100), images(0), open, { kinds: ['fog', 'saturate'] });
  assert.equal([some.corruptions.length, some.heldOut.length, some.meanAccuracy, some.missing.length], [1, 1, null, 14]);
  assert.match((await failure(evaluateCorruptions(classifier(100), images(0), open, { kinds: ['rain' as never] }), 'usage')).message, /found rain/);
});

test('progress by set, and results that are kept are not measured again', async () => {
  const kept = new Map<string, unknown>();
  const remember = async <Value>(name: string, work: () => Promise<Value>): Promise<Value> => {
    if (!kept.has(name)) kept.set(name, await work());
    return kept.get(name) as Value;
  };
  const seen: string[] = [];
  const options = { kinds: ['fog'] as const, remember, onProgress: (set: string, done: number, total: number) => void seen.push(`${set} ${done}/${total}`) };
  const open = (kind: Corruption, severity: number): Dataset => images(moved(kind, severity));
  const first = await evaluateCorruptions(classifier(100), images(0), open, options);
  assert.equal(seen.slice(0, 5), ['clean 0/600', 'clean 256/600', 'clean 512/600', 'clean 600/600', 'fog 1 0/600']);
  assert.equal([...kept.keys()], ['clean', 'fog 1', 'fog 2', 'fog 3', 'fog 4', 'fog 5']);
  seen.length = 0;
  assert.equal(await evaluateCorruptions(classifier(100), images(0), () => assert.unreachable() as never, options), first);
  assert.equal(seen, []);
});

test.run();
