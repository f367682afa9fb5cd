/** What each row that continues the EDRM student does otherwise than the others; a new baseline begins here. */
import type { Config } from '../config/schema.js';
import type { DiscreteVariant, Guidance, ObjectiveOptions } from '../native/contract.js';
import type { Method } from '../report/rows.js';
import type { Loss, Online } from './distillation.js';
import type { RowStart } from './row-starts.js';

/** How counterparts are made: through the discretiser, adversarial ones through the generator in its place, or as DAD's published code does it (dad-code.ts). */
export type CounterpartKind = DiscreteVariant | 'generator' | 'code';

/** A row that continues the EDRM student. */
export type ContinuedMethod = Exclude<Method, 'teacher' | 'edrm'>;

export interface Recipe {
  /** What is generated in each round beside the real images; null when nothing is. */
  images: {
    /** What guides the generator; `config` = as `sampling.guidance` says. */
    guidance: 'none' | 'config' | Guidance;
    /** The part of the objective that guides, in place of the configured one. */
    terms?: ObjectiveOptions['terms'];
    /** Where sampling starts, in place of `sampling.start`. */
    start?: RowStart;
    /** What the generator is told of the classes otherwise: learned from the training images, or moved against the student in each round. */
    conditions?: 'learned' | 'opposed';
    /** Which training images it may start from: `hard`, those that the current student gets wrong; default all. */
    starts?: 'hard';
    /** Whether `rounds` chooses among them, or all are kept. */
    selected: boolean;
  } | null;
  /** Views otherwise than `rounds.training` says. */
  views?: Partial<Pick<RoundTraining, 'mixing'> & Pick<RoundTraining['augment'], 'policy'>>;
  /** What is learned from the teacher; default `edrm`. */
  loss?: Loss;
  /** Discrete adversaries of the real images, made against the teacher, that come with them. */
  counterparts?: CounterpartKind;
  /** Adversaries that are made in each step. */
  online?: Online;
  /** From the labels alone: without the teacher, and from a student that never had one. */
  labelsOnly?: true;
  /** Which real images, and how often, otherwise than all of the training data in turn; see real-images.ts. */
  real?: 'errors-repeated' | 'clusters-balanced' | 'groups-balanced' | 'validation-balanced';
  /** Whether all below the head stays as it is. */
  headOnly?: true;
}

type RoundTraining = Config['rounds']['training'];

export const recipes: Record<ContinuedMethod, Recipe> = {
  'edrm-longer': { images: null },
  erm: { images: null, labelsOnly: true },
  kd: { images: null, loss: 'kd' },
  'kd-randaugment': { images: null, loss: 'kd', views: { policy: 'randaugment' } },
  dist: { images: null, loss: 'dist' },
  ard: { images: null, loss: 'ard', counterparts: 'adversarial' },
  rslad: { images: null, loss: 'rslad', counterparts: 'adversarial' },
  dat: { images: null, labelsOnly: true, online: 'discrete' },
  dad: { images: null, loss: 'kd', counterparts: 'adversarial' },
  'dad-code': { images: null, loss: 'dad-code', counterparts: 'code' },
  'dad-online': { images: null, loss: 'kd', online: 'counterparts' },
  'dat-dad': { images: null, loss: 'kd', counterparts: 'adversarial', online: 'discrete' },
  'dad-noise': { images: null, loss: 'kd', counterparts: 'noise-only' },
  'dad-generator': { images: null, loss: 'kd', counterparts: 'generator' },
  'dad-sample': { images: null, loss: 'kd', counterparts: 'sample-only' },
  'dad-labels': { images: null, labelsOnly: true, counterparts: 'adversarial' },
  adversarial: { images: null, labelsOnly: true, online: 'plain' },
  mixup: { images: null, views: { mixing: { cutMix: 0, mixUp: 1 } } },
  cutmix: { images: null, views: { mixing: { cutMix: 1, mixUp: 0 } } },
  randaugment: { images: null, views: { policy: 'randaugment' } },
  augmix: { images: null, views: { policy: 'augmix' } },
  pixmix: { images: null, views: { policy: 'pixmix' } },
  jtt: { images: null, real: 'errors-repeated' },
  tab: { images: null, real: 'clusters-balanced' },
  groupdro: { images: null, real: 'groups-balanced' },
  dfr: { images: null, real: 'validation-balanced', headOnly: true },
  unguided: { images: { guidance: 'none', selected: false } },
  'unguided-selected': { images: { guidance: 'none', selected: true } },
  // Real Guidance (He et al., arXiv 2210.07574), whose authors filter only images that come from noise. 0.5: DA-Fusion's default for it.
  sdedit: { images: { guidance: 'none', start: { kind: 'image', strength: 0.5 }, selected: false } },
  // DA-Fusion (Trabucco et al., arXiv 2302.07944), which keeps all images, and its strengths.
  'da-fusion': { images: { guidance: 'none', conditions: 'learned', start: { kind: 'image', strengths: [0.25, 0.5, 0.75, 1] }, selected: false } },
  // Adversarial Prompts (Yeo et al., arXiv 2403.15309), without their guidance; they do not filter either.
  gap: { images: { guidance: 'none', conditions: 'opposed', start: { kind: 'noise' }, selected: false } },
  // DistDiff (Zhu et al., arXiv 2403.06741) with the settings of the authors' script: of 50 steps the last 25, moved before the last 20.
  distdiff: { images: { guidance: { kind: 'prototypes', rate: 10, radius: 0.2, remaining: 0.4, span: 2 }, start: { kind: 'image', strength: 0.5 }, selected: false } },
  // ActGen (Huang et al., arXiv 2403.06517): the student's cross-entropy is raised in the first quarter of the steps.
  actgen: {
    images: {
      guidance: { kind: 'step', objective: { form: 'log', gamma: 1, terms: 'student' }, cutouts: { count: 0, leastSide: 0.7, noise: 0 }, gradient: 'unet', latentPool: 1, scale: 0.1, from: 1, until: 0.525, schedule: 'constant' },
      start: { kind: 'image', strength: 0.7 },
      starts: 'hard',
      selected: false,
    },
  },
  'teacher-only': { images: { guidance: 'config', terms: 'teacher', selected: true } },
  'student-only': { images: { guidance: 'config', terms: 'student', selected: true } },
  config: { images: { guidance: 'config', selected: true } },
  'config-dad': { images: { guidance: 'config', selected: true }, counterparts: 'adversarial' },
  'config-tab': { images: { guidance: 'config', selected: true }, real: 'clusters-balanced' },
};

