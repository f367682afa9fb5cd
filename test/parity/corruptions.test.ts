/** Corruptions against imagecorruptions, which was given the same random numbers. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { corrupt } from '../../lib/data/corruptions.js';
import type { Corruption, CorruptionSeverity } from '../../lib/native/contract.js';
import { openEngine } from '../support/tiny.js';

interface Case {
  kind: Corruption;
  severity: CorruptionSeverity;
  size: number;
  seed: number;
  /** Number of the picture. */
  picture: number;
  /** Every so many-th value is in the file. */
  stride: number;
  expected: [number, number];
}

const goldens = new URL('goldens/', import.meta.url);
const cases: Case[] = JSON.parse(readFileSync(new URL('corruptions.json', goldens), 'utf8'));
const blob = gunzipSync(readFileSync(new URL('corruptions.bin.gz', goldens)));
const engine = await openEngine();

/** As picture() of make_corruption_goldens.py. */
function picture(side: number, number: number): Uint8Array {
  const whole = Math.floor;
  const modulo = (value: number, by: number): number => ((value % by) + by) % by;
  const triangle = (value: number, period: number): number => whole((Math.abs(modulo(value, period) * 2 - period) * 255) / period);
  const period = whole(([23, 37, 61][number % 3]! * side) / 64) + 5;
  const pixels = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let rgb = [
        triangle(3 * x + y + 7 * number, 3 * period),
        triangle(2 * y + whole((x * y) / 16), 2 * period),
        whole((triangle(x + 2 * y, 4 * period) + triangle(whole((x * x) / 9) + y, period)) / 2),
      ];
      const quarter = whole(side / 4);
      if ((whole(x / quarter) + whole(y / quarter)) % 3 === 0) rgb = rgb.map((value) => whole(value / 3));
      if ((x - whole(side / 2)) ** 2 + (y - whole(side / 3)) ** 2 < whole(side / 6) ** 2) rgb = [190, 120 + 9 * number, 57];
      pixels.set(rgb, (y * side + x) * 3);
    }
  }
  return pixels;
}

/**
 * Sums that the libraries add up in another order: where a true value is a whole number, cutting off decides by the last
 * bit. The number is the largest share of the values that may be lower or higher by 1; all other values are equal.
 */
const roundings: Partial<Record<Corruption, number>> = { gaussian_blur: 0.06, glass_blur: 0.04, defocus_blur: 0.2, motion_blur: 0.08, elastic_transform: 0.002, spatter: 0.004 };

for (const kind of new Set(cases.map((one) => one.kind))) {
  test(`${kind} in five severities at ${[...new Set(cases.filter((one) => one.kind === kind).map(({ size }) => size))].join(', ')} px`, async () => {
    const own = cases.filter((one) => one.kind === kind);
    assert.is(own.length % 10, 0);
    for (const { severity, size, seed, picture: number, stride, expected } of own) {
      const whole = await corrupt(engine, picture(size, number), { kind, severity, size, seeds: [seed] });
      const found = whole.filter((_, i) => i % stride === 0);
      const wanted = blob.subarray(...expected);
      assert.is(found.length, wanted.length);
      const differences = Array.from(found, (value, i) => Math.abs(value - wanted[i]!));
      const what = `${size} px, severity ${severity}`;
      assert.ok(Math.max(...differences) <= (kind in roundings ? 1 : 0), `${what}: off by up to ${Math.max(...differences)}`);
      const share = differences.filter((difference) => difference > 0).length / differences.length;
      assert.ok(share <= (roundings[kind] ?? 0), `${what}: ${(100 * share).toFixed(1)} % of the values differ`);
    }
  });
}

test.run();
