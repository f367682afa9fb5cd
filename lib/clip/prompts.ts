/** Texts of classes: prompts in which {} stands for what a class is called. */
import { SparringError } from '../errors.js';

/** What a class is called, where that is not its name with spaces for _. */
export type ClassNames = Readonly<Record<string, string>>;

/** Throws SparringError 'config' for names of classes that there are not; `where` is the key of the config. */
export function checkClassNames(names: ClassNames, classes: readonly string[], where: string): void {
  const stranger = Object.keys(names).find((name) => !classes.includes(name));
  if (stranger !== undefined) throw new SparringError('config', `${where}: expected classes of the data (${classes.join(', ')}), found '${stranger}'.`);
}

export function fillPrompt(prompt: string, className: string, names: ClassNames): string {
  const called = Object.hasOwn(names, className) ? names[className] : className.replaceAll('_', ' ');
  return prompt.replaceAll('{}', () => called);
}
