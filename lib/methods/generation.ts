/** One round of generation: images of every class, judged by both networks, selected, stored. */
import { stream } from '../data/random.js';
import type { Dataset } from '../data/types.js';
import type { GenerateOptions, Prototypes, SamplingStart } from '../native/contract.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier, Generator } from '../native/models.js';
import { softmax } from '../metrics/softmax.js';
import type { Sample } from '../store/record.js';
import type { SampleStore } from '../store/store.js';
import { allocate } from './allocation.js';
import { drawCaptions } from './captions.js';
import { storedLogits } from './evaluate.js';
import type { RowSampling } from './recipes.js';
import { drawnStrength, drawStarts, generateFrom } from './row-starts.js';
import { drawSources, recordsOfClasses } from './start-images.js';

interface Opponents {
  teacher: Classifier;
  student: Classifier;
}

export interface RoundRequest {
  seed: number;
  round: number;
  count: number;
  /** Of the classes in the images; they sum to 1. */
  shares: readonly number[];
  sampling: RowSampling;
  /** Whose images are started from; null where `sampling` starts from noise. */
  train: Dataset | null;
  /** Which of them, records of each class; default all. */
  startRecords?: readonly (readonly number[])[];
  /** Training images with the captions that the generator is told, where it takes any. */
  captioned?: Dataset | null;
  /** Where `sampling` is guided by them. */
  prototypes?: Prototypes;
  /** Images to keep; null keeps all. */
  selection: Selection | null;
  /** Images of the round, from the first on, that are drawn without guidance as well where there is some; default 0. */
  compared?: number;
  /** What else the store shall say of how they were made. */
  provenance?: Record<string, unknown>;
}

export interface Selection {
  /** Least probability that the teacher gives the intended class, which must also be its first choice. */
  teacherProbability: number;
  /** Whether the current student must give another class. */
  studentWrong: boolean;
}

export interface Judged extends Pick<Sample, 'label' | 'seed' | 'source' | 'captionOf' | 'strength' | 'unguided' | 'gradientCosine'> {
  pixels: Uint8Array;
  /** [K] */
  teacherProbabilities: ArrayLike<number>;
  studentProbabilities: ArrayLike<number>;
}

/**
 * Generates what the store lacks of a round and appends it, batch by batch: a round that was interrupted goes on
 * where it stopped. Classes take turns by their shares; noise seeds, and which of the start images there are is taken, depend on
 * seed, round and position alone.
 */
export async function generateRound(
  generator: Generator,
  opponents: Opponents,
  store: SampleStore,
  request: RoundRequest,
  options: Cancellable,
): Promise<void> {
  const { round, count, shares, sampling, train, captioned = null, startRecords, prototypes, selection, compared = 0, provenance } = request;
  const k = generator.classes.length, bytes = store.imageSize ** 2 * 3;
  const classes = allocate(count, shares);
  const seeds = noiseSeeds(request);
  const sources = train && drawSources(startRecords ?? recordsOfClasses(train), classes, request);
  const starts = drawStarts(sampling.start, count, request);
  const told = drawCaptions(generator, captioned, sources, classes, request);
  const stored = store.ofRound(round).length;
  for (let begin = stored; begin < count; begin += sampling.batchSize) {
    const end = Math.min(begin + sampling.batchSize, count);
    const images = train && (await train.read(sources!.slice(begin, end)));
    const conditions = await told?.conditions(begin, end);
    const batch = { ...sampling, classes: classes.slice(begin, end), seeds: seeds.slice(begin, end), images, starts: starts.slice(begin, end), ...(conditions && { conditions }) };
    const { signal, onProgress } = options;
    const generated = await generateFrom(batch.starts, generator, opponents, { ...batch, ...(prototypes && { prototypes }), compareGradients: round === 0 && begin === 0 }, signal ? { signal } : {});
    const unguided = sampling.guidance.kind === 'none' ? [] : await drawUnguided(generator, opponents, batch, compared - begin, signal ? { signal } : {});
    const samples = batch.classes.map((label, i) =>
      judge(
        {
          label,
          seed: batch.seeds[i],
          source: sources?.[begin + i],
          captionOf: told?.records[begin + i],
          strength: drawnStrength(sampling.start, batch.starts[i]),
          unguided: unguided[i],
          gradientCosine: numberOrNothing(generated.gradientCosines?.[i]),
          pixels: generated.images.subarray(i * bytes, (i + 1) * bytes),
          teacherProbabilities: generated.teacherProbabilities!.subarray(i * k, (i + 1) * k),
          studentProbabilities: generated.studentProbabilities!.subarray(i * k, (i + 1) * k),
        },
        selection,
      ),
    );
    await store.append(round, samples, { ...sampling, ...provenance });
    onProgress?.(end, count);
  }
}

