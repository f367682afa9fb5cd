import { SparringError } from '../errors.js';
import type { Listing } from './records.js';

/**
 * Throws 'data' where a class has no image to train on: its name in another split alone, an empty folder or a name too
 * many in `data.classes` would leave an output that nothing is learned for.
 * @param placeOf where the images of a class are expected
 */
export function checkTrainClasses({ root, classes, splits, findings }: Listing, placeOf: (name: string) => string = () => root): void {
  const trained = new Set(splits.train.map(({ label }) => label));
  const name = classes.find((_, label) => !trained.has(label));
  if (name === undefined) return;
  const hint = ['Every class needs images to train on. Add them, or remove the class: from the other splits, its folders or data.classes.', ...findings.map(({ text }) => text)].join(' ');
  throw new SparringError('data', `${placeOf(name)}: expected images of class ${name} in train, found none`, hint);
}
