/**
 * k-means: k-means++ starts (Arthur & Vassilvitskii 2007), Lloyd's iterations, the best of several starts. The same points
 * and seed give the same clusters.
 */
import { stream, type RandomStream } from '../data/random.js';
import type { Cancellable } from '../native/engine.js';
import { Breather } from './breather.js';

export interface Clustering {
  /** Cluster of each point, 0..k-1, [n]; some are empty where there are fewer different points. */
  clusters: Uint8Array;
  /** Sum of the squared distances to the centre of the own cluster. */
  inertia: number;
}

type Point = ArrayLike<number>;

const starts = 10;
const maximumIterations = 300;
/** Numbers that are looked at between two looks at the clock: milliseconds. */
const blockNumbers = 2 ** 16;

/**
 * Takes minutes for many points, but leaves the event loop free.
 * @param points [n, d], at least one
 */
export async function kMeans(points: readonly Point[], k: number, seed: number, { signal }: Pick<Cancellable, 'signal'> = {}): Promise<Clustering> {
  const breather = new Breather(signal);
  let best: Clustering = { clusters: new Uint8Array(points.length), inertia: Infinity };
  for (let start = 0; start < starts; start++) {
    const centres = await firstCentres(points, k, stream(seed, 'k-means', start), breather);
    const found = await iterate(points, centres, breather);
    if (found.inertia < best.inertia) best = found;
  }
  return best;
}

/** The mean of some points; undefined where there is none of them. */
export function meanPoint(points: readonly Point[]): Float64Array | undefined {
  if (points.length === 0) return undefined;
  const sum = new Float64Array(points[0]!.length);
  for (const point of points) addTo(sum, point);
  return sum.map((value) => value / points.length);
}

/** A point drawn evenly, and others drawn in proportion to their squared distances from the nearest of those before. */
async function firstCentres(points: readonly Point[], k: number, random: RandomStream, breather: Breather): Promise<Point[]> {
  const centres = [points[random.integer(points.length)]!];
  const distances = new Float64Array(points.length);
  while (centres.length < k) {
    let sum = 0;
    await forEach(points, breather, (point, i) => {
      distances[i] = Math.min(...centres.map((centre) => squaredDistance(point, centre)));
      sum += distances[i]!;
    });
    const target = random.uniform() * sum;
    let passed = 0;
    const next = points.find((_, i) => distances[i]! > 0 && (passed += distances[i]!) > target);
    centres.push(next ?? centres[0]!);
  }
  return centres;
}

async function iterate(points: readonly Point[], start: Point[], breather: Breather): Promise<Clustering> {
  let centres = start;
  const clusters = new Uint8Array(points.length);
  for (let iteration = 0; ; iteration++) {
    let inertia = 0, changed = iteration === 0;
    await forEach(points, breather, (point, i) => {
      const distances = centres.map((centre) => squaredDistance(point, centre));
      const nearest = Math.min(...distances);
      const cluster = distances.indexOf(nearest); // the first of equal ones
      if (clusters[i] !== cluster) changed = true;
      clusters[i] = cluster;
      inertia += nearest;
    });
    if (!changed || iteration === maximumIterations) return { clusters, inertia };
    centres = await means(points, clusters, centres, breather);
  }
}

/** The mean of each cluster; the centre before for one without points. */
async function means(points: readonly Point[], clusters: Uint8Array, before: readonly Point[], breather: Breather): Promise<Point[]> {
  const sums = before.map((centre) => ({ sum: new Float64Array(centre.length), count: 0 }));
  await forEach(points, breather, (point, i) => {
    const own = sums[clusters[i]!];
    if (!own) return; // of a point that is not finite
    addTo(own.sum, point);
    own.count++;
  });
  return sums.map(({ sum, count }, cluster) => (count === 0 ? before[cluster]! : sum.map((value) => value / count)));
}

/** As `points.forEach`, in blocks. */
async function forEach(points: readonly Point[], breather: Breather, visit: (point: Point, i: number) => void): Promise<void> {
  const block = Math.max(1, Math.floor(blockNumbers / Math.max(1, points[0]!.length)));
  for (let begin = 0; begin < points.length; begin += block) {
    const end = Math.min(begin + block, points.length);
    for (let i = begin; i < end; i++) visit(points[i]!, i);
    await breather.breathe();
  }
}

function addTo(sum: Float64Array, point: Point): void {
  for (let d = 0; d < sum.length; d++) sum[d]! += point[d]!;
}

function squaredDistance(a: Point, b: Point): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d]! - b[d]!) ** 2;
  return sum;
}
