/** Flags that say under which attack a classifier is evaluated. */
import type { InferredOptionTypes } from 'yargs';

import { SparringError } from '../errors.js';
import { pgdStepSize } from '../methods/evaluate-attacked.js';
import type { EvaluationAttack } from '../native/contract.js';

export const attackOptions = {
  attack: { choices: ['fgsm', 'pgd', 'apgd'] as const, requiresArg: true, describe: 'accuracy under this attack as well' },
  norm: { choices: ['linf', 'l2'] as const, default: 'linf' as const, describe: 'of the attack' },
  epsilon: { type: 'string', default: '4/255', describe: 'its radius, of pixels in 0..1: linf of each value, l2 of the whole image' },
  'attack-steps': { type: 'number', default: 20, requiresArg: true, describe: 'of pgd and apgd' },
} as const;

export type AttackFlags = InferredOptionTypes<typeof attackOptions>;

/** The attack that the flags ask for; undefined for none. */
export function attackFromFlags({ attack: kind, norm, epsilon: text, 'attack-steps': steps }: AttackFlags): EvaluationAttack | undefined {
  if (kind === undefined) return undefined;
  const epsilon = radius(text);
  if (!Number.isInteger(steps) || steps < 1 || steps > 100_000) throw new SparringError('usage', `--attack-steps: expected a whole number from 1 to 100000, found ${steps}.`);
  return { kind, norm, epsilon, steps, stepSize: pgdStepSize(epsilon, steps), randomStart: kind === 'fgsm' ? 0 : 1 };
}

/** 4/255 or 0.0157. */
function radius(text: string): number {
  const [, above, below] = /^(\d*\.?\d+)(?:\/(\d*\.?\d+))?$/.exec(text) ?? [];
  const value = Number(above) / Number(below ?? 1);
  if (Number.isFinite(value)) return value;
  throw new SparringError('usage', `--epsilon: expected a number of at least 0 or a fraction, found ${text}.`, 'For example --epsilon 4/255 or --epsilon 0.5.');
}
