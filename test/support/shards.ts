/** Models in shards, as huggingface writes them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { encodeSafetensors, type Tensor } from './safetensors.js';

/** Spreads tensors over `count` shards with an index; returns the path of the index. */
export function writeShards(folder: string, tensors: Record<string, Tensor>, count: number, { name = 'model', metadata }: { name?: string; metadata?: Record<string, string> } = {}): string {
  mkdirSync(folder, { recursive: true });
  const shardOf = (i: number): string => `${name}-${String((i % count) + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.safetensors`;
  const entries = Object.entries(tensors);
  for (let shard = 0; shard < count; shard++) {
    writeFileSync(join(folder, shardOf(shard)), encodeSafetensors(Object.fromEntries(entries.filter((_, i) => i % count === shard)), metadata ?? { format: 'pt' }));
  }
  return writeIndex(folder, Object.fromEntries(entries.map(([tensor], i) => [tensor, shardOf(i)])), name);
}

export function writeIndex(folder: string, weightMap: unknown, name = 'model'): string {
  const path = join(folder, `${name}.safetensors.index.json`);
  writeFileSync(path, JSON.stringify({ metadata: { total_size: 1.5e3, 'written by': ['a test', null, true, { depth: 2 }] }, weight_map: weightMap }));
  return path;
}
