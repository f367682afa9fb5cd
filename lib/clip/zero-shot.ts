/** A classifier from a CLIP model and the names of the classes, without any training. */
import type { Dataset } from '../data/types.js';
import { SparringError } from '../errors.js';
import type { Cancellable, Engine } from '../native/engine.js';
import { Classifier } from '../native/models.js';
import { openClip } from './open.js';
import { ClipTextEncoder } from './text-encoder.js';

export interface ZeroShotOptions {
  /** Folder of transformers or open_clip, or a safetensors file with OpenAI's names. */
  clip: string;
  /** Templates in which {} stands for the class; their embeddings are averaged. */
  prompts: readonly string[];
  /** What a class is called in the prompts, where that is not its name with spaces for _. */
  names: Readonly<Record<string, string>>;
}

/** Classes, and the side of the images, which are resized to what the model takes. */
type Inputs = Pick<Dataset, 'classes' | 'imageSize'>;

/** Throws SparringError 'config' for names of classes that there are not, 'weights' and 'io' as of `openClip`. */
export async function zeroShotClassifier(engine: Engine, { clip, prompts, names }: ZeroShotOptions, { classes, imageSize }: Inputs, cancellable: Cancellable = {}): Promise<Classifier> {
  const stranger = Object.keys(names).find((name) => !classes.includes(name));
  if (stranger !== undefined) throw new SparringError('config', `teacher.zeroShot.names: expected classes of the data (${classes.join(', ')}), found '${stranger}'.`);
  const { weights, keyNames, image, text, tokenizer } = await openClip(engine, clip);
  const spec = { ...image, numClasses: classes.length, imageSize, inputSize: image.imageSize };
  const classifier = await Classifier.load(engine, weights, { spec, classes: [...classes] }, { newHead: true, keyNames: keyNames.image });
  using encoder = await ClipTextEncoder.load(engine, weights, text, keyNames.text);
  const called = (name: string): string => (Object.hasOwn(names, name) ? names[name] : name.replaceAll('_', ' '));
  const texts = classes.flatMap((name) => prompts.map((prompt) => prompt.replaceAll('{}', () => called(name))));
  const tokens = tokenizer.encodeAll(texts, text.contextLength);
  await engine.run((core, control) => core.zeroShotHead(classifier.handle, encoder.handle, tokens, control), cancellable);
  return classifier;
}
