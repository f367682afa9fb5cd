import type { Method } from '../report/rows.js';
import type { StudentResult } from './distil.js';

/** What one method gave in one seed, or why these data leave it undefined. */
export type Outcome = { method: Method; seed: number } & ((StudentResult & { undefined?: never }) | { undefined: string });

export type Measured = Extract<Outcome, StudentResult>;

export function isMeasured(outcome: Outcome): outcome is Measured {
  return outcome.undefined === undefined;
}
