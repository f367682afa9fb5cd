/** Texts of single images: what a published generator is told in place of the text of a class. */
import { fillCaption, type ClassNames } from '../clip/prompts.js';
import type { ClipTextEncoder } from '../clip/text-encoder.js';
import type { CaptionEncoder } from '../native/models.js';
import type { PretrainedText } from './pretrained.js';

interface Prompt {
  /** {} stands for the class, {caption} for the caption. */
  prompt: string;
  names: ClassNames;
  classes: readonly string[];
}

export class TextCaptions implements CaptionEncoder {
  /** The encoder is disposed of with it. */
  constructor(
    private readonly encoder: ClipTextEncoder,
    private readonly text: Pick<PretrainedText, 'tokenizer' | 'padToken' | 'skip'>,
    private readonly prompt: Prompt,
  ) {}

  /** [N, tokens, channels]; a text that is too long is cut off, as that of a class is. */
  conditionsOf(labels: readonly number[], captions: readonly string[]): Promise<Float32Array> {
    const { encoder, text: { tokenizer, padToken, skip }, prompt: { prompt, names, classes } } = this;
    const texts = captions.map((caption, i) => fillCaption(prompt, classes[labels[i]], names, caption));
    const tokens = tokenizer.encodeAll(texts, encoder.spec.contextLength, padToken);
    return encoder.engine.run((core) => core.encodeTexts(encoder.handle, tokens, { skip }));
  }

  [Symbol.dispose](): void {
    this.encoder[Symbol.dispose]();
  }
}
