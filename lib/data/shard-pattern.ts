import { join } from 'node:path';

import { SparringError } from '../errors.js';
import { listFolder, sorted } from './files.js';

/**
 * The shards that a pattern names: `{000..146}` counts with leading zeros, `{a,b}` gives alternatives, `*` stands for
 * any characters of a file name.
 * @throws SparringError 'data' when a counted shard, or every shard of a `*`, is missing
 */
export async function expandShards(root: string, pattern: string): Promise<string[]> {
  const names = expandBraces(pattern);
  const shards: string[] = [];
  for (const name of names) {
    const folder = join(root, ...name.split('/').slice(0, -1));
    const wanted = name.split('/').at(-1)!;
    const present = (await listFolder(folder))?.others ?? [];
    const matching = wanted.includes('*') ? present.filter((other) => wildcard(wanted).test(other)) : present.filter((other) => other === wanted);
    if (matching.length === 0) throw new SparringError('data', `${join(folder, wanted)}: expected a shard, found none`, `The pattern is ${pattern}, in data.root ${root}.`);
    shards.push(...matching.map((other) => join(folder, other)));
  }
  return sorted(shards);
}

function expandBraces(pattern: string): string[] {
  const brace = /\{([^{}]*)\}/.exec(pattern);
  if (!brace) return [pattern];
  const [all, inner] = brace as unknown as [string, string];
  const range = /^(\d+)\.\.(\d+)$/.exec(inner);
  const choices = range ? countUp(range[1]!, range[2]!) : inner.split(',');
  return choices.flatMap((choice) => expandBraces(pattern.slice(0, brace.index) + choice + pattern.slice(brace.index + all.length)));
}

function countUp(first: string, last: string): string[] {
  const count = Number(last) - Number(first) + 1;
  if (count < 1) throw new SparringError('config', `shards {${first}..${last}}: expected the first number to be the smaller one`);
  return Array.from({ length: count }, (_, place) => String(Number(first) + place).padStart(first.length, '0'));
}

function wildcard(name: string): RegExp {
  return new RegExp(`^${name.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&')).join('.*')}$`);
}