/** NaN says that there was nothing to compare. */
function numberOrNothing(value: number | undefined): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

/** What both say of the first `count` images of a batch when nothing guides them. */
async function drawUnguided(generator: Generator, opponents: Opponents, batch: Omit<GenerateOptions, 'precision' | 'start' | 'compareGradients'> & { starts: SamplingStart[] }, count: number, options: Cancellable): Promise<NonNullable<Sample['unguided']>[]> {
  if (count <= 0) return [];
  const classes = Array.from(batch.classes).slice(0, count);
  const images = batch.images && batch.images.subarray(0, (batch.images.length / batch.classes.length) * classes.length);
  const conditions = batch.conditions && { conditions: batch.conditions.subarray(0, (batch.conditions.length / batch.classes.length) * classes.length) };
  const first = { ...batch, ...conditions, classes, seeds: Array.from(batch.seeds).slice(0, count), images, guidance: { kind: 'none' } as const, compareGradients: false };
  const { teacherProbabilities, studentProbabilities } = await generateFrom(batch.starts.slice(0, count), generator, opponents, first, options);
  const k = generator.classes.length;
  return classes.map((label, i) => ({ teacherProbability: teacherProbabilities![i * k + label], studentProbability: studentProbabilities![i * k + label] }));
}

/** As generateRound, with the images of another store that the current student has yet to judge. */
export async function reuseRound(pool: SampleStore, student: Classifier, store: SampleStore, round: number, selection: Selection | null): Promise<void> {
  const stored = store.ofRound(round).length; // some, where the row was begun without the other store
  const records = pool.ofRound(round).slice(stored);
  if (records.length === 0) return;
  const images = await pool.readImages(records.map((record) => record.key));
  const probabilities = softmax(await storedLogits(student, pool, records), student.classes.length);
  const k = student.classes.length, bytes = store.imageSize ** 2 * 3;
  const samples = records.map(({ label, seed, source, captionOf, teacherProbabilities }, i) =>
    judge({ label, seed, source, captionOf, pixels: images.subarray(i * bytes, (i + 1) * bytes), teacherProbabilities, studentProbabilities: probabilities.subarray(i * k, (i + 1) * k) }, selection),
  );
  await store.append(round, samples, await pool.generatorSettings(records[0].settings));
}

/** Decides whether an image is for training, and says why. */
export function judge(image: Judged, selection: Selection | null): Sample {
  const { label, seed, source, captionOf, strength, unguided, gradientCosine, pixels } = image;
  const teacherProbabilities = Array.from(image.teacherProbabilities);
  const studentProbability = image.studentProbabilities[label];
  const teacher = teacherProbabilities[label];
  const studentWrong = !gives(image.studentProbabilities, label);
  const reason =
    selection === null ? 'no selection'
    : !gives(teacherProbabilities, label) ? 'teacher disagrees'
    : teacher < selection.teacherProbability ? 'teacher unsure'
    : selection.studentWrong && !studentWrong ? 'student right'
    : 'selected';
  return {
    pixels, label, seed, source, captionOf, strength, unguided, gradientCosine, teacherProbabilities, studentProbability, studentWrong,
    disagreement: teacher - studentProbability,
    kept: reason === 'no selection' || reason === 'selected',
    reason,
  };
}

/** Whether these probabilities have no class above the given one. */
export function gives(probabilities: ArrayLike<number>, label: number): boolean {
  return Array.from(probabilities).every((probability) => probability <= probabilities[label]);
}

function noiseSeeds({ seed, round, count }: RoundRequest): number[] {
  const random = stream(seed, 'initial noise', round);
  return Array.from({ length: count }, () => Math.floor(random.uniform() * 2 ** 53));
}
