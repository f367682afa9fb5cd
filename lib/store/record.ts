import { z } from 'zod';
import { SparringError } from '../errors.js';

const probability = z.number().min(0).max(1);

/** What is known of a stored image apart from its place: the `.json` beside it in the shard. */
export const provenanceSchema = z.object({
  /** Class index. */
  label: z.int().min(0),
  class: z.string(),
  /** Seed of the image's noise. */
  seed: z.int().min(0),
  /** Record of the training split that it started from; absent for one from noise. */
  source: z.int().min(0).optional(),
  /** Record of the training split whose caption the generator was told. */
  captionOf: z.int().min(0).optional(),
  /** Share of the steps that it took from there, where that is drawn for each image. */
  strength: z.number().optional(),
  /** Round of generation, from 0. */
  round: z.int().min(0),
  /** The teacher's soft labels, one probability per class. */
  teacherProbabilities: z.array(probability),
  /** The student's probability of the label when the image was made; absent, with studentWrong and disagreement, where there was none. */
  studentProbability: probability.optional(),
  /** Whether the student then gave another class. */
  studentWrong: z.boolean().optional(),
  /** What both said of the image that came from the same noise without guidance, where that was drawn too. */
  unguided: z.object({ teacherProbability: probability, studentProbability: probability }).optional(),
  /** Cosine of the gradient that guided it with the exact one, mean over the guided steps, where they were compared. */
  gradientCosine: z.number().min(-1.001).max(1.001).optional(),
  /** Teacher minus student probability of the label, -1..1. */
  disagreement: z.number().optional(),
  /** Id of the generator settings: `generators/<id>.json`. */
  settings: z.string(),
  /** Whether the image is for training. */
  kept: z.boolean(),
  /** Why it was kept or not. */
  reason: z.string(),
});

/** A line of index.jsonl. */
export const recordSchema = z.object({
  /** Unique in the store: '<shard>/<number>'. */
  key: z.string(),
  /** File name of the shard. */
  shard: z.string(),
  /** Number of images in that shard: fewer lines mean that writing the index was interrupted. */
  shardLength: z.int().min(1),
  /** Byte position and length of the PNG in the shard. */
  offset: z.int().min(0),
  bytes: z.int().min(1),
  ...provenanceSchema.shape,
});

/** A sample on which teacher and student were compared. */
export type Compared = Required<Pick<SampleRecord, 'studentProbability' | 'studentWrong' | 'disagreement'>>;

export type Provenance = z.infer<typeof provenanceSchema>;
export type SampleRecord = z.infer<typeof recordSchema>;

/** What the caller gives of one image; class and settings are filled in by the store. */
export interface Sample extends Omit<Provenance, 'class' | 'settings' | 'round'> {
  /** uint8, [imageSize, imageSize, 3]. */
  pixels: Uint8Array;
}

/** Whether a sample was made against a student. */
export function isCompared<Known extends Partial<Compared>>(sample: Known): sample is Known & Compared {
  return sample.studentProbability !== undefined && sample.studentWrong !== undefined && sample.disagreement !== undefined;
}

/** Parses JSON of a stored file; `where` names the file and line in the error. */
export function parseStored<T>(schema: z.ZodType<T>, text: string, where: string, hint: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const found = text.length > 60 ? `${text.slice(0, 60)}...` : text;
    throw new SparringError('data', `${where}: expected JSON, found ${JSON.stringify(found)}`, hint);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new SparringError('data', `${where}: ${issue!.path.join('.') || 'value'}: ${issue!.message}`, hint);
}
