/** CutMix and MixUp on images of one value each, so that every pixel tells which image it comes from. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { mean, rows } from '../support/numeric.js';
import { failure, openEngine, pixels, size } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const count = 200;
const flat = Uint8Array.from({ length: count * pixels }, (_, i) => Math.floor(i / pixels));

interface Mixed {
  /** [3, size, size] in 0..255 */
  view: number[];
  own: number;
  partner: number;
  share: number;
}

async function mixed(options: { cutMix?: number; mixUp?: number; seed?: number; step?: number; images?: Uint8Array }): Promise<Mixed[]> {
  const { cutMix = 0, mixUp = 0, seed = 1, step = 0, images = flat } = options;
  const found = await core.mix(images, { cutMix, mixUp, size, seed, step });
  return rows(found.pixels, pixels).map((view, own) => ({ view: Array.from(view, (value) => value * 255), own, partner: found.partner[own], share: found.share[own] }));
}

test('CutMix pastes one rectangle of the partner, in all channels; the share is the area that is left', async () => {
  const images = await mixed({ cutMix: 1 });
  for (const { view, own, partner, share } of images) {
    const foreign = view.flatMap((value, place) => (Math.abs(value - own) > 0.5 ? [place] : []));
    assert.ok(foreign.every((place) => Math.abs(view[place] - partner) < 1e-3));
    assert.ok(Math.abs(share - (1 - foreign.length / pixels)) < 1e-6, `share ${share}, ${foreign.length} of ${pixels} foreign`);
    const extent = (axis: (place: number) => number) => (foreign.length === 0 ? 0 : Math.max(...foreign.map(axis)) - Math.min(...foreign.map(axis)) + 1);
    assert.is(foreign.length, 3 * extent((place) => place % size) * extent((place) => Math.floor(place / size) % size));
  }
  // Half of the area on average, less what is clipped at the border.
  const average = mean(images.map(({ share }) => share));
  assert.ok(average > 0.5 && average < 0.75, `${average}`);
  for (const corner of [0, size - 1, size * (size - 1), size * size - 1]) assert.ok(images.some(({ view, own }) => Math.abs(view[corner] - own) > 0.5), `corner ${corner} is never covered`);
});

test('MixUp blends the whole image with its partner', async () => {
  const images = await mixed({ mixUp: 1 });
  for (const { view, own, partner, share } of images) {
    const blend = share * own + (1 - share) * partner;
    assert.ok(view.every((value) => Math.abs(value - blend) < 1e-2));
  }
  const shares = images.map(({ share }) => share);
  assert.ok(Math.min(...shares) < 0.05 && Math.max(...shares) > 0.95 && Math.abs(mean(shares) - 0.5) < 0.1);
});

test('each image is the partner of one other', async () => {
  const partners = (await mixed({ cutMix: 0.5, mixUp: 0.5 })).map(({ own, partner }) => (assert.is.not(own, partner), partner));
  assert.is(new Set(partners).size, count);
});

test('the two shares are the parts of the batch that are mixed; the rest is left alone', async () => {
  const images = await mixed({ cutMix: 0.3, mixUp: 0.2 });
  const untouched = images.filter(({ partner, own }) => partner === own);
  assert.ok(untouched.every(({ view, own, share }) => share === 1 && view.every((value) => Math.abs(value - own) < 1e-3)));
  const blended = images.filter(({ view, own, partner }) => partner !== own && view.every((value) => Math.abs(value - own) > 1e-3 && Math.abs(value - partner) > 1e-3));
  assert.ok(untouched.length > 0.4 * count && untouched.length < 0.6 * count, `${untouched.length} untouched`);
  assert.ok(blended.length > 0.12 * count && blended.length < 0.28 * count, `${blended.length} blended`);
});

test('what is mixed depends on seed and step', async () => {
  const first = await mixed({ cutMix: 1, seed: 5, step: 3 });
  assert.equal(await mixed({ cutMix: 1, seed: 5, step: 3 }), first);
  assert.not.equal(await mixed({ cutMix: 1, seed: 5, step: 4 }), first);
  assert.not.equal(await mixed({ cutMix: 1, seed: 6, step: 3 }), first);
});

test('a batch of one has nobody to mix with', async () => {
  const [{ share, view }] = await mixed({ cutMix: 1, images: new Uint8Array(pixels).fill(7) });
  assert.is(share, 1);
  assert.ok(view.every((value) => Math.abs(value - 7) < 1e-3));
});

test('a side that no image has is refused', async () => {
  for (const side of [0, -1, 2 ** 32]) {
    const error = await failure(() => engine.run((core) => core.mix(flat, { cutMix: 1, mixUp: 0, size: side, seed: 0, step: 0 })), 'usage');
    assert.match(error.message, `found ${side}`);
  }
});

test.run();
