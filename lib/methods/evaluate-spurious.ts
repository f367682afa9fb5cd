import { decodeImage, inParallel } from '../data/decode.js';
import { readSource, sourceName, type ImageSource } from '../data/source.js';
import { listSpuriousImageNet, spuriousTransforms, type SpuriousImageNetOptions } from '../data/spurious-imagenet.js';
import type { Transform } from '../data/transform.js';
import { SparringError } from '../errors.js';
import { spuriousMetrics, type SpuriousClass, type SpuriousMetrics } from '../metrics/spurious.js';
import type { Cancellable } from '../native/engine.js';
import type { Classifier } from '../native/models.js';

const batchSize = 64;

/** Spurious mAUC of a classifier of ImageNet's 1000 classes, at its own image size. */
export async function evaluateSpurious(classifier: Pick<Classifier, 'classes' | 'spec' | 'probabilities'>, data: SpuriousImageNetOptions, options: Cancellable = {}): Promise<SpuriousMetrics> {
  const width = classifier.classes.length;
  if (width !== 1000) throw new SparringError('config', `spurious mAUC: expected a classifier of the 1000 classes of ImageNet, found one of ${width}`, 'The score is its softmax over all of them.');
  const { imageSize } = classifier.spec;
  const probabilities = async (sources: readonly ImageSource[], transform: Transform): Promise<Float32Array> => {
    const result = new Float32Array(sources.length * width);
    for (let begin = 0; begin < sources.length; begin += batchSize) {
      const some = sources.slice(begin, begin + batchSize);
      const batch = new Uint8Array(some.length * imageSize * imageSize * 3); // [some, imageSize, imageSize, 3]
      await inParallel(some.length, async (slot) => {
        const source = some[slot]!;
        batch.set(await decodeImage(await readSource(source), imageSize, sourceName(source), transform), slot * imageSize * imageSize * 3);
      });
      result.set(await classifier.probabilities(batch, options), begin * width);
    }
    return result;
  };
  const classes: SpuriousClass[] = [];
  for (const { name, label, validation, spurious } of await listSpuriousImageNet(data)) {
    classes.push({ name, label, validation: await probabilities(validation, spuriousTransforms.validation), spurious: await probabilities(spurious, spuriousTransforms.spurious) });
  }
  return spuriousMetrics(classes, width);
}
