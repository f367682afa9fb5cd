/**
 * Shape against texture (Geirhos et al., arXiv 1811.12231), on images that show the shape of one class in the texture of
 * another.
 */

export interface ShapeBias {
  /** Images whose shape and texture are of different classes. */
  images: number;
  shapeCorrect: number;
  textureCorrect: number;
  /** Of those images, the shares predicted as the class of the shape and of the texture. */
  shapeAccuracy: number;
  textureAccuracy: number;
  /** Share of shape among the predictions that are either; null where none is. */
  shapeBias: number | null;
}

/** @param predicted [images], as the class of the `shapes` and `textures`, also [images] */
export function shapeBias(predicted: ArrayLike<number>, shapes: ArrayLike<number>, textures: ArrayLike<number>): ShapeBias {
  let [images, shapeCorrect, textureCorrect] = [0, 0, 0];
  for (let image = 0; image < predicted.length; image++) {
    if (shapes[image] === textures[image]) continue; // no conflict
    images++;
    if (predicted[image] === shapes[image]) shapeCorrect++;
    if (predicted[image] === textures[image]) textureCorrect++;
  }
  const either = shapeCorrect + textureCorrect;
  const share = (count: number): number => (images === 0 ? 0 : count / images);
  return { images, shapeCorrect, textureCorrect, shapeAccuracy: share(shapeCorrect), textureAccuracy: share(textureCorrect), shapeBias: either === 0 ? null : shapeCorrect / either };
}
