/** The teacher of a command that trains nothing: given weights, or a CLIP model as it is. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { openClip } from '../clip/open.js';
import type { Config } from '../config/schema.js';
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { Engine } from '../native/engine.js';
import type { Classifier } from '../native/models.js';
import { filesRead, fingerprint, fingerprintRead } from './fingerprint.js';
import { isTrained, openTeacher } from './foundation.js';

/** What beside the weights of a CLIP model says how images and prompts are read. */
const describing = ['config.json', 'preprocessor_config.json', 'open_clip_config.json', 'vocab.json', 'merges.txt', 'tokenizer.json'];

export interface ReadyTeacher {
  model: Classifier;
  /** What tells it from another one, for the provenance of images: the SHA-256 of its weights, for a CLIP model with prompts and names. */
  identity: string | object;
}

/** Throws SparringError 'config' for a teacher that is to be trained. */
export function checkReadyTeacher({ teacher }: Config, command: string): void {
  if (!isTrained(teacher)) return;
  if (teacher.zeroShot) {
    throw new SparringError('config', `${command}: expected a teacher that is ready, found teacher.zeroShot with tune ${teacher.zeroShot.tune}, which trains it first.`, 'Train it with `sparring foundation` and give the file that it writes as teacher.weights, or set tune to none.');
  }
  throw new SparringError('config', `${command}: expected teacher.weights or teacher.zeroShot, found neither.`, 'Give the file, e.g. the one that `sparring foundation` wrote.');
}

/** Opens one that `checkReadyTeacher` has let pass. */
export async function openReadyTeacher(engine: Engine, config: Config, inputs: Pick<Dataset, 'classes' | 'imageSize'>, signal?: AbortSignal): Promise<ReadyTeacher> {
  const { weights, zeroShot } = config.teacher;
  // No row is made here that could need features.
  const model = await openTeacher(engine, { ...config, methods: [] }, inputs, signal ? { signal } : {});
  if (weights) return { model, identity: await fingerprintRead(engine, weights) };
  const { clip, prompts, names } = zeroShot!;
  const file = (await openClip(engine, clip)).weights;
  const files = [...(await filesRead(engine, file)), ...describing.map((name) => join(dirname(file), name)).filter((path) => existsSync(path))];
  return { model, identity: { clip: await fingerprint(file, files), prompts, names } };
}
