/** Discrete adversaries against the loop of DAT and DAD in plain PyTorch, with diffusers' VQGAN: the same weights, the same
 * Q(x), the same point of the ball, the same Q of it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AttackNorm, AutoencoderSpec } from '../../lib/native/contract.js';
import { relativeError } from '../support/numeric.js';
import { goldenPath, readGolden } from '../support/safetensors.js';
import { device, openEngine } from '../support/tiny.js';

interface Config {
  block_out_channels: number[];
  layers_per_block: number;
  norm_num_groups: number;
  latent_channels: number;
  vq_embed_dim: number;
  num_vq_embeddings: number;
  cases: Record<string, { norm: AttackNorm; epsilon: number; alpha: number; steps: number }>;
}

const engine = await openEngine();
const { core } = engine;
const { config, tensors } = readGolden<Config>('discrete_adversaries_case');
const spec: AutoencoderSpec = {
  kind: 'vqgan', blockChannels: config.block_out_channels, attention: [0, 1], layersPerBlock: config.layers_per_block, normGroups: config.norm_num_groups,
  latentChannels: config.latent_channels, codeChannels: config.vq_embed_dim, numCodes: config.num_vq_embeddings,
};
const vqgan = await core.createAutoencoder({ ...spec, device, seed: null });
await core.loadWeights(vqgan, goldenPath('discrete_adversaries_vqgan'), { newHead: false });
const classifier = await core.createClassifier({
  architecture: { family: 'cnn', width: 6, stages: 2 }, numClasses: 3, imageSize: 16, mean: [0.5, 0.45, 0.4], std: [0.2, 0.25, 0.3], device, seed: null,
});
await core.loadWeights(classifier, goldenPath('discrete_adversaries_classifier'), { newHead: false });
const images = Uint8Array.from(tensors.pixels.values), labels = Int32Array.from(tensors.labels.values);

for (const [name, { norm, epsilon, alpha, steps }] of Object.entries(config.cases)) {
  test(`${name}: ${steps} steps in the ${norm} ball`, async () => {
    const options = { variant: 'adversarial', norm, epsilon, stepSize: alpha, steps, randomStart: 0, seeds: [0, 0, 0], precision: 'fp32' } as const;
    const found = await engine.run(() => core.discreteSteps(classifier, vqgan, images, labels, options));
    for (const [what, values] of [['reconstruction', 'reconstruction'], ['moved', `${name}.moved`], ['images', `${name}.images`]] as const) {
      const error = relativeError(found[what], tensors[values].values);
      assert.ok(error < 1e-5, `${what}: off by ${error}`);
    }
    // The moves are small beside the images: by themselves.
    const change = (moved: ArrayLike<number>, from: ArrayLike<number>) => Float32Array.from(moved, (value, i) => value - from[i]);
    const expected = change(tensors[`${name}.moved`].values, tensors.reconstruction.values);
    const error = relativeError(change(found.moved, found.reconstruction), expected);
    assert.ok(error < 1e-2, `change: off by ${error}`);
  });
}

test.run();
