/**
 * Empirical risk minimisation, with adversaries or without: a student that never had a teacher. It goes through EDRM and the rounds of the row that
 * continues it, with the same initial weights, images, views and schedules, but the labels as its target.
 */
import type { RunContext } from './context.js';
import { continueStudent } from './continuation.js';
import { sumOfCosts } from './cost.js';
import { distil, type StudentResult } from './distil.js';
import type { Foundation } from './foundation.js';
import type { ContinuedMethod } from './recipes.js';

export async function trainFromLabels(context: RunContext, foundation: Foundation, method: ContinuedMethod, seed: number): Promise<StudentResult> {
  const start = await distil(context, null, seed, `seed-${seed}/erm/start`);
  using student = start.student;
  const result = await continueStudent(context, foundation, student, method, seed);
  const { cost, ...own } = result;
  return { ...own, seconds: start.result.seconds + result.seconds, trainingSteps: start.result.trainingSteps + result.trainingSteps, ...sumOfCosts([start.result.cost, cost]) };
}