/** How a row trains in its rounds. */
export function trainingOf({ views }: Recipe, training: RoundTraining): RoundTraining {
  const { mixing = training.mixing, policy = training.augment.policy } = views ?? {};
  return { ...training, mixing, augment: { ...training.augment, policy } };
}

/** The resolved `sampling` with what guides it, if anything. */
export type RowSampling = Omit<Config['sampling'], 'guidance' | 'start'> & { guidance: Guidance; start: RowStart };

/** How the images of a row are sampled, by the configured `sampling`. */
export function samplingOf({ images }: Recipe, configured: Config['sampling']): RowSampling {
  return { ...configured, guidance: guidanceOf(images, configured.guidance), start: images?.start ?? configured.start };
}

function guidanceOf(images: Recipe['images'], configured: Config['sampling']['guidance']): Guidance {
  if (images === null || images.guidance === 'none') return { kind: 'none' };
  if (images.guidance !== 'config') return images.guidance;
  return { ...configured, objective: { ...configured.objective, terms: images.terms ?? configured.objective.terms } };
}

/** The run of a generator in place of the discretiser: as `sampling` goes, for the last of its steps, whatever the class. */
export function discretisingRun({ sampling: { steps, sampler, eta }, dad: { generatorStrength } }: Pick<Config, 'sampling' | 'dad'>) {
  return { steps, sampler, eta, guidanceScale: 1, start: { kind: 'image', strength: generatorStrength } } as const;
}

/** Whether some row draws on the generator. */
export function takesGenerator(methods: readonly ContinuedMethod[]): boolean {
  return methods.some((method) => recipes[method].images !== null || recipes[method].counterparts === 'generator');
}

/** Whether some row guides the generator as `sampling.guidance` says. */
export function guides(methods: readonly ContinuedMethod[]): boolean {
  return methods.some((method) => recipes[method].images && recipes[method].images.guidance !== 'none');
}

/** Whether some row draws on the discretiser. */
export function takesDiscretiser(methods: readonly ContinuedMethod[]): boolean {
  return methods.some((method) => {
    const { counterparts = 'generator', online = 'plain' } = recipes[method];
    return counterparts !== 'generator' || online !== 'plain';
  });
}

/** Whether the row looks for prototypes in the features of the teacher. */
export function takesPrototypes(method: ContinuedMethod): boolean {
  const guidance = recipes[method].images?.guidance;
  return typeof guidance === 'object' && guidance.kind === 'prototypes';
}
