/** Which training images are nearest to given ones: whether a generator draws, or only repeats what it was shown. */
import { batchIndices } from '../data/order.js';
import type { Dataset } from '../data/types.js';

/** Training images that are searched, drawn at random; a whole ImageNet would take hours. */
const searched = 5000;
/** Larger images are compared by averages over squares, at about this side. */
const comparedSide = 32;
const batchSize = 250;

export interface Nearest {
  /** Record of the training data. */
  record: number;
  /** Root mean square of the difference, in levels of 0..255, of the images as they are compared. */
  distance: number;
}

/** The nearest of each image by its pixels; `pixels` is uint8, [count, imageSize, imageSize, 3]. */
export async function nearestImages(pixels: Uint8Array, train: Dataset): Promise<Nearest[]> {
  const bytes = train.imageSize ** 2 * 3;
  const own = Array.from({ length: pixels.length / bytes }, (_, i) => reduced(pixels.subarray(i * bytes, (i + 1) * bytes), train.imageSize));
  const found: Nearest[] = own.map(() => ({ record: -1, distance: Infinity }));
  const chosen = batchIndices(train.length, Math.min(searched, train.length), 0, 0);
  for (let begin = 0; begin < chosen.length; begin += batchSize) {
    const records = chosen.subarray(begin, begin + batchSize);
    const batch = await train.read(records);
    for (const [place, record] of records.entries()) {
      const other = reduced(batch.subarray(place * bytes, (place + 1) * bytes), train.imageSize);
      for (const [i, image] of own.entries()) {
        const distance = rootMeanSquare(image, other);
        if (distance < found[i].distance) found[i] = { record, distance };
      }
    }
  }
  return found;
}

/** [side, side, 3] averages over squares of a whole number of pixels; what is left over at the right and below is left out. */
function reduced(image: Uint8Array, size: number): Float32Array {
  const square = Math.max(1, Math.floor(size / comparedSide));
  const side = Math.floor(size / square);
  const result = new Float32Array(side * side * 3);
  for (let y = 0; y < side * square; y++) {
    for (let x = 0; x < side * square; x++) {
      const to = (Math.floor(y / square) * side + Math.floor(x / square)) * 3, from = (y * size + x) * 3;
      for (let c = 0; c < 3; c++) result[to + c] += image[from + c] / square ** 2;
    }
  }
  return result;
}

function rootMeanSquare(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum / a.length);
}
