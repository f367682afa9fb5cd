import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { comparisonsOf, contendersOf } from '../../benchmarks/contenders.mjs';

const names = (trial: object, settings: object): string[] => contendersOf(trial, settings).map(({ name }: { name: string }) => name);
const guided = { operation: 'guidedStep', models: {} };
const latent = { operation: 'guidedStep', models: { autoencoder: {} } };

test('a rival is first compared with ours of its own precision, then with our default', () => {
  assert.equal(comparisonsOf(['ours bf16', 'ours fp32', 'eager fp32', 'compile bf16']), [
    { rival: 'eager fp32', ours: 'ours fp32' },
    { rival: 'eager fp32', ours: 'ours bf16' },
    { rival: 'compile bf16', ours: 'ours bf16' },
  ]);
  assert.equal(comparisonsOf(['ours bf16', 'eager fp32']), [{ rival: 'eager fp32', ours: 'ours bf16' }]);
});

test('CUDA graphs are for a GPU, the recipe is for latent generators', () => {
  assert.not(names(guided, { device: 'cpu' }).some((name) => /reduce-overhead|recipe/.test(name)));
  assert.ok(names(guided, { device: 'cuda:1' }).includes('compile reduce-overhead bf16'));
  assert.ok(names(latent, { device: 'cpu' }).includes('clip-guided recipe bf16'));
  const forward = { operation: 'classify', models: {} };
  assert.ok(names(forward, { device: 'cpu' }).includes('onnxruntime-node fp32'));
  assert.not(names(forward, { device: 'cuda' }).includes('onnxruntime-node fp32'), 'which computes on the processor');
});

test('a trial may be timed in one precision, and contenders may be named by parts of their names', () => {
  assert.not(names({ ...guided, precisions: ['bf16'] }, { device: 'cpu' }).some((name) => name.includes('fp32')));
  assert.equal(names(guided, { device: 'cpu', terms: ['ours bf16', 'eager'] }), ['ours bf16', 'eager bf16 channels_last', 'eager fp32']);
});

test.run();
