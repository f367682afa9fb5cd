/** What each row that continues the EDRM student does otherwise than the others; a new baseline begins here. */
import type { Method } from '../report/rows.js';

/** A row that continues the EDRM student. */
export type ContinuedMethod = Exclude<Method, 'teacher' | 'edrm'>;

export interface Recipe {
  /** What is generated in each round beside the real images; null when nothing is. */
  images: {
    /** What guides the generator; `config` = as `sampling.guidance` says. */
    guidance: 'none' | 'config';
    /** Whether `rounds` chooses among them, or all are kept. */
    selected: boolean;
  } | null;
  /** Which real images, and how often, otherwise than all of the training data in turn; see real-images.ts. */
  real?: 'errors-repeated' | 'clusters-balanced' | 'groups-balanced' | 'validation-balanced';
  /** Whether all below the head stays as it is. */
  headOnly?: true;
}

export const recipes: Record<ContinuedMethod, Recipe> = {
  'edrm-longer': { images: null },
  jtt: { images: null, real: 'errors-repeated' },
  tab: { images: null, real: 'clusters-balanced' },
  groupdro: { images: null, real: 'groups-balanced' },
  dfr: { images: null, real: 'validation-balanced', headOnly: true },
  unguided: { images: { guidance: 'none', selected: false } },
  'unguided-selected': { images: { guidance: 'none', selected: true } },
  config: { images: { guidance: 'config', selected: true } },
};
