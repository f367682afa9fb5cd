import type { TrainingConfig } from '../config/schema.js';

/** Learning rate of step `step` (0-based): linear warm-up, then constant or a half cosine down to 0. */
export function learningRateAt(step: number, { steps, learningRate, warmupSteps, schedule }: Pick<TrainingConfig, 'steps' | 'learningRate' | 'warmupSteps' | 'schedule'>): number {
  if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
  if (schedule === 'constant') return learningRate;
  const progress = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return learningRate * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
