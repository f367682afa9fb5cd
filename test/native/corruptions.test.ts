/** Corruptions: severity, seeds, sizes and errors. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { commonCorruptions, corrupt, corrupted, heldOutCorruptions, severities } from '../../lib/data/corruptions.js';
import { birdSplits } from '../../lib/data/birds-dataset.js';
import type { Corruption, CorruptionSeverity } from '../../lib/native/contract.js';
import { mean } from '../support/numeric.js';
import { failure, openEngine } from '../support/tiny.js';

const engine = await openEngine();
const kinds: readonly Corruption[] = [...commonCorruptions, ...heldOutCorruptions];
const random = new Set<Corruption>(['gaussian_noise', 'shot_noise', 'impulse_noise', 'glass_blur', 'motion_blur', 'snow', 'frost', 'fog', 'elastic_transform', 'speckle_noise', 'spatter']);

/** Birds, [count, size, size, 3]. */
async function birds(size: number, count: number): Promise<Uint8Array> {
  const { test: set } = birdSplits({ imageSize: size, seed: 1, minorityShare: 0.05, sizes: { train: 4, test: count, broad: 4 } });
  return set.read(Array.from({ length: count }, (_, i) => i));
}

function distance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / a.length;
}

const sizes = [32, 64, 96, 224];
const clean = new Map<number, Uint8Array>();
for (const size of sizes) clean.set(size, await birds(size, 8));
const seeds = [11, 22, 33, 44, 55, 66, 77, 88];

// Of these the authors' strengths are not in the order of their distance: displacements become smaller and rougher, drops of
// water become mud, severities 1 and 2 take colour away and 3 to 5 add it, and under more frost there is less of the image.
const unordered = new Set<Corruption>(['elastic_transform', 'spatter', 'saturate', 'frost']);

for (const kind of kinds) {
  test(`${kind}: every severity changes the images, a higher one more`, async () => {
    for (const size of [32, 224]) {
      const images = clean.get(size)!;
      const distances: number[] = [];
      for (const severity of severities) distances.push(distance(images, await corrupt(engine, images, { kind, severity, size, seeds })));
      const all = distances.map((value) => value.toFixed(2)).join(' ');
      assert.ok(distances.every((value) => value > 0.2 && value < 128), `${size} px: ${all}`);
      if (unordered.has(kind)) continue;
      for (let i = 1; i < 5; i++) assert.ok(distances[i]! > 0.97 * distances[i - 1]!, `${size} px: ${all}`);
      assert.ok(distances[4]! > 1.2 * distances[0]!, `${size} px: ${all}`);
    }
  });
}

test('an image has the same pixels in any batch and with any number of threads', async () => {
  const size = 96, bytes = size * size * 3;
  const images = clean.get(size)!;
  for (const kind of kinds) {
    await engine.core.setThreads(1);
    const alone = await corrupt(engine, images.subarray(5 * bytes, 6 * bytes), { kind, severity: 3, size, seeds: [seeds[5]!] });
    await engine.core.setThreads(3);
    const together = await corrupt(engine, images, { kind, severity: 3, size, seeds });
    await engine.core.setThreads(1);
    assert.equal(Buffer.from(together.subarray(5 * bytes, 6 * bytes)).compare(alone), 0, kind);
  }
});

test('another seed gives other pixels where a corruption is random, and the same elsewhere', async () => {
  const size = 64, bytes = size * size * 3;
  const image = clean.get(size)!.subarray(0, bytes);
  for (const kind of kinds) {
    const [a, b] = [await corrupt(engine, image, { kind, severity: 4, size, seeds: [1] }), await corrupt(engine, image, { kind, severity: 4, size, seeds: [2] })];
    assert.is(Buffer.from(a).compare(b) !== 0, random.has(kind), kind);
  }
});

test('the images that were given are left as they are', async () => {
  const images = Uint8Array.from(clean.get(32)!);
  await corrupt(engine, images, { kind: 'fog', severity: 5, size: 32, seeds });
  assert.is(Buffer.from(images).compare(clean.get(32)!), 0);
});

