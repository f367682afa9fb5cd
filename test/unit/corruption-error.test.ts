import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { commonCorruptions, heldOutCorruptions } from '../../lib/data/corruptions.js';
import { alexNetErrors, asReference, corruptionMetrics, type MeasuredErrors } from '../../lib/metrics/corruption-error.js';
import { oodAverages } from '../../lib/metrics/ood-averages.js';
import type { Corruption } from '../../lib/native/contract.js';
import { failure } from '../support/dataset-trees.js';

/** The same error at every severity. */
function measured(errorOf: (name: Corruption) => number, clean: number | null = null, names: readonly Corruption[] = commonCorruptions): MeasuredErrors {
  return { clean, bySeverity: Object.fromEntries(names.map((name) => [name, new Array<number>(5).fill(errorOf(name))])) };
}

const close = (value: number | null, expected: number, tolerance = 1e-9): void => assert.ok(value !== null && Math.abs(value - expected) <= tolerance, `${value} instead of ${expected}`);

test('AlexNet has 100 of everything, and a mean error of 0.788993', () => {
  const { meanCorruptionError, relativeMeanCorruptionError, meanAccuracy } = corruptionMetrics(measured((name) => alexNetErrors.mean[name]!, alexNetErrors.clean));
  close(meanCorruptionError, 100);
  close(relativeMeanCorruptionError, 100);
  close(1 - meanAccuracy!, 0.788993, 5e-7);
});

test('each corruption is divided before the mean is taken, over its mean of five severities', () => {
  const reference = { clean: 0.1, mean: Object.fromEntries(commonCorruptions.map((name) => [name, name === 'fog' ? 0.2 : 0.8])) };
  const run = measured(() => 0.4, 0.2);
  const { corruptions: each, meanCorruptionError, relativeMeanCorruptionError } = corruptionMetrics({ ...run, bySeverity: { ...run.bySeverity, fog: [0, 0.2, 0.4, 0.6, 0.8] } }, reference);
  const fog = each.find(({ name }) => name === 'fog')!;
  close(fog.error, 0.4);
  close(fog.corruptionError, 200);
  close(fog.relativeCorruptionError, 100 * (0.2 / 0.1));
  close(meanCorruptionError, (14 * 50 + 200) / 15); // not 100 * 0.4 / 0.76
  close(relativeMeanCorruptionError, (14 * (100 * 0.2 / 0.7) + 200) / 15);
});

test('ResNet-50 as published: mCE 76.7, relative mCE 105.0', () => {
  // CE of each corruption in percent as the paper prints them, hence to half a point; clean error 23.9 %.
  const printed: Record<string, number> = { gaussian_noise: 80, shot_noise: 82, impulse_noise: 83, defocus_blur: 75, glass_blur: 89, motion_blur: 78, zoom_blur: 80, snow: 78, frost: 75, fog: 66, brightness: 57, contrast: 71, elastic_transform: 85, pixelate: 77, jpeg_compression: 77 };
  const { meanCorruptionError, relativeMeanCorruptionError } = corruptionMetrics(measured((name) => (printed[name]! / 100) * alexNetErrors.mean[name]!, 0.239));
  close(meanCorruptionError, 76.7, 0.5);
  close(relativeMeanCorruptionError, 105, 1.5);
});

test('the four held-out corruptions are reported and never enter a mean', () => {
  const all = measured((name) => (heldOutCorruptions.includes(name as never) ? 1 : 0.3), 0.2, [...commonCorruptions, ...heldOutCorruptions]);
  const { heldOut, ...counted } = corruptionMetrics(all);
  const { heldOut: none, ...without } = corruptionMetrics(measured(() => 0.3, 0.2));
  assert.equal(counted, without);
  assert.equal(none, []);
  assert.equal(heldOut.map(({ name, error, corruptionError }) => [name, error, corruptionError]), heldOutCorruptions.map((name) => [name, 1, null]));
});

test('with a corruption missing there is no mean, and it says which', () => {
  const some = corruptionMetrics(measured(() => 0.3, 0.2, commonCorruptions.slice(1)));
  assert.equal([some.missing, some.meanCorruptionError, some.relativeMeanCorruptionError, some.meanAccuracy], [['gaussian_noise'], null, null, null]);
  assert.is(some.corruptions.length, 14);
});

test('relative to another classifier, which itself has 100; without a clean error there is no relative mCE', () => {
  const erm = measured((name) => (name === 'snow' ? 0.5 : 0.25), 0.1);
  const own = corruptionMetrics(erm, asReference(erm));
  close(own.meanCorruptionError, 100);
  close(own.relativeMeanCorruptionError, 100);
  const better = corruptionMetrics(measured(() => 0.25), asReference(erm));
  close(better.meanCorruptionError, (14 * 100 + 50) / 15);
  assert.is(better.relativeMeanCorruptionError, null);
});

test('a reference without errors divides nothing: null, not infinity', () => {
  const { corruptions: each, meanCorruptionError, meanAccuracy } = corruptionMetrics(measured(() => 0.25), { clean: 0.1, mean: Object.fromEntries(commonCorruptions.map((name) => [name, name === 'fog' ? 0 : 0.1])) });
  assert.is(each.find(({ name }) => name === 'fog')!.corruptionError, null);
  assert.is(meanCorruptionError, null);
  close(meanAccuracy, 0.75);
});

test('an error for each severity is needed', async () => {
  const { message } = await failure(Promise.resolve().then(() => corruptionMetrics({ clean: null, bySeverity: { fog: [0.1, 0.2] } })));
  assert.match(message, /corruption fog: expected an error in 0\.\.1 for each of the 5 severities, found 0\.1, 0\.2/);
});

test('averages as in the tables of DAD: 100 - mCE among accuracies', () => {
  const row = (val: number, v2: number, mce: number, stylized: number, r: number, sketch: number, a: number) =>
    oodAverages({ val: val / 100, v2: v2 / 100, meanCorruptionError: mce, stylized: stylized / 100, r: r / 100, sketch: sketch / 100, a: a / 100 });
  // arXiv 2311.01441: table 3, all seven, and table 1, natural shift and in distribution.
  const printed: [Parameters<typeof row>, number][] = [[[78.6, 67.2, 61.5, 16.2, 51.5, 34.7, 16], 43.2], [[76.6, 63.9, 65.8, 12.7, 40.8, 26.9, 11.2], 38], [[80.1, 70.3, 52.1, 22.2, 55.6, 38.6, 27.3], 48.9], [[79.6, 69.9, 53.2, 22.4, 65.1, 46.1, 31.8], 51.7]];
  for (const [values, all] of printed) {
    close(100 * row(...values).all!, all, 0.0501);
  }
  const dad = row(79.6, 69.9, 53.2, 22.4, 65.1, 46.1, 31.8);
  close(100 * dad.naturalShift!, 47.7, 0.0501);
  close(100 * dad.inDistribution!, 74.8, 0.0501);
  const part = oodAverages({ val: 0.8, v2: 0.7, a: null, r: 0.5, sketch: 0.4, stylized: null, meanCorruptionError: 50 });
  assert.equal([part.inDistribution, part.naturalShift, part.all], [0.75, null, null]);
});

test.run();
