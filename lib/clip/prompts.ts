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
  return prompt.replaceAll('{}', () => calledBy(names, className));
}

/** As fillPrompt, with `caption` in place of {caption}; what either text has in braces stays. */
export function fillCaption(prompt: string, className: string, names: ClassNames, caption: string): string {
  return prompt.replace(/\{\}|\{caption\}/g, (place) => (place === '{}' ? calledBy(names, className) : caption));
}

export function takesCaption(prompt: string): boolean {
  return prompt.includes('{caption}');
}

function calledBy(names: ClassNames, className: string): string {
  return Object.hasOwn(names, className) ? names[className] : className.replaceAll('_', ' ');
}
