import { isModelFolder } from '../classifiers/folder.js';
import type { Config } from '../config/schema.js';
import { classOfWordNetId, wordNetIds } from '../data/ood/wordnet-ids.js';
import { SparringError } from '../errors.js';
import type { Engine } from '../native/engine.js';
import { Classifier } from '../native/models.js';
import { isArchive } from '../native/torchscript.js';
import { loadClassifier } from './foundation.js';

/**
 * A classifier of ImageNet-1k from a file: one of sparring with its own image size, one of another project as given.
 * @param given a section `student` or `teacher` of a config
 * @param imageSize pixels
 */
export async function loadImageNetClassifier(engine: Engine, given: Pick<Config['student'], 'architecture' | 'mean' | 'std'>, path: string, imageSize: number): Promise<Classifier> {
  const saidByFile = !isModelFolder(path) && !isArchive(path) && (await engine.run((core) => core.inspectWeights(path))).metadata['sparring.kind'] !== undefined;
  if (!saidByFile) return loadClassifier(engine, given, path, { classes: wordNetIds, imageSize });
  const { spec, classes } = await Classifier.describe(engine, path);
  checkImageNetClassifier(classes, path);
  return loadClassifier(engine, given, path, { classes, imageSize: spec.imageSize });
}

/** Throws SparringError 'config' unless they can be the 1000 classes in their order; names other than WordNet ids say nothing of it. */
export function checkImageNetClassifier(classes: readonly string[], where: string): void {
  if (classes.length !== 1000) throw new SparringError('config', `${where}: expected a classifier of the 1000 classes of ImageNet, found one of ${classes.length}.`, 'The sets are of ImageNet-1k; for data of your own see `sparring evaluate` without --suite.');
  const moved = classes.findIndex((name, label) => (classOfWordNetId.get(name) ?? label) !== label);
  if (moved >= 0) throw new SparringError('config', `${where}: expected ${wordNetIds[moved]} as class ${moved}, found ${classes[moved]}.`, 'Classes are numbered by ascending WordNet id.');
}
