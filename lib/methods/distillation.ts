/** What a row's student learns from the teacher, and with which weights. */
import type { Config } from '../config/schema.js';
import type { DistillationOptions } from '../native/contract.js';
import type { Autoencoder } from '../native/models.js';

/**
 * Losses of a row, f the student, t the teacher, y the label, x' the counterpart of an image x: another version of it, made by an attack.
 * - `edrm`: CE(t(x), f(x)), and likewise of x'
 * - `kd`: CE(y, f(x)) + a T² CE(t(x), f(x)), and a T² CE(t(x'), f(x')) of x': DAD's (arXiv 2311.01441, eq. 9)
 * - `dad-code`: 3/4 CE(y, f(x)) + 1/4 T² CE(t(x), f(x)), adversaries being images like all others: the weights of DAD's published code
 * - `dist`: CE(y, f(x)) + 1 - correlation over the classes + 1 - correlation over the batch (arXiv 2205.10536)
 * - `ard`: CE(y, f(x)) + a T² CE(t(x), f(x')) (arXiv 1905.09747, with the weights that DAD's authors give all)
 * - `rslad`: 1/6 CE(t(x), f(x)) + 5/6 CE(t(x), f(x')) (arXiv 2108.07969)
 */
export type Loss = 'edrm' | 'kd' | 'dad-code' | 'dist' | 'ard' | 'rslad';

/**
 * Adversaries that are made in each step. Of the student as it then is, from whose labels it learns: `discrete`, DAT's (arXiv 2209.07735), or
 * `plain`, those of adversarial training (arXiv 1706.06083), where they take the place of the images. Of the teacher: `counterparts`, DAD's,
 * otherwise made beforehand.
 */
export type Online = 'discrete' | 'plain' | 'counterparts';

/** All of a row; `discretiser` where it needs one. */
export function learningOf({ loss = 'edrm', labelsOnly, online }: { loss?: Loss; labelsOnly?: true; online?: Online }, config: Config, discretiser: Autoencoder | null): DistillationOptions {
  const options = labelsOnly ? { temperature: 1, labelWeight: 0 } : distillationOf(loss, config); // without a teacher nothing is weighed
  if (online === 'plain') return { ...options, online: { use: 'instead', weight: 1, attack: { ...config.adversarialTraining, variant: 'adversarial' }, discretiser: null } };
  if (online === undefined) return options;
  const attack = { ...config.dad.attack, variant: 'adversarial' as const };
  return { ...options, online: { use: online === 'discrete' ? 'beside' : 'counterparts', weight: labelsOnly ? 1 : config.kd.weight, attack, discretiser: discretiser!.handle } };
}

export function distillationOf(loss: Loss, { student, kd }: Pick<Config, 'student' | 'kd'>): DistillationOptions {
  const { temperature, weight, labelWeight } = kd;
  switch (loss) {
    case 'edrm':
      return { temperature: student.temperature, labelWeight: student.labelWeight };
    case 'kd':
      return { temperature, labelWeight, imageWeight: weight, counterparts: { weight, target: 'own' } };
    case 'dad-code':
      return { temperature, labelWeight: 0.75, imageWeight: 0.25 };
    case 'dist':
      return { temperature: 1, labelWeight: 1, relation: 'correlations' };
    case 'ard':
      return { temperature, labelWeight, imageWeight: 0, counterparts: { weight, target: 'image' } };
    case 'rslad':
      return { temperature: 1, labelWeight: 0, imageWeight: 1 / 6, counterparts: { weight: 5 / 6, target: 'image' } };
  }
}
