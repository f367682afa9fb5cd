/** What each row that continues the EDRM student does otherwise than the others; a new baseline begins here. */
import type { Config } from '../config/schema.js';
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
  /** Views otherwise than `rounds.training` says. */
  views?: Partial<Pick<RoundTraining, 'mixing'> & Pick<RoundTraining['augment'], 'policy'>>;
  /** From the labels alone: without the teacher, and from a student that never had one. */
  labelsOnly?: true;
}

type RoundTraining = Config['rounds']['training'];

export const recipes: Record<ContinuedMethod, Recipe> = {
  'edrm-longer': { images: null },
  erm: { images: null, labelsOnly: true },
  mixup: { images: null, views: { mixing: { cutMix: 0, mixUp: 1 } } },
  cutmix: { images: null, views: { mixing: { cutMix: 1, mixUp: 0 } } },
  randaugment: { images: null, views: { policy: 'randaugment' } },
  augmix: { images: null, views: { policy: 'augmix' } },
  pixmix: { images: null, views: { policy: 'pixmix' } },
  unguided: { images: { guidance: 'none', selected: false } },
  'unguided-selected': { images: { guidance: 'none', selected: true } },
  config: { images: { guidance: 'config', selected: true } },
};

/** How a row trains in its rounds. */
export function trainingOf({ views }: Recipe, training: RoundTraining): RoundTraining {
  const { mixing = training.mixing, policy = training.augment.policy } = views ?? {};
  return { ...training, mixing, augment: { ...training.augment, policy } };
}