test('all sizes from 32 px on, even and odd', async () => {
  for (const size of [32, 33, 47, 84, 85, 131, 256]) {
    const images = await birds(size, 2);
    for (const kind of kinds) {
      const result = await corrupt(engine, images, { kind, severity: 5, size, seeds: [7, 8] });
      assert.is(result.length, images.length);
      const change = distance(images, result);
      assert.ok(change > 0.5 && change < 150, `${kind} at ${size} px: ${change}`);
    }
  }
});

test('lengths go with the size: an image twice as large is blurred twice as far', async () => {
  // An edge: how wide it becomes is the sum of what is missing on both sides over its height.
  const width = async (kind: Corruption, size: number): Promise<number> => {
    const edge = Uint8Array.from({ length: size * size * 3 }, (_, i) => (Math.floor(i / 3) % size < size / 2 ? 0 : 240));
    const result = await corrupt(engine, edge, { kind, severity: 3, size, seeds: [3] });
    let sum = 0; // a difference of 1 is rounding
    for (let i = 0; i < edge.length; i++) if (Math.abs(edge[i]! - result[i]!) > 1) sum += Math.abs(edge[i]! - result[i]!);
    return sum / (240 * 3 * size);
  };
  for (const kind of ['gaussian_blur', 'defocus_blur'] as const) {
    const ratio = (await width(kind, 224)) / (await width(kind, 112));
    assert.ok(Math.abs(ratio - 2) < 0.25, `${kind}: ${ratio}`);
  }
});

test('Gaussian noise has the published deviation, and neighbours and seeds have nothing to do with one another', async () => {
  const size = 64, bytes = size * size * 3;
  const noise = Array.from(await corrupt(engine, new Uint8Array(4 * bytes).fill(128), { kind: 'gaussian_noise', severity: 1, size, seeds: [1, 2, 3, 4] }), (value) => value - 127.5);
  const product = (shift: number): number => mean(noise.slice(shift).map((value, i) => value * noise[i]!));
  const deviation = 0.04 * 255;
  assert.ok(Math.abs(mean(noise)) < 0.2, `mean ${mean(noise)}`);
  assert.ok(Math.abs(Math.sqrt(product(0)) / deviation - 1) < 0.02, `deviation ${Math.sqrt(product(0))}`);
  for (const shift of [1, 3, 3 * size, bytes]) assert.ok(Math.abs(product(shift)) < 0.03 * deviation ** 2, `${shift} apart: ${product(shift)}`);
});

test('shot noise has the variance of counted photons', async () => {
  const size = 64, photons = 50, value = 102; // 0.4 of white
  const values = Array.from(await corrupt(engine, new Uint8Array(size * size * 3).fill(value), { kind: 'shot_noise', severity: 5, size, seeds: [9] }), (one) => (one + 0.5) / 255);
  const average = mean(values);
  const variance = mean(values.map((one) => (one - average) ** 2));
  assert.ok(Math.abs(average - 0.4) < 0.005, `mean ${average}`);
  assert.ok(Math.abs((variance * photons) / 0.4 - 1) < 0.05, `variance ${variance}, expected ${0.4 / photons}`);
});

test('impulse noise hits its share of the values, half of them white', async () => {
  const size = 96;
  const values = await corrupt(engine, new Uint8Array(size * size * 3).fill(100), { kind: 'impulse_noise', severity: 5, size, seeds: [4] });
  const share = (wanted: number): number => values.filter((value) => value === wanted).length / values.length;
  assert.ok(Math.abs(share(0) - 0.135) < 0.01 && Math.abs(share(255) - 0.135) < 0.01, `${share(0)} and ${share(255)}`);
});

