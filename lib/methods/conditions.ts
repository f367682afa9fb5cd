/** Which generators the rows can do with that tell it something else of the classes. */
import type { Config } from '../config/schema.js';
import { SparringError } from '../errors.js';
import type { Generator } from '../native/models.js';
import { recipes } from './recipes.js';

/** Throws SparringError 'config' when a row changes what the generator is told of the classes, and it is told nothing. */
export function checkConditions(methods: Config['methods'], generator: Generator): void {
  const { classEmbeddings, textChannels } = generator.spec.unet;
  const row = methods.find((method) => recipes[method].images?.conditions);
  if (row && classEmbeddings === 0 && textChannels === 0) {
    throw new SparringError('config', `methods: ${row}: expected a generator with class embeddings or a text, found one that draws without a condition.`, 'Take another generator, or leave the row out.');
  }
}
