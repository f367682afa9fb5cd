/** FGSM, PGD and Auto-PGD against plain loops in PyTorch: the same loss of every image. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AttackNorm } from '../../lib/native/contract.js';
import { goldenPath, readGolden } from '../support/safetensors.js';
import { device, openEngine } from '../support/tiny.js';

const { core } = await openEngine();
const { config: { steps, epsilon: radii }, tensors } = readGolden<{ steps: number; epsilon: Record<AttackNorm, number> }>('attacks_case');
const classifier = await core.createClassifier({
  architecture: { family: 'cnn', width: 6, stages: 2 }, numClasses: 3, imageSize: 8, mean: [0.5, 0.45, 0.4], std: [0.2, 0.25, 0.3], device, seed: null,
});
await core.loadWeights(classifier, goldenPath('discrete_adversaries_classifier'), { newHead: false });
const images = Uint8Array.from(tensors.pixels.values), labels = Int32Array.from(tensors.labels.values);

for (const kind of ['fgsm', 'pgd', 'apgd'] as const) {
  for (const norm of ['l2', 'linf'] as const) {
    test(`${kind}, ${norm}`, async () => {
      const epsilon = radii[norm];
      const options = { kind, norm, epsilon, steps, stepSize: (2.5 * epsilon) / steps, randomStart: 0, seeds: Array(labels.length).fill(0), precision: 'fp32' } as const;
      const { losses } = await core.attackedImages(classifier, images, labels, options);
      const expected = tensors[`${kind}.${norm}`].values;
      losses.forEach((loss, i) => assert.ok(Math.abs(loss - expected[i]) < 1e-5 * expected[i], `image ${i}: ${loss}, expected ${expected[i]}`));
    });
  }
}

test.run();
