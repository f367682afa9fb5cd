import { SparringError } from '../errors.js';
import { sorted } from './files.js';

/**
 * Numbers for labels that are given as texts. Without given names they are those that occur: whole numbers by value
 * (10 after 9, which bytewise order would put after 1), others bytewise. With given names a label is one of them, or
 * a place in their order.
 * @param source what an error calls the labels' origin
 */
export function classNumbers(labels: readonly string[], given: readonly string[], source: string): { names: readonly string[]; numbers: Int32Array } {
  const twice = given.find((name, place) => given.indexOf(name) !== place);
  if (twice !== undefined) throw new SparringError('config', `data.classes: expected each class once, found ${twice} twice.`, 'It has every class, in the order of the labels.');
  const occurring = sorted(labels);
  const allNumbers = occurring.every((label) => /^\d+$/.test(label));
  const names = given.length > 0 ? given : allNumbers ? occurring.sort((a, b) => Number(a) - Number(b)) : occurring;
  const numberOf = new Map(names.map((name, number) => [name, number]));
  if (given.length > 0 && allNumbers && !occurring.some((label) => numberOf.has(label))) given.forEach((_, number) => numberOf.set(String(number), number));
  const unknown = occurring.find((label) => !numberOf.has(label));
  if (unknown !== undefined) {
    throw new SparringError('data', `${source}: expected labels among ${names.slice(0, 5).join(', ')}${names.length > 5 ? ', ...' : ''}, found ${unknown}`, 'Correct data.classes: it has every class, in the order of the labels.');
  }
  return { names, numbers: Int32Array.from(labels, (label) => numberOf.get(label)!) };
}
