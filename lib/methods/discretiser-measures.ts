/** What a discretiser leaves of images: for the eye, for the codebook and for a classifier. */
import type { Dataset } from '../data/types.js';
import { groupMetrics } from '../metrics/groups.js';
import { argmax } from '../metrics/softmax.js';
import type { AutoencoderSpec } from '../native/contract.js';
import type { Cancellable } from '../native/engine.js';
import type { Autoencoder, Classifier } from '../native/models.js';
import { discretise } from './discretiser.js';
import { batchesOf } from './evaluate.js';

export interface DiscretiserMeasures {
  /** Peak signal-to-noise ratio of the 8-bit Q(x), in dB, of the squared error over all images. */
  psnr: number;
  /** That of the mean colour of each image in its place. */
  psnrOfMeanColour: number;
  /** How many of the codes occur in the images. */
  codesUsed: number;
  numCodes: number;
  /** Of the teacher on the images, and on Q of each. */
  teacher: {
    images: Accuracies;
    discretised: Accuracies;
    /** Share of the images of which Q has the same class. */
    agreement: number;
  };
}

interface Accuracies {
  worstGroupAccuracy: number;
  meanGroupAccuracy: number;
}

export async function measureDiscretiser(model: Autoencoder, teacher: Classifier, dataset: Dataset, options: Cancellable = {}): Promise<DiscretiserMeasures> {
  const { imageSize, length } = dataset;
  const predicted = { images: new Int32Array(length), discretised: new Int32Array(length) };
  const codes = new Set<number>();
  let squares = 0, squaresOfMean = 0;
  for await (const [begin, images] of batchesOf(dataset)) {
    const discretised = await discretise(model, images, imageSize, options);
    predicted.images.set(argmax(await teacher.logits(images, options), teacher.classes.length), begin);
    predicted.discretised.set(argmax(await teacher.logits(discretised.images, options), teacher.classes.length), begin);
    for (const code of discretised.codes) codes.add(code);
    images.forEach((value, i) => (squares += (value - discretised.images[i]!) ** 2));
    squaresOfMean += varianceWithin(images, imageSize);
  }
  const values = length * imageSize ** 2 * 3;
  const accuracies = (predictions: Int32Array): Accuracies => {
    const { worstGroupAccuracy, meanGroupAccuracy } = groupMetrics(dataset, predictions);
    return { worstGroupAccuracy, meanGroupAccuracy };
  };
  return {
    psnr: decibel(squares / values),
    psnrOfMeanColour: decibel(squaresOfMean / values),
    codesUsed: codes.size,
    numCodes: (model.spec as AutoencoderSpec & { kind: 'vqgan' }).numCodes,
    teacher: {
      images: accuracies(predicted.images),
      discretised: accuracies(predicted.discretised),
      agreement: predicted.images.filter((label, i) => label === predicted.discretised[i]).length / length,
    },
  };
}

/** Of 8-bit images with this mean squared error. */
function decibel(meanSquare: number): number {
  return 10 * Math.log10(255 ** 2 / meanSquare);
}

/** Sum over images, pixels and channels of the squared distance to the mean of the channel in the image. */
function varianceWithin(images: Uint8Array, imageSize: number): number {
  const plane = imageSize ** 2;
  let sum = 0;
  for (let begin = 0; begin < images.length; begin += 3 * plane) {
    for (let channel = 0; channel < 3; channel++) {
      let first = 0, second = 0;
      for (let i = begin + channel; i < begin + 3 * plane; i += 3) {
        first += images[i]!;
        second += images[i]! ** 2;
      }
      sum += second - first ** 2 / plane;
    }
  }
  return sum;
}
