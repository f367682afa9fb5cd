import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import { SparringError } from '../../lib/errors.js';
import { kMeans, meanPoint, type Clustering } from '../../lib/methods/k-means.js';

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
  test(`all but the best of all partitions, of points without structure, k = ${k}`, async () => {
    for (const seed of [1, 2, 3]) {
      const points = cloud(seed, 8);
      const { inertia, clusters } = await kMeans(points, k, 0);
      const ratio = inertia / leastInertia(points, k);
      assert.ok(ratio > 1 - 1e-9 && ratio < 1.03, `${ratio}`);
      assert.is(new Set(clusters).size, k);
    }
  });
}

test('clusters that lie apart are found with any seed, and are the same with the same seed', async () => {
  const parts = [cloud(1, 40, [0, 0, 9]), cloud(2, 10, [9, 0, 0]), cloud(3, 25, [0, 9, 0])];
  const points = parts.flat();
  for (const seed of [0, 1, 2]) {
    const { clusters } = await kMeans(points, 3, seed);
    assert.equal((await kMeans(points, 3, seed)).clusters, clusters);
    const [first, second, third] = [clusters.slice(0, 40), clusters.slice(40, 50), clusters.slice(50)].map((own) => new Set(own));
    assert.equal([first.size, second.size, third.size], [1, 1, 1]);
    assert.is(new Set([...first, ...second, ...third]).size, 3);
  }
});

test('fewer different points than clusters: some clusters are empty', async () => {
  const { clusters, inertia } = await kMeans([[1, 2], [1, 2], [3, 4]], 3, 0);
  assert.is(inertia, 0);
  assert.is(clusters[0], clusters[1]);
  assert.is.not(clusters[0], clusters[2]);
  assert.is(meanPoint([]), undefined);
});

test('a loss that is not finite leaves one cluster, and is no crash', async () => {
  assert.equal(await kMeans([[1, NaN], [2, 3], [4, 5], [Infinity, 1]], 2, 0), { clusters: new Uint8Array(4), inertia: Infinity });
});

/** The same in the plainest form and without a pause, of one start after the other. */
function plain(points: readonly number[][], k: number, seed: number): Clustering {
  const distance = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, d) => sum + (value - b[d]!) ** 2, 0);
  const add = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
  let best: Clustering = { clusters: new Uint8Array(points.length), inertia: Infinity };
  for (let start = 0; start < 10; start++) {
    const random = stream(seed, 'k-means', start);
    let centres = [points[random.integer(points.length)]!];
    while (centres.length < k) {
      const nearest = points.map((point) => Math.min(...centres.map((centre) => distance(point, centre))));
      const target = random.uniform() * add(nearest);
      let passed = 0;
      centres.push(points.find((_, i) => nearest[i]! > 0 && (passed += nearest[i]!) > target) ?? centres[0]!);
    }
    for (let before = ''; ; ) {
      const distances = points.map((point) => centres.map((centre) => distance(point, centre)));
      const clusters = Uint8Array.from(distances, (own) => own.indexOf(Math.min(...own)));
      const inertia = add(distances.map((own) => Math.min(...own)));
      if (clusters.join() === before) {
        if (inertia < best.inertia) best = { clusters, inertia };
        break;
      }
      before = clusters.join();
      centres = centres.map((centre, cluster) => {
        const own = points.filter((_, i) => clusters[i] === cluster);
        return own.length > 0 ? centre.map((_, d) => add(own.map((point) => point[d]!)) / own.length) : centre;
      });
    }
  }
  return best;
}

test('pauses change nothing: clusters and inertia of the plain form, to the last bit', async () => {
  for (const [seed, count, width, k] of [[0, 700, 128, 3], [1, 1500, 30, 2], [2, 300, 2, 4]] as const) {
    const points = [0, 1].flatMap((part) => cloud(2 * seed + part, count, Array(width).fill(2 * part)));
    assert.equal(await kMeans(points, k, seed), plain(points, k, seed));
  }
});

test('timers go on meanwhile, and a signal ends it', async () => {
  const points = cloud(3, 40_000, Array(32).fill(0));
  const abort = new AbortController();
  let turns = 0;
  const timer = setInterval(() => ++turns === 5 && abort.abort(), 1);
  const error = await kMeans(points, 8, 0, { signal: abort.signal }).catch((reason) => reason); // seconds, if nothing ended it
  clearInterval(timer);
  assert.ok(error instanceof SparringError, 'it was not ended');
  assert.is(error.code, 'aborted');
  assert.ok(turns < 10, `${turns} turns of the timer`);
});

test.run();
