/** What decides how the discrete adversaries of `sparring discretise` come out: kept in their store, and what a run that is given the store compares. */
import type { Config } from '../config/schema.js';
import { fingerprintImages } from '../data/fingerprint.js';
import type { Engine } from '../native/engine.js';
import { fingerprintRead } from './fingerprint.js';
import type { ReadyTeacher } from './ready-teacher.js';

/** Its discretiser is given. Of the teacher the loaded one counts too: a file from elsewhere does not say how its inputs are normalised. */
export async function adversarySettings(engine: Engine, { dad: { attack }, seed, data, discretiser }: Config, teacher: ReadyTeacher, signal?: AbortSignal): Promise<Record<string, unknown>> {
  const { mean, std } = teacher.model.spec;
  const settings = {
    method: 'dad', ...attack, seed, precision: engine.precision,
    teacher: teacher.identity, normalisation: { mean, std },
    discretiser: await fingerprintRead(engine, (discretiser.weights ?? discretiser.pretrained?.path)!),
    data, images: await fingerprintImages(data, signal),
  };
  return JSON.parse(JSON.stringify(settings)) as Record<string, unknown>; // as it is saved
}
