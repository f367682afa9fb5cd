import type { OodConfig } from '../config/ood.js';
import { openCueConflict, type CueConflict } from '../data/ood/cue-conflict.js';
import type { ImageNetC } from '../data/ood/imagenet-c.js';
import { plainV2 } from '../data/ood/imagenet-v2.js';
import { openOodSet, type OodSet } from '../data/ood/ood-set.js';
import { sixteenClassDecisions } from '../data/ood/sixteen-classes.js';
import { listOodSuite } from '../data/ood/suite.js';
import { corruptionMetrics, type CorruptionMetrics } from '../metrics/corruption-error.js';
import { wilsonInterval } from '../metrics/intervals.js';
import { oodAverages, type OodAverages } from '../metrics/ood-averages.js';
import { shapeBias, type ShapeBias } from '../metrics/shape-bias.js';
import { softmax } from '../metrics/softmax.js';
import type { Corruption } from '../native/contract.js';
import type { Classifier } from '../native/models.js';
import { logitsOf, predictAll } from './evaluate.js';
import { checkImageNetClassifier } from './imagenet-classifier.js';
import { forget, type Remember } from './remembered.js';

/** Top-1 accuracy on one set. */
export interface SetAccuracy {
  name: string;
  title: string;
  images: number;
  /** How many classes are predicted among. */
  classes: number;
  correct: number;
  accuracy: number;
  /** Wilson 95 % interval. */
  interval: [low: number, high: number];
}

export interface OodMetrics {
  sets: SetAccuracy[];
  /** Relative to AlexNet; null where ImageNet-C is not tested. */
  corruption: CorruptionMetrics | null;
  /** null where cue-conflict images are not tested. */
  shapeBias: ShapeBias | null;
  averages: OodAverages;
  /** Sets without a folder, and what makes a result another one than published ones; a sentence each. */
  skipped: string[];
  notes: string[];
}

export interface OodOptions {
  signal?: AbortSignal;
  onProgress?: (set: string, done: number, total: number) => void;
  /** Where results of sets are kept, `rememberIn(...)`. Default: nowhere. */
  remember?: Remember;
}

/** What is kept of a set. */
interface Counted {
  images: number;
  correct: number;
  notes: string[];
}

/**
 * The out-of-distribution suite: a classifier of ImageNet-1k on every set of the config that has a folder.
 * @throws SparringError 'config' when it has other classes or no folder is given, 'data' when one does not fit
 */
export async function evaluateOod(classifier: Classifier, ood: OodConfig, options: OodOptions = {}): Promise<OodMetrics> {
  checkImageNetClassifier(classifier.classes, 'the out-of-distribution suite');
  const suite = await listOodSuite(ood);
  const work = new SuiteWork(classifier, ood, options);
  const sets: SetAccuracy[] = [];
  for (const set of suite.sets) sets.push(await work.accuracy(set));
  const accuracyOf = (...names: string[]): number | null => sets.find(({ name }) => names.includes(name))?.accuracy ?? null;
  const val = accuracyOf('val');
  const corruption = suite.imageNetC && corruptionMetrics({ clean: val === null ? null : 1 - val, bySeverity: await work.corruptionErrors(suite.imageNetC) });
  const bias = suite.cueConflict && (await work.shapeBias(suite.cueConflict));
  const averages = oodAverages({
    val, v2: accuracyOf(...plainV2), a: accuracyOf('a'), r: accuracyOf('r'), sketch: accuracyOf('sketch'), stylized: accuracyOf('stylized'),
    meanCorruptionError: corruption?.meanCorruptionError ?? null,
  });
  return { sets, corruption, shapeBias: bias, averages, skipped: suite.skipped, notes: work.notes };
}

class SuiteWork {
  readonly notes: string[] = [];

  constructor(
    private readonly classifier: Classifier,
    private readonly ood: OodConfig,
    private readonly options: OodOptions,
  ) {}

  async accuracy(set: OodSet): Promise<SetAccuracy> {
    const { images, correct, notes } = await this.count(set);
    const { name, title, columns } = set;
    this.notes.push(...notes);
    return { name, title, images, classes: columns?.length ?? this.classifier.classes.length, correct, accuracy: correct / images, interval: wilsonInterval(correct, images) };
  }

  async corruptionErrors(imageNetC: ImageNetC): Promise<Partial<Record<Corruption, number[]>>> {
    const errors: Partial<Record<Corruption, number[]>> = {};
    const notes: string[] = [];
    for (const [corruption, sets] of imageNetC) {
      const own: number[] = (errors[corruption] = []);
      for (const set of sets) {
        const counted = await this.count(set);
        own.push(1 - counted.correct / counted.images);
        notes.push(...counted.notes);
      }
    }
    // What one of up to 95 folders lacks, mostly all of them lack.
    if (notes.length > 0) this.notes.push(notes.length === 1 ? notes[0]! : `${notes[0]!} ImageNet-C has ${notes.length - 1} more notes like this.`);
    return errors;
  }

  async shapeBias(cueConflict: CueConflict): Promise<ShapeBias> {
    const { bias, notes } = await this.remember(`cue-conflict: ${cueConflict.folder}`, async () => {
      const { dataset, notes } = await openCueConflict(cueConflict, this.classifier.spec.imageSize);
      const decisions = new Int32Array(dataset.length);
      for await (const [begin, logits] of logitsOf(this.classifier, dataset, this.running('cue conflict'))) decisions.set(sixteenClassDecisions(softmax(logits, 1000)), begin);
      return { bias: shapeBias(decisions, dataset.labels, dataset.attributeOf), notes };
    });
    this.notes.push(...notes);
    return bias;
  }

  private count(set: OodSet): Promise<Counted> {
    return this.remember(`${set.name}: ${set.folder}`, async (): Promise<Counted> => {
      const { dataset, notes } = await openOodSet(set, this.classifier.spec.imageSize, this.ood.transform);
      const predictions = await predictAll(this.classifier, dataset, { ...(set.columns && { among: set.columns }), ...this.running(set.title) });
      return { images: dataset.length, correct: predictions.filter((label, image) => label === dataset.labels[image]).length, notes };
    });
  }

  private get remember(): Remember {
    return this.options.remember ?? forget;
  }

  private running(title: string) {
    const { signal, onProgress } = this.options;
    return { ...(signal && { signal }), ...(onProgress && { onProgress: (done: number, total: number) => onProgress(title, done, total) }) };
  }
}
