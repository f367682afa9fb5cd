/** Which images JTT, TAB, GroupDRO and DFR repeat and weigh, by numbers worked out by hand. */
import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { balancedIndices } from '../../lib/data/order.js';
import { MemoryDataset, subset } from '../../lib/data/memory.js';
import type { Splits } from '../../lib/data/types.js';
import { GroupDro } from '../../lib/methods/group-dro.js';
import { epochEnds } from '../../lib/methods/loss-history.js';
import { balanceClusters, repeatErrors } from '../../lib/methods/resampling.js';
import { kMeans } from '../../lib/methods/k-means.js';
import { undefinedReason, undefinedRows } from '../../lib/methods/undefined-rows.js';
import { crossEntropy } from '../../lib/metrics/softmax.js';

const counts = (values: ArrayLike<number>, length: number): number[] => Array.from({ length }, (_, value) => Array.from(values).filter((one) => one === value).length);
const close = (found: ArrayLike<number>, expected: number[], tolerance = 1e-12): void => {
  assert.is(found.length, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(found[i]! - value) < tolerance, `${Array.from(found)}, expected ${expected}`));
};

test('JTT repeats what is wrong and nothing else', () => {
  assert.equal(repeatErrors([0, 1, 1, 0], [0, 0, 1, 1], 3), { indices: Int32Array.of(0, 1, 1, 1, 2, 3, 3, 3), upWeighted: 2 });
  assert.equal(repeatErrors([0, 1, 1], [0, 1, 1], 50), { indices: Int32Array.of(0, 1, 2), upWeighted: 0 });
});

