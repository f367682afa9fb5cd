/**
 * What the training images of a class are like in the features of the teacher: their mean, and the means of their clusters
 * (the hierarchical prototypes of DistDiff, arXiv 2403.06741). Classes alone decide, never groups.
 */
import type { Dataset } from '../data/types.js';
import type { Prototypes } from '../native/contract.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import { kMeans, meanPoint } from './k-means.js';
import { recordsOfClasses } from './start-images.js';

/** Clusters of each class; the authors' K. */
export const localPrototypes = 3;

const batchSize = 256;

/** Prototypes of all classes of `train`. A class with fewer different images than clusters has some prototypes twice. */
export async function classPrototypes(teacher: Classifier, train: Dataset, seed: number, { signal }: Pick<Cancellable, 'signal'> = {}): Promise<{ prototypes: Prototypes; provenance: { localPrototypes: number } }> {
  const global: Float64Array[] = [], local: Float64Array[] = [];
  for (const records of recordsOfClasses(train)) {
    const points = await unitFeatures(teacher, train, records, signal ? { signal } : {}); // of one class at a time, to save memory
    const { clusters } = await kMeans(points, localPrototypes, seed, signal ? { signal } : {});
    global.push(unit(meanPoint(points)!));
    const means = Array.from({ length: localPrototypes }, (_, cluster) => meanPoint(points.filter((_, i) => clusters[i] === cluster)));
    const found = means.filter((mean) => mean !== undefined);
    means.forEach((mean) => local.push(unit(mean ?? found[0]!)));
  }
  return { prototypes: { global: flat(global), local: flat(local) }, provenance: { localPrototypes } };
}

async function unitFeatures(teacher: Classifier, train: Dataset, records: readonly number[], cancellable: Cancellable): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (let begin = 0; begin < records.length; begin += batchSize) {
    const batch = records.slice(begin, begin + batchSize);
    const features = await teacher.features(await train.read(batch), cancellable);
    const width = features.length / batch.length;
    batch.forEach((_, i) => rows.push(unit(features.subarray(i * width, (i + 1) * width))));
  }
  return rows;
}

function unit<Vector extends Float32Array | Float64Array>(vector: Vector): Vector {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return vector.map((value: number) => value / Math.max(Math.sqrt(sum), 1e-12)) as Vector;
}

function flat(vectors: readonly Float64Array[]): Float32Array {
  return Float32Array.from(vectors.flatMap((vector) => Array.from(vector)));
}
