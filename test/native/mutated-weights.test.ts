/**
 * Weights files and indexes of shards with changes at random, cut anywhere, with any bit flipped: each loads or is refused
 * with one error that names it. test/native/fuzz_safetensors.cpp does the same at length under sanitisers.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { stream } from '../../lib/data/random.js';
import { SparringError } from '../../lib/errors.js';
import { encodeSafetensors, safetensorsBytes, type Tensor } from '../support/safetensors.js';
import { writeShards } from '../support/shards.js';
import { openEngine, temporaryFolder } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const f32 = (...shape: number[]): Tensor => ({ dtype: 'F32', shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

/** Whether it loads; any other error than one that names the folder fails the test. */
async function loads(path: string, what: string): Promise<boolean> {
  try {
    await engine.run((core) => core.inspectWeights(path));
    return true;
  } catch (error) {
    const known = error instanceof SparringError && (error.code === 'weights' || error.code === 'io') && error.message.includes(folder);
    assert.ok(known, `${what}: ${String(error)}`);
    return false;
  }
}

const pieces = ['{', '}', '[', ']', ',', ':', '"', '\\', '0', '1', '8', '-1', '64', '18446744073709551615', '"F16"', '"shape"', '\u0000', '\\u0000', 'null', '../', '"weight_map":{}', '1e5'];

/** One to three changes: bytes replaced by another byte, by a piece of JSON, or by nothing. */
function change(text: Buffer, random: ReturnType<typeof stream>): Buffer {
  let changed = text;
  for (let left = random.integer(3); left >= 0; left--) {
    const place = random.integer(changed.length), kind = random.integer(3);
    const inserted = kind === 0 ? Buffer.of(random.integer(256)) : kind === 1 ? Buffer.from(pieces[random.integer(pieces.length)]) : Buffer.alloc(0);
    changed = Buffer.concat([changed.subarray(0, place), inserted, changed.subarray(place + random.integer(3))]);
  }
  return changed;
}

const bases = [
  encodeSafetensors({ a: f32(2, 3) }, { format: 'pt' }),
  encodeSafetensors({ 'conv.weight': f32(2, 1, 3, 3), count: { dtype: 'I64', shape: [], values: new Float64Array(1) }, empty: { dtype: 'F64', shape: [0, 7], values: new Float64Array(0) } }),
];
const path = join(folder, 'mutated.safetensors');
const write = (bytes: Uint8Array): string => (writeFileSync(path, bytes), path);

test('2,000 random changes of a header', async () => {
  const random = stream(1, 'mutations');
  let loaded = 0, refused = 0;
  for (let i = 0; i < 2000; i++) {
    const base = bases[i % 2], end = 8 + Number(base.readBigUInt64LE(0));
    const file = Buffer.concat([safetensorsBytes(change(base.subarray(8, end), random)), base.subarray(end)]);
    (await loads(write(random.integer(10) === 0 ? file.subarray(0, random.integer(file.length)) : file), `change ${i}`)) ? loaded++ : refused++;
  }
  assert.ok(loaded > 20 && refused > 1000, `${loaded} loaded, ${refused} refused`); // both happen
});

test('a file that is cut at any byte is refused, with any bit flipped it loads or is refused', async () => {
  const [base] = bases, data = base.length - 24;
  for (let length = 0; length < base.length; length++) assert.not.ok(await loads(write(base.subarray(0, length)), `cut at ${length}`), `cut at ${length}`);
  for (let bit = 0; bit < 8 * base.length; bit++) {
    const flipped = Buffer.from(base);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const loaded = await loads(write(flipped), `bit ${bit}`);
    assert.ok(loaded || bit < 8 * data, `bit ${bit} of the data`);
  }
});

test('an index of shards, changed, cut and with any bit flipped', async () => {
  mkdirSync(join(folder, 'shards'));
  const index = writeShards(join(folder, 'shards'), { a: f32(2), b: f32(3), c: f32(1) }, 2);
  const text = Buffer.from(`{"metadata":{"total_size":24},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00001-of-00002.safetensors"}}`);
  const attempt = (bytes: Uint8Array, what: string): Promise<boolean> => (writeFileSync(index, bytes), loads(index, what));
  assert.ok(await attempt(text, 'the index itself'));
  for (let length = 0; length < text.length; length++) assert.not.ok(await attempt(text.subarray(0, length), `cut at ${length}`), `cut at ${length}`);
  for (let bit = 0; bit < 8 * text.length; bit++) {
    const flipped = Buffer.from(text);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    await attempt(flipped, `bit ${bit}`);
  }
  const random = stream(2, 'mutations');
  let loaded = 0, refused = 0;
  for (let i = 0; i < 1000; i++) (await attempt(change(text, random), `change ${i}`)) ? loaded++ : refused++;
  assert.ok(loaded > 5 && refused > 500, `${loaded} loaded, ${refused} refused`);
});

test.run();
