/** A classifier from a CLIP model and the names of the classes, without any training. */
import type { Dataset } from '../data/types.js';
import type { Cancellable, Engine } from '../native/engine.js';
import { Classifier } from '../native/models.js';
import { openClip } from './open.js';
import { checkClassNames, fillPrompt, type ClassNames } from './prompts.js';
import { ClipTextEncoder } from './text-encoder.js';

export interface ZeroShotOptions {
  /** Folder of transformers or open_clip, or a safetensors file with OpenAI's names. */
  clip: string;
  /** Templates in which {} stands for the class; their embeddings are averaged. */
  prompts: readonly string[];
  names: ClassNames;
}

/** Classes, and the side of the images, which are resized to what the model takes. */
type Inputs = Pick<Dataset, 'classes' | 'imageSize'>;

/** Throws SparringError 'config' for names of classes that there are not, 'weights' and 'io' as of `openClip`. */
export async function zeroShotClassifier(engine: Engine, { clip, prompts, names }: ZeroShotOptions, { classes, imageSize }: Inputs, cancellable: Cancellable = {}): Promise<Classifier> {
  checkClassNames(names, classes, 'teacher.zeroShot.names');
  const { weights, keyNames, image, text, tokenizer } = await openClip(engine, clip);
  const spec = { ...image, numClasses: classes.length, imageSize, inputSize: image.imageSize };
  const classifier = await Classifier.load(engine, weights, { spec, classes: [...classes] }, { newHead: true, keyNames: keyNames.image });
  using encoder = await ClipTextEncoder.load(engine, weights, text, keyNames.text);
  const texts = classes.flatMap((name) => prompts.map((prompt) => fillPrompt(prompt, name, names)));
  const tokens = tokenizer.encodeAll(texts, text.contextLength);
  await engine.run((core, control) => core.zeroShotHead(classifier.handle, encoder.handle, tokens, control), cancellable);
  return classifier;
}
