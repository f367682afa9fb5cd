/** What each row that continues the EDRM student does otherwise than the others; a new baseline begins here. */
import type { Config } from '../config/schema.js';
import type { Guidance, ObjectiveOptions } from '../native/contract.js';
import type { Method } from '../report/rows.js';

/** A row that continues the EDRM student. */
export type ContinuedMethod = Exclude<Method, 'teacher' | 'edrm'>;

export interface Recipe {
  /** What is generated in each round beside the real images; null when nothing is. */
  images: {
    /** What guides the generator; `config` = as `sampling.guidance` says. */
    guidance: 'none' | 'config';
    /** The part of the objective that guides, in place of the configured one. */
    terms?: ObjectiveOptions['terms'];
    /** Whether `rounds` chooses among them, or all are kept. */
    selected: boolean;
  } | null;
}

export const recipes: Record<ContinuedMethod, Recipe> = {
  'edrm-longer': { images: null },
  unguided: { images: { guidance: 'none', selected: false } },
  'unguided-selected': { images: { guidance: 'none', selected: true } },
  'teacher-only': { images: { guidance: 'config', terms: 'teacher', selected: true } },
  'student-only': { images: { guidance: 'config', terms: 'student', selected: true } },
  config: { images: { guidance: 'config', selected: true } },
};

/** What guides the images of a row, by the configured guidance. */
export function guidanceOf({ images }: Recipe, configured: Config['sampling']['guidance']): Guidance {
  if (images?.guidance !== 'config') return { kind: 'none' };
  return { ...configured, objective: { ...configured.objective, ...(images.terms && { terms: images.terms }) } };
}
