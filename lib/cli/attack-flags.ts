/** Flags that say under which attack a classifier is evaluated. */
import type { InferredOptionTypes } from 'yargs';

import { SparringError } from '../errors.js';
import { pgdStepSize } from '../methods/evaluate-attacked.js';
import type { EvaluationAttack } from '../native/contract.js';

const defaults = { norm: 'linf', epsilon: '4/255', steps: 20 } as const;

// Defaults are filled in below: a flag that is given although nothing uses it is a mistake.
export const attackOptions = {
  attack: { choices: ['fgsm', 'pgd', 'apgd'] as const, requiresArg: true, describe: 'accuracy under this attack as well' },
  norm: { choices: ['linf', 'l2'] as const, requiresArg: true, describe: `of the attack (default ${defaults.norm})` },
  epsilon: { type: 'string', requiresArg: true, describe: `its radius, of pixels in 0..1: linf of each value, l2 of the whole image (default ${defaults.epsilon})` },
  'attack-steps': { type: 'number', requiresArg: true, describe: `of pgd and apgd (default ${defaults.steps})` },
} as const;

export type AttackFlags = InferredOptionTypes<typeof attackOptions>;

/** The attack that the flags ask for; undefined for none. */
export function attackFromFlags({ attack: kind, ...given }: AttackFlags): EvaluationAttack | undefined {
  if (kind === undefined) {
    const lost = (['norm', 'epsilon', 'attack-steps'] as const).find((name) => given[name] !== undefined);
    if (lost) throw new SparringError('usage', `--${lost}: expected --attack with it, found none.`, 'For example --attack pgd.');
    return undefined;
  }
  const norm = given.norm ?? defaults.norm, epsilon = radius(given.epsilon ?? defaults.epsilon);
  if (kind === 'fgsm') {
    if (given['attack-steps'] !== undefined) throw new SparringError('usage', '--attack-steps: expected --attack pgd or apgd, found fgsm.', 'FGSM has one step.');
    return { kind, norm, epsilon, steps: 1, stepSize: epsilon, randomStart: 0 };
  }
  const steps = given['attack-steps'] ?? defaults.steps;
  if (!Number.isInteger(steps) || steps < 1 || steps > 100_000) throw new SparringError('usage', `--attack-steps: expected a whole number from 1 to 100000, found ${steps}.`);
  return { kind, norm, epsilon, steps, stepSize: pgdStepSize(epsilon, steps), randomStart: 1 };
}

/** 4/255 or 0.0157. */
function radius(text: string): number {
  const [, above, below] = /^(\d*\.?\d+)(?:\/(\d*\.?\d+))?$/.exec(text) ?? [];
  const value = Number(above) / Number(below ?? 1);
  if (Number.isFinite(value)) return value;
  throw new SparringError('usage', `--epsilon: expected a number of at least 0 or a fraction, found ${text}.`, 'For example --epsilon 4/255 or --epsilon 0.5.');
}
