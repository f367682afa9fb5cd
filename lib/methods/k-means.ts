/**
 * k-means: k-means++ starts (Arthur & Vassilvitskii 2007), Lloyd's iterations, the best of several starts. The same points
 * and seed give the same clusters.
 */
import { stream, type RandomStream } from '../data/random.js';

export interface Clustering {
  /** Cluster of each point, 0..k-1, [n]; some are empty where there are fewer different points. */
  clusters: Uint8Array;
  /** Sum of the squared distances to the centre of the own cluster. */
  inertia: number;
}

type Point = ArrayLike<number>;

const starts = 10;
const maximumIterations = 300;

/** @param points [n, d], at least one */
export function kMeans(points: readonly Point[], k: number, seed: number): Clustering {
  let best: Clustering = { clusters: new Uint8Array(points.length), inertia: Infinity };
  for (let start = 0; start < starts; start++) {
    const found = iterate(points, firstCentres(points, k, stream(seed, 'k-means', start)));
    if (found.inertia < best.inertia) best = found;
  }
  return best;
}

/** The mean of some points; undefined where there is none of them. */
export function meanPoint(points: readonly Point[]): Float64Array | undefined {
  if (points.length === 0) return undefined;
  const sum = new Float64Array(points[0]!.length);
  for (const point of points) for (let d = 0; d < sum.length; d++) sum[d]! += point[d]!;
  return sum.map((value) => value / points.length);
}

/** A point drawn evenly, and others drawn in proportion to their squared distances from the nearest of those before. */
function firstCentres(points: readonly Point[], k: number, random: RandomStream): Point[] {
  const centres = [points[random.integer(points.length)]!];
  while (centres.length < k) {
    const distances = points.map((point) => Math.min(...centres.map((centre) => squaredDistance(point, centre))));
    const target = random.uniform() * distances.reduce((sum, distance) => sum + distance, 0);
    let passed = 0;
    const next = points.find((_, i) => distances[i]! > 0 && (passed += distances[i]!) > target);
    centres.push(next ?? centres[0]!);
  }
  return centres;
}

function iterate(points: readonly Point[], start: Point[]): Clustering {
  let centres = start;
  const clusters = new Uint8Array(points.length);
  for (let iteration = 0; ; iteration++) {
    let inertia = 0, changed = iteration === 0;
    points.forEach((point, i) => {
      const distances = centres.map((centre) => squaredDistance(point, centre));
      const nearest = Math.min(...distances);
      const cluster = distances.indexOf(nearest); // the first of equal ones
      if (clusters[i] !== cluster) changed = true;
      clusters[i] = cluster;
      inertia += nearest;
    });
    if (!changed || iteration === maximumIterations) return { clusters, inertia };
    centres = centres.map((centre, cluster) => meanPoint(points.filter((_, i) => clusters[i] === cluster)) ?? centre);
  }
}

function squaredDistance(a: Point, b: Point): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d]! - b[d]!) ** 2;
  return sum;
}