test('frost is as bright and as uneven as the photographs of the reference', async () => {
  const size = 224, count = 24, values = size * size * 3;
  const ice = await corrupt(engine, new Uint8Array(count * values), { kind: 'frost', severity: 1, size, seeds: Array.from({ length: count }, (_, i) => i) });
  const images = Array.from({ length: count }, (_, i) => {
    const own = ice.subarray(i * values, (i + 1) * values);
    const grey = Array.from({ length: size * size }, (_, place) => (own[3 * place]! + own[3 * place + 1]! + own[3 * place + 2]!) / 3 / 0.4);
    const average = mean(grey);
    return { average, deviation: Math.sqrt(mean(grey.map((value) => (value - average) ** 2))) };
  });
  const average = mean(images.map((one) => one.average)), deviation = mean(images.map((one) => one.deviation));
  assert.ok(Math.abs(average - 164) < 10, `mean ${average}`);
  assert.ok(Math.abs(deviation - 23) < 4, `deviation ${deviation}`);
});

test('images without contrast stay numbers', async () => {
  for (const grey of [0, 255]) {
    for (const kind of kinds) {
      const result = await corrupt(engine, new Uint8Array(32 * 32 * 3).fill(grey), { kind, severity: 1, size: 32, seeds: [1] });
      if (grey === 0 && kind === 'brightness') assert.ok(mean(result) > 1, 'not a number would be 0');
      assert.ok(grey === 0 ? mean(result) < 130 : mean(result) > 130, `${kind} of ${grey}: ${mean(result)}`);
    }
  }
});

test('a dataset is corrupted as it is read: each record by itself, and another seed otherwise', async () => {
  const { test: set } = birdSplits({ imageSize: 32, seed: 1, minorityShare: 0.05, sizes: { train: 4, test: 12, broad: 4 } });
  const view = corrupted(engine, set, { kind: 'gaussian_noise', severity: 2, seed: 5 });
  assert.is(view.name, `${set.name}, gaussian_noise 2`);
  assert.equal([view.length, view.labels, view.attributeOf], [set.length, set.labels, set.attributeOf]);
  const [several, one] = [await view.read([3, 0, 3]), await view.read([3])];
  const bytes = 32 * 32 * 3;
  assert.is(Buffer.from(several.subarray(0, bytes)).compare(one), 0);
  assert.is(Buffer.from(several.subarray(2 * bytes)).compare(one), 0);
  assert.ok(distance(await set.read([3]), one) > 3);
  assert.ok(distance(await corrupted(engine, set, { kind: 'gaussian_noise', severity: 2, seed: 6 }).read([3]), one) > 3);
  const noiseOf = async (index: number): Promise<number[]> => {
    const [noisy, plain] = [await view.read([index]), await set.read([index])];
    return Array.from(noisy, (value, i) => value - plain[i]!);
  };
  assert.not.equal(await noiseOf(0), await noiseOf(1));
  assert.is((await view.read([])).length, 0);
});

test('a call that is cancelled ends early', async () => {
  const size = 224, count = 200;
  const controller = new AbortController();
  const call = corrupt(engine, new Uint8Array(count * size * size * 3), { kind: 'elastic_transform', severity: 1, size, seeds: new Uint8Array(count) }, { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await failure(() => call, 'aborted');
});

test('each kind of wrong input has its error', async () => {
  const images = clean.get(32)!;
  const good = { kind: 'fog', severity: 1, size: 32, seeds } as const;
  const refused = async (options: object, pattern: RegExp, input = images): Promise<void> => {
    assert.match((await failure(() => corrupt(engine, input, { ...good, ...options } as never), 'usage')).message, pattern);
  };
  await refused({ kind: 'rain' }, /corrupt: expected the name of a corruption as kind, found rain/);
  await refused({ severity: 0 }, /corrupt: expected a severity in 1\.\.5, found 0/);
  await refused({ severity: 6 }, /corrupt: expected a severity in 1\.\.5, found 6/);
  await refused({ severity: 1.5 }, /'severity': expected a whole number/);
  await refused({ size: 31 }, /corrupt: expected images of at least 32 px, found 31 px/);
  await refused({ seeds: [1, 2] }, /corrupt: expected one seed for each of 8 images, found 2/);
  await refused({}, /expected a multiple of 3072 bytes/, images.subarray(1));
});

test.run();
