/** Config of discrete adversaries (DAD, arXiv 2311.01441). */
import { z } from 'zod';

const attack = z
  .strictObject({
    variant: z.enum(['adversarial', 'noise-only', 'sample-only']).default('adversarial').describe('of the command discretise, each row has its own; noise-only: a random point of the ball in place of gradient steps; sample-only: the image discretised twice, without a change between'),
    norm: z.enum(['l2', 'linf']).default('l2').describe('of epsilon and stepSize: l2 of the whole image, linf of each value of 0..1'),
    epsilon: z.number().min(0).default(0.1).describe('radius of the ball around the discretised image; of l2 at 224 px, at another size times side / 224'),
    stepSize: z.number().min(0).default(0.1).describe('length of a step, likewise'),
    steps: z.int().min(1).max(1000).default(1).describe('of gradient ascent on the cross-entropy of the network under attack: the teacher, in dat and dat-dad also the student'),
    randomStart: z.number().min(0).max(1).default(0).describe('probability that an image begins at a random point of the ball; 0.8 in the code of the paper, which does not mention it'),
  })
  .prefault({});

const generatorStrength = z.number().gt(0).max(1).default(0.3).describe('of dad-generator: share of the steps of sampling that an image goes through, from as much noise as the first of them expects');

const stores = z.array(z.string()).default([]).describe('folders that sparring discretise wrote for this teacher, discretiser and these data, one for each variant: rows learn from them instead of making their own');

export const dad = z.strictObject({ attack, generatorStrength, stores }).prefault({}).describe('discrete adversaries, see docs/dad.md');

export const adversarialTraining = z
  .strictObject({
    norm: z.enum(['l2', 'linf']).default('linf').describe('of epsilon and stepSize: l2 of the whole image, linf of each value of 0..1'),
    epsilon: z.number().min(0).default(4 / 255).describe('radius of the ball around the image'),
    stepSize: z.number().min(0).default(1 / 255).describe('length of a step'),
    steps: z.int().min(1).max(100).default(10).describe('of gradient ascent on the cross-entropy of the student'),
    randomStart: z.number().min(0).max(1).default(1).describe('probability that an image begins at a random point of the ball'),
  })
  .prefault({})
  .describe('of the row adversarial, see docs/dad.md');
