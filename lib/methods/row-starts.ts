/** Where the samples of a row start: all in the same way, or each at a strength of its own. */
import { stream } from '../data/random.js';
import type { GenerateOptions, Generated, SamplingStart } from '../native/contract.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier, Generator } from '../native/models.js';

/** With `strengths` each sample takes one of them, all equally likely. */
export type RowStart = SamplingStart | { kind: 'image'; strengths: readonly number[] };

/** The start of each of `count` samples, from seed, round and position alone. */
export function drawStarts(start: RowStart, count: number, { seed, round }: { seed: number; round: number }): SamplingStart[] {
  if (!('strengths' in start)) return Array.from({ length: count }, () => start);
  const choices = start.strengths.map((strength) => ({ kind: start.kind, strength }));
  const random = stream(seed, 'start strengths', round);
  return Array.from({ length: count }, () => choices[random.integer(choices.length)]);
}

/** What the store shall say of the start of one sample beside what it says of all. */
export function drawnStrength(start: RowStart, own: SamplingStart): number | undefined {
  return 'strengths' in start && own.kind !== 'noise' ? own.strength : undefined;
}

/** As `Generator.generate`, with a start for each sample; those with the same one are drawn together. */
export async function generateFrom(
  starts: readonly SamplingStart[],
  generator: Generator,
  opponents: { teacher: Classifier; student: Classifier },
  options: Omit<GenerateOptions, 'precision' | 'start'>,
  cancellable: Cancellable,
): Promise<Generated> {
  const distinct = [...new Set(starts)];
  if (distinct.length === 1) return generator.generate(opponents, { ...options, start: distinct[0] }, cancellable);
  const count = starts.length, k = generator.classes.length, bytes = options.images!.length / count;
  const result = { images: new Uint8Array(count * bytes), teacherProbabilities: new Float32Array(count * k), studentProbabilities: new Float32Array(count * k), gradientCosines: null };
  for (const start of distinct) {
    const places = starts.flatMap((own, place) => (own === start ? [place] : []));
    const images = new Uint8Array(places.length * bytes);
    places.forEach((place, i) => images.set(options.images!.subarray(place * bytes, (place + 1) * bytes), i * bytes));
    const conditions = options.conditions && { conditions: placed(options.conditions, places, count) };
    const part = { ...options, ...conditions, start, images, classes: places.map((place) => options.classes[place]), seeds: places.map((place) => options.seeds[place]) };
    const drawn = await generator.generate(opponents, part, cancellable);
    places.forEach((place, i) => {
      result.images.set(drawn.images.subarray(i * bytes, (i + 1) * bytes), place * bytes);
      result.teacherProbabilities.set(drawn.teacherProbabilities!.subarray(i * k, (i + 1) * k), place * k);
      result.studentProbabilities.set(drawn.studentProbabilities!.subarray(i * k, (i + 1) * k), place * k);
    });
  }
  return result;
}

/** The rows of some of `count` samples. */
function placed(values: Float32Array, places: readonly number[], count: number): Float32Array {
  const length = values.length / count;
  const result = new Float32Array(places.length * length);
  places.forEach((place, i) => result.set(values.subarray(place * length, (place + 1) * length), i * length));
  return result;
}
