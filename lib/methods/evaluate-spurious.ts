import type { SpuriousConfig } from '../config/spurious.js';
import { recordsDataset } from '../data/listed-dataset.js';
import { wordNetIds } from '../data/ood/wordnet-ids.js';
import { soleAttribute, type ImageRecord } from '../data/records.js';
import { listSpuriousImageNet, spuriousTransforms, type SpuriousPair } from '../data/spurious-imagenet.js';
import { scoredMetrics, spuriousScores, type SpuriousMetrics, type SpuriousScores } from '../metrics/spurious.js';
import type { Classifier } from '../native/models.js';
import { batchesOf } from './evaluate.js';
import { checkImageNetClassifier } from './imagenet-classifier.js';
import { forget, type Remember } from './remembered.js';

type Judge = Pick<Classifier, 'classes' | 'spec' | 'probabilities'>;

export interface SpuriousOptions {
  /** A second classifier of ImageNet-1k, which is measured beside the first. */
  teacher?: Judge;
  signal?: AbortSignal;
  /** Counts images, those of both classifiers together. */
  onProgress?: (set: string, done: number, total: number) => void;
  /** Where results of classes are kept, `rememberIn(...)`. Default: nowhere. */
  remember?: Remember;
}

export interface SpuriousEvaluation extends SpuriousMetrics {
  /** null without one. */
  teacher: SpuriousMetrics | null;
  /** What makes the result another one than published ones, a sentence each. */
  notes: string[];
}

/**
 * Spurious mAUC of a classifier of ImageNet-1k on Spurious ImageNet, at its own image size.
 * @throws SparringError 'config' when it has other classes or a folder is not given, 'data' when one does not fit
 */
export async function evaluateSpurious(classifier: Judge, data: Pick<SpuriousConfig, 'root' | 'imageNet'>, { teacher, signal, onProgress, remember = forget }: SpuriousOptions = {}): Promise<SpuriousEvaluation> {
  const judges = teacher ? [classifier, teacher] : [classifier];
  for (const { classes } of judges) checkImageNetClassifier(classes, 'spurious mAUC');
  const { folder, pairs, notes } = await listSpuriousImageNet(data);
  const sizes = pairs.map(({ validation, spurious }) => judges.length * (validation.length + spurious.length));
  const total = sizes.reduce((sum, images) => sum + images, 0);
  const scored: SpuriousScores[][] = judges.map(() => []); // [judges][pairs]
  let before = 0;
  for (const [which, pair] of pairs.entries()) {
    const start = before;
    const onImages = (done: number): void => onProgress?.('Spurious ImageNet', start + done, total);
    const scores = await remember(`${folder}: ${pair.name}`, () => scoresOn(pair, judges, onImages, signal));
    scores.forEach((one, judge) => scored[judge]!.push(one));
    before += sizes[which]!;
  }
  const [own, other] = scored.map(scoredMetrics);
  return { ...own!, teacher: other ?? null, notes };
}

/** What each classifier says of the images of one class. */
async function scoresOn({ name, label, validation, spurious }: SpuriousPair, judges: readonly Judge[], onImages: (done: number) => void, signal?: AbortSignal): Promise<SpuriousScores[]> {
  let done = 0;
  const probabilities = async (judge: Judge, kind: 'validation' | 'spurious', records: readonly ImageRecord[]): Promise<Float32Array> => {
    const dataset = recordsDataset(name, { classes: wordNetIds, attributes: [soleAttribute] }, records, { imageSize: judge.spec.imageSize, transform: spuriousTransforms[kind] });
    const all = new Float32Array(records.length * wordNetIds.length); // [records, 1000]
    for await (const [begin, images] of batchesOf(dataset, (some) => onImages(done + some))) {
      all.set(await judge.probabilities(images, signal && { signal }), begin * wordNetIds.length);
    }
    done += records.length;
    return all;
  };
  const scores: SpuriousScores[] = [];
  for (const judge of judges) {
    const both = { validation: await probabilities(judge, 'validation', validation), spurious: await probabilities(judge, 'spurious', spurious) };
    scores.push(spuriousScores({ name, label, ...both }, wordNetIds.length));
  }
  return scores;
}
