/**
 * k-means for two clusters: k-means++ starts (Arthur & Vassilvitskii 2007), Lloyd's iterations, the best of several starts.
 * The same points and seed give the same clusters.
 */
import { stream, type RandomStream } from '../data/random.js';

export interface TwoMeans {
  /** Cluster of each point, 0 or 1, [n]; all 0 where the points are equal. */
  clusters: Uint8Array;
  /** Sum of the squared distances to the centre of the own cluster. */
  inertia: number;
}

const starts = 10;
const maximumIterations = 300;

/** @param points [n, d] */
export function twoMeans(points: readonly ArrayLike<number>[], seed: number): TwoMeans {
  let best: TwoMeans = { clusters: new Uint8Array(points.length), inertia: Infinity };
  for (let start = 0; start < starts; start++) {
    const found = iterate(points, firstCentres(points, stream(seed, 'k-means', start)));
    if (found.inertia < best.inertia) best = found;
  }
  return best;
}

/** A point drawn evenly, and one drawn in proportion to its squared distance from that. */
function firstCentres(points: readonly ArrayLike<number>[], random: RandomStream): [ArrayLike<number>, ArrayLike<number>] {
  const first = points[random.integer(points.length)]!;
  const distances = points.map((point) => squaredDistance(point, first));
  const total = distances.reduce((sum, distance) => sum + distance, 0);
  const target = random.uniform() * total;
  let passed = 0;
  const second = points.find((_, i) => distances[i]! > 0 && (passed += distances[i]!) > target);
  return [first, second ?? first];
}

function iterate(points: readonly ArrayLike<number>[], start: [ArrayLike<number>, ArrayLike<number>]): TwoMeans {
  let centres = start;
  const clusters = new Uint8Array(points.length);
  for (let iteration = 0; ; iteration++) {
    let [inertia, changed] = [0, iteration === 0];
    points.forEach((point, i) => {
      const [own, other] = [squaredDistance(point, centres[0]), squaredDistance(point, centres[1])];
      const cluster = other < own ? 1 : 0;
      if (clusters[i] !== cluster) changed = true;
      clusters[i] = cluster;
      inertia += Math.min(own, other);
    });
    if (!changed || iteration === maximumIterations) return { clusters, inertia };
    centres = [meanOf(points, clusters, 0) ?? centres[0], meanOf(points, clusters, 1) ?? centres[1]];
  }
}

function meanOf(points: readonly ArrayLike<number>[], clusters: Uint8Array, cluster: number): Float64Array | undefined {
  const sum = new Float64Array(points[0]!.length);
  let count = 0;
  points.forEach((point, i) => {
    if (clusters[i] !== cluster) return;
    count++;
    for (let d = 0; d < sum.length; d++) sum[d] += point[d]!;
  });
  return count > 0 ? sum.map((value) => value / count) : undefined;
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d]! - b[d]!) ** 2;
  return sum;
}
