/** The rows of a run's result: what `--json` prints and the report shows. */

export const methods = [
  'teacher', 'edrm', 'edrm-longer', 'erm', 'kd', 'kd-randaugment', 'dist', 'ard', 'rslad', 'adversarial', 'dat', 'dad-labels', 'dad-sample', 'dad-noise', 'dad-generator', 'dad', 'dad-code', 'dad-online', 'dat-dad',
  'mixup', 'cutmix', 'randaugment', 'augmix', 'pixmix', 'jtt', 'tab', 'groupdro', 'dfr',
  'unguided', 'unguided-selected', 'sdedit', 'da-fusion', 'distdiff', 'gap', 'actgen', 'teacher-only', 'student-only', 'config', 'config-dad', 'config-tab',
] as const;
export type Method = (typeof methods)[number];

/** One value per seed and their mean; null where the value is not defined. */
export interface Summary<Value = number> {
  mean: Value;
  values: Value[];
}

export interface Row {
  method: Method;
  /** Why these data leave the row undefined; its measures are null then, and nothing was trained. */
  undefined?: string;
  /** Accuracies in 0..1. */
  worstGroupAccuracy: Summary<number | null>;
  /** What the number of test images leaves open of it: Wilson's 95 % interval of the worst group, of each seed; lacking where there is no accuracy, and in results of versions that did not write it. */
  worstGroupIntervals?: [low: number, high: number][];
  meanGroupAccuracy: Summary<number | null>;
  /** Groups weighted by their shares of the training data; null where none of its groups was tested. */
  trainWeightedAccuracy: Summary<number | null>;
  /** Share of all test images that are right; results of versions that did not write it lack it. */
  accuracy?: Summary<number | null>;
  /** Of each class that was tested. */
  classes: { name: string; accuracy: Summary }[];
  /** 0 = as plain distillation (EDRM), 1 = as the teacher; null when those two are equal. */
  gapClosed: Summary<number | null>;
  /**
   * Under common corruptions, where `evaluation.corruptions` asks for it: mean accuracy over the fifteen in all severities, 0..1, and
   * mCE, 100 = as the row `erm` of the same seed; null without that row.
   */
  corruptions?: { accuracy: Summary<number | null>; error: Summary<number | null> };
  /** Images generated, before any selection, of one seed on average. */
  generated: number;
  /** Training images that come more often than others, of a row that looks for such. */
  upWeighted?: Summary;
  /** Rounds that it went through, of a row that may stop before the last one. */
  rounds?: Summary;
  /** Of the student (or teacher), of one seed on average. */
  trainingSteps: number;
  /** Wall time of one seed, on average. */
  seconds: number;
  /** What of it went into images; lacking for the teacher, and where a version that did not measure it had a part. */
  cost?: Cost;
}

/** Of one seed; the seconds of other work, such as tests, are in neither. */
export interface Cost {
  /** Generated images and adversaries that were made beforehand, without those that another row had made. */
  imagesMade: number;
  /** Making, judging and choosing them, and what was learned or searched for that. */
  makingSeconds: number;
  /** Steps times batch size. */
  trainingImages: number;
  /** Of the training steps, adversaries that are made within them included. */
  trainingSeconds: number;
}

export const methodTitles: Record<Method, string> = {
  teacher: 'Teacher',
  edrm: 'Distillation (EDRM)',
  'edrm-longer': 'EDRM, trained as long',
  erm: 'Labels alone, no teacher',
  kd: 'Labels and teacher (KD)',
  'kd-randaugment': 'KD + RandAugment',
  dist: 'Correlations with the teacher (DIST)',
  ard: 'ARD on discrete adversaries',
  rslad: 'RSLAD on discrete adversaries',
  adversarial: 'Adversarial training, no teacher',
  dat: 'Discrete adversaries of the student (DAT), no teacher',
  'dad-labels': 'Discrete adversaries of the teacher, labels alone',
  'dad-sample': 'KD + discretised images',
  'dad-noise': 'KD + discretised images with noise',
  'dad-generator': 'KD + adversaries through the generator',
  dad: 'KD + discrete adversaries (DAD)',
  'dad-code': 'DAD as its published code does it',
  'dad-online': 'DAD with adversaries made in each step',
  'dat-dad': 'DAT + DAD',
  mixup: '+ MixUp',
  cutmix: '+ CutMix',
  randaugment: '+ RandAugment',
  augmix: '+ AugMix',
  pixmix: '+ PixMix',
  jtt: 'JTT',
  tab: 'TAB',
  groupdro: 'GroupDRO (oracle)',
  dfr: 'DFR (oracle)',
  unguided: '+ unguided images',
  'unguided-selected': '+ unguided, selected',
  sdedit: '+ image to image (SDEdit)',
  'da-fusion': '+ learned class embeddings (DA-Fusion)',
  gap: '+ adversarial class embeddings (GAP)',
  distdiff: '+ guided by prototypes (DistDiff)',
  actgen: '+ from images that the student gets wrong (ActGen)',
  'teacher-only': '+ guided by the teacher alone',
  'student-only': '+ guided by the student alone',
  config: '+ ConfiG images',
  'config-dad': '+ ConfiG images and discrete adversaries',
  'config-tab': '+ ConfiG images, TAB',
};

/** The mean over seeds; null when a value is. */
export function summarise<Value extends number | null>(values: readonly Value[]): Summary<Value> {
  if (values.length === 0) throw new RangeError('summarise: expected at least one value');
  const numbers = values.filter((value) => value !== null) as number[];
  const mean = numbers.length === values.length ? numbers.reduce((sum, value) => sum + value, 0) / numbers.length : null;
  return { mean: mean as Value, values: [...values] };
}
