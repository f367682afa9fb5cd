import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import { kMeans, meanPoint } from '../../lib/methods/k-means.js';

const cloud = (seed: number, count: number, centre: readonly number[] = [0, 0], spread = 1): number[][] => {
  const random = stream(seed, 'cloud');
  return Array.from({ length: count }, () => centre.map((value) => value + spread * random.normal()));
};

/** The least inertia of all ways to put the points into k clusters. */
function leastInertia(points: readonly number[][], k: number): number {
  let least = Infinity;
  for (let code = 0; code < k ** points.length; code++) {
    const parts = Array.from({ length: k }, (_, cluster) => points.filter((_, i) => Math.floor(code / k ** i) % k === cluster));
    const inertia = parts.reduce((sum, part) => {
      const centre = meanPoint(part);
      return sum + part.reduce((own, point) => own + point.reduce((square, value, d) => square + (value - centre![d]!) ** 2, 0), 0);
    }, 0);
    least = Math.min(least, inertia);
  }
  return least;
}

for (const k of [2, 3]) {
  test(`all but the best of all partitions, of points without structure, k = ${k}`, () => {
    for (const seed of [1, 2, 3]) {
      const points = cloud(seed, 8);
      const { inertia, clusters } = kMeans(points, k, 0);
      const ratio = inertia / leastInertia(points, k);
      assert.ok(ratio > 1 - 1e-9 && ratio < 1.03, `${ratio}`);
      assert.is(new Set(clusters).size, k);
    }
  });
}

test('clusters that lie apart are found with any seed, and are the same with the same seed', () => {
  const parts = [cloud(1, 40, [0, 0, 9]), cloud(2, 10, [9, 0, 0]), cloud(3, 25, [0, 9, 0])];
  const points = parts.flat();
  for (const seed of [0, 1, 2]) {
    const { clusters } = kMeans(points, 3, seed);
    assert.equal(kMeans(points, 3, seed).clusters, clusters);
    const [first, second, third] = [clusters.slice(0, 40), clusters.slice(40, 50), clusters.slice(50)].map((own) => new Set(own));
    assert.equal([first.size, second.size, third.size], [1, 1, 1]);
    assert.is(new Set([...first, ...second, ...third]).size, 3);
  }
});

test('fewer different points than clusters: some clusters are empty', () => {
  const { clusters, inertia } = kMeans([[1, 2], [1, 2], [3, 4]], 3, 0);
  assert.is(inertia, 0);
  assert.is(clusters[0], clusters[1]);
  assert.is.not(clusters[0], clusters[2]);
  assert.is(meanPoint([]), undefined);
});

test.run();
