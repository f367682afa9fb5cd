/** Captions of training images in what the generator is told: each generated image has that of one of its class. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';

import { takesCaption } from '../clip/prompts.js';
import type { Config } from '../config/schema.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { Generator } from '../native/models.js';
import { readSavedJson, writeFileAtomic } from '../training/files.js';
import { drawSources, recordsOfClasses } from './start-images.js';

/** Throws SparringError 'data' where the prompt of the generator takes captions and a training image has none, or a class no image. */
export function checkCaptions({ generator: { pretrained } }: Pick<Config, 'generator'>, train: Dataset): void {
  if (!pretrained || !takesCaption(pretrained.prompt)) return;
  recordsOfClasses(train, 'captions to come from', 'Add images, or leave {caption} out of generator.pretrained.prompt.');
  const missing = Array.from({ length: train.length }, (_, record) => record).filter((record) => !train.captions?.[record]);
  if (missing.length === 0) return;
  const found = missing.length === train.length ? 'found none' : `found ${missing.length} of ${train.length} without, first image ${missing[0]} (of class ${train.classes[train.labels[missing[0]]]})`;
  throw new SparringError('data', `${train.name}: expected a caption of every training image, which generator.pretrained.prompt has as {caption}, ${found}.`, 'Give them in the column caption of a manifest or as .txt members of shards, or leave {caption} out of the prompt.');
}

/** What else the settings of images say, where their generator is told captions: by it other captions are known. */
export function captionProvenance({ captions }: Generator, train: Dataset | null): { captions?: string } {
  return captions && train ? { captions: fingerprint(train) } : {};
}

/**
 * Keeps in a run folder which captions its generator is told, since its config names a file alone. Throws SparringError 'data' when they
 * were others before.
 */
export async function keepCaptions(folder: string, { generator: { pretrained } }: Pick<Config, 'generator'>, train: Dataset): Promise<void> {
  if (!pretrained || !takesCaption(pretrained.prompt)) return;
  const file = join(folder, 'captions.json');
  const captions = fingerprint(train);
  const before = readSavedJson<{ captions: string }>(file, 'The file is damaged; delete it if the captions are what they were.');
  if (before && before.captions !== captions) {
    throw new SparringError('data', `${train.name}: expected the captions that the run in ${folder} was begun with (${before.captions.slice(0, 12)}), found others (${captions.slice(0, 12)}).`, 'Put the old captions back, or choose another folder with --output <folder>.');
  }
  if (!before) await writeFileAtomic(file, `${JSON.stringify({ captions })}\n`);
}

function fingerprint({ captions }: Dataset): string {
  return createHash('sha256').update(JSON.stringify(captions)).digest('hex');
}

interface Told {
  /** Record whose caption each sample is told. */
  records: number[];
  conditions(begin: number, end: number): Promise<Float32Array>;
}

/**
 * The captions of the samples of a round: that of the image that a sample starts from (`sources`), else of one of its class, drawn as
 * start images are. Null for a generator that is told of classes alone.
 */
export function drawCaptions({ captions: encoder }: Generator, train: Dataset | null, sources: readonly number[] | null, labels: readonly number[], of: { seed: number; round: number }): Told | null {
  if (!encoder) return null;
  if (!train?.captions) throw new SparringError('usage', 'Generation: expected training images with captions, which the prompt of the generator has as {caption}, found none.', 'Give `captioned`.');
  const records = sources ? [...sources] : drawSources(recordsOfClasses(train), labels, of);
  const captionOf = (record: number): string => train.captions![record]!;
  return {
    records,
    conditions: (begin, end) => encoder.conditionsOf(labels.slice(begin, end), records.slice(begin, end).map(captionOf)),
  };
}