test('JTT holds an ImageNet whose every fifth image is wrong: 13.8 million records of one pass, outside the heap', () => {
  const script = `
    const { repeatErrors } = await import(${JSON.stringify(new URL('../../lib/methods/resampling.ts', import.meta.url).href)});
    const labels = new Int32Array(1_280_000), wrong = Int32Array.from(labels, (_, record) => Number(record % 5 === 0));
    const { indices, upWeighted } = repeatErrors(labels, wrong, 50);
    console.log(indices.length, upWeighted, indices.at(-1));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--max-old-space-size=64', '--import', 'tsx', '--input-type=module', '--eval', script], { encoding: 'utf8' });
  assert.is(stdout, '13824000 256000 1279999\n', stderr.slice(-500));
});

test('TAB makes both clusters of a class equally large and leaves the classes apart', () => {
  //              class 0: five and two      class 1: one and three   class 2: one cluster alone   class 3: even
  const labels = [0, 0, 0, 0, 0, 0, 0, /**/ 1, 1, 1, 1, /**/ 2, 2, /**/ 3, 3];
  const clusters = [0, 0, 1, 0, 1, 0, 0, /**/ 0, 1, 1, 1, /**/ 1, 1, /**/ 0, 1];
  const { indices, upWeighted } = balanceClusters(labels, clusters, 0);
  const times = counts(indices, labels.length);
  assert.equal([0, 1, 3, 5, 6].map((record) => times[record]), [1, 1, 1, 1, 1]);
  assert.equal([times[2], times[4]].sort(), [2, 3], 'five in all');
  assert.equal(times.slice(7), [3, 1, 1, 1, 1, 1, 1, 1]);
  assert.is(upWeighted, 3);
  assert.equal(balanceClusters(labels, clusters, 0).indices, indices);
  // Four against three: one image of the three comes twice, which one depends on the seed.
  const doubled = Array.from({ length: 20 }, (_, seed) => counts(balanceClusters([0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0], seed).indices, 7).indexOf(2));
  assert.equal([...new Set(doubled)].sort(), [4, 5, 6]);
  assert.is(balanceClusters([0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0], 0).upWeighted, 1);
});

test('two clusters are found, with their inertia', async () => {
  const { clusters, inertia } = await kMeans([[0, 0], [10, 10], [0, 2], [10, 12], [1, 1], [0, 1]], 2, 0);
  assert.equal([0, 2, 4, 5].map((i) => clusters[i]), Array(4).fill(clusters[0]));
  assert.equal([1, 3].map((i) => clusters[i]), Array(2).fill(1 - clusters[0]!));
  // Centres (0.25, 1) and (10, 11): 1.0625 + 1.0625 + 0.5625 + 0.0625, and 1 + 1.
  assert.ok(Math.abs(inertia - 4.75) < 1e-12, `${inertia}`);
  assert.equal(await kMeans([[3], [3], [3]], 2, 1), { clusters: Uint8Array.of(0, 0, 0), inertia: 0 });
  assert.equal(await kMeans([[7, 1]], 2, 2), { clusters: Uint8Array.of(0), inertia: 0 });
});

test('epochs end after as many steps as their images need; one that is not complete counts only when there is no other', () => {
  assert.equal(epochEnds(64, 8, 33), [8, 16, 24, 32]);
  assert.equal(epochEnds(10, 4, 8), [3, 5, 8]);
  assert.equal(epochEnds(100, 8, 5), [5]);
  assert.equal(epochEnds(3, 8, 2), [1, 1, 2, 2, 2]);
});

test('cross-entropy of single images', () => {
  close(crossEntropy(Float32Array.of(0, 0, 2, 0, 1000, 0), [0, 1, 1], 2), [Math.log(2), Math.log(1 + Math.exp(2)), 1000], 1e-5);
});

const batch = (...groups: number[]) => ({ images: new Uint8Array(0), labels: new Int32Array(groups.length), groups: Int32Array.from(groups) });

test('GroupDRO: the weighted mean over the images is the sum of q_g times the mean loss of the group', () => {
  const dro = new GroupDro(3);
  dro.state = [0.5, 0.3, 0.2];
  const given = batch(0, 1, 0, 0), losses = [1, 5, 2, 3];
  const weights = dro.weights(given);
  close(weights, [2 / 3, 1.2, 2 / 3, 2 / 3], 1e-6); // q_g * 4 / n_g
  assert.ok(Math.abs(losses.reduce((sum, loss, i) => sum + weights[i]! * loss, 0) / 4 - (0.5 * 2 + 0.3 * 5)) < 1e-6);
});

test('GroupDRO: q_g grows with exp(0.01 * loss); a group that the batch lacks counts as loss 0', () => {
  const dro = new GroupDro(3);
  close(dro.state, [1 / 3, 1 / 3, 1 / 3]);
  dro.observe(batch(0, 1, 0), Float32Array.of(10, 40, 30));
  const raised = [Math.exp(0.2), Math.exp(0.4), 1];
  const total = raised[0]! + raised[1]! + raised[2]!;
  close(dro.state, raised.map((value) => value / total));
  dro.observe(batch(1), Float32Array.of(100));
  const again = [raised[0]!, raised[1]! * Math.E, raised[2]!];
  close(dro.state, again.map((value) => value / (again[0]! + again[1]! + again[2]!)));
  dro.observe(batch(0, 1), Float32Array.of(1e6, 1));
  close(dro.state, [1, 0, 0], 1e-9);
});

test('a balanced order takes the groups in turn, over batches too, and all of their images', () => {
  const members = [[5], [0, 1, 2, 3], [7, 8]];
  const batches = Array.from({ length: 60 }, (_, step) => balancedIndices(members, 4, step, 1));
  const all = batches.flatMap((one) => Array.from(one));
  all.forEach((record, place) => assert.ok(members[place % 3]!.includes(record)));
  assert.equal(new Set(all).size, 7);
  assert.equal(balancedIndices(members, 4, 7, 1), batches[7]);
  assert.not.equal(balancedIndices(members, 4, 7, 2), batches[7]);
});

/** A dataset with one image for each of the given groups. */
function dataset(...groups: [label: number, attribute: number][]): MemoryDataset {
  return new MemoryDataset({
    name: 'test', classes: ['a', 'b'], attributes: ['x', 'y'], imageSize: 1,
    labels: Int32Array.from(groups, ([label]) => label), attributeOf: Int32Array.from(groups, ([, attribute]) => attribute), pixels: new Uint8Array(3 * groups.length),
  });
}

test('rows that need every tested group are undefined without it, and say which is missing', () => {
  const every = dataset([0, 0], [0, 1], [1, 0], [1, 1]);
  const biased = subset(every, [0, 3]);
  const reasons = (splits: Splits) => (['groupdro', 'dfr'] as const).map((method) => undefinedReason(method, splits));
  assert.equal(reasons({ train: every, validation: every, test: every }), [undefined, undefined]);
  assert.equal(reasons({ train: biased, test: every }), [
    'needs training images of every group, and there are none of a/y, b/x',
    'needs held-out images of every group, and the data have no validation split',
  ]);
  assert.is(reasons({ train: every, validation: subset(every, [0, 1, 3]), test: every })[1], 'needs validation images of every group, and there are none of b/x');
  assert.equal(reasons({ train: biased, validation: biased, test: biased }), [undefined, undefined], 'a group that is not tested is no loss');
  for (const method of ['edrm-longer', 'jtt', 'tab', 'config'] as const) assert.is(undefinedReason(method, { train: biased, test: every }), undefined);
  assert.equal(undefinedRows(['jtt', 'groupdro'], { train: biased, test: every }), ["'groupdro' is undefined on these data: it needs training images of every group, and there are none of a/y, b/x"]);
});

test.run();
