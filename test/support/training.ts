/** Trainers of tiny networks, and what their weights and states are. Importing it opens an engine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { MixingOptions, ModelHandle, StepResult, TrainerHandle, TrainerOptions } from '../../lib/native/contract.js';
import type { Classifier } from '../../lib/native/models.js';
import { norm } from './numeric.js';
import { readSafetensors, type Tensor } from './safetensors.js';
import { batch, openEngine, temporaryFolder, trainerOptions } from './tiny.js';

export const engine = await openEngine();
export const { core } = engine;
export const folder = temporaryFolder();
export const sgd = { kind: 'sgd', beta1: 0, beta2: 0, momentum: 0, weightDecay: 0 } as const;
export const momentumSgd = { ...sgd, momentum: 0.9, weightDecay: 0.01 };

export type StudentOptions = Partial<TrainerOptions> & { mixing?: MixingOptions; temperature?: number; labelWeight?: number; headOnly?: boolean };
const noMixing: MixingOptions = { cutMix: 0, mixUp: 0 };
export const studentTrainer = (student: Classifier, teacher: Classifier | null, { mixing = noMixing, temperature = 1, labelWeight = 0, headOnly = false, ...options }: StudentOptions = {}) =>
  engine.run((core) => core.createClassifierTrainer(student.handle, teacher?.handle ?? null, { ...trainerOptions(options), mixing, temperature, labelWeight, headOnly }));

/** Steps [from, to), each with its own batch. */
export async function train(trainer: TrainerHandle<ModelHandle>, from: number, to: number, learningRate = 0.01): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (let step = from; step < to; step++) {
    const { images, labels } = batch(step);
    results.push(await engine.run((core) => core.trainStep(trainer, images, labels, { learningRate, step })));
  }
  return results;
}

export const losses = (results: StepResult[]) => results.map(({ loss }) => loss);

export async function weightsOf(model: ModelHandle): Promise<Record<string, Tensor>> {
  const path = join(folder, 'weights.safetensors');
  await core.saveWeights(model, path, {}, 'fp32');
  return readSafetensors(path).tensors;
}

export async function stateOf(trainer: TrainerHandle<ModelHandle>): Promise<Buffer> {
  const path = join(folder, 'state.safetensors');
  await core.saveTrainer(trainer, path);
  return readFileSync(path);
}

/** Steps from one set of weights to another, over all trainable tensors. */
export function distance(after: Record<string, Tensor>, before: Record<string, Tensor>): number {
  const names = Object.keys(before).filter((name) => /weight|bias/.test(name));
  return norm(names.flatMap((name) => Array.from(before[name].values, (value, i) => after[name].values[i] - value)));
}
