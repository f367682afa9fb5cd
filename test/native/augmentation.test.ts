/** Augmentation of 8-bit images, on synthetic ones from which the drawn view can be read back. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AugmentOptions } from '../../lib/native/contract.js';
import { mean, rows } from '../support/numeric.js';
import { fullAugmentation, noAugmentation, openEngine, pixels, randomImages, size } from '../support/tiny.js';

const { core } = await openEngine();
const count = 200;

/** Views of `images`, each [3, size, size] in 0..1. */
async function views(images: Uint8Array, options: Partial<AugmentOptions>, seed = 1, step = 0): Promise<Float32Array[]> {
  const found = await core.augment(images, { ...noAugmentation, ...options, size, seed, step });
  return rows(found.pixels, pixels);
}

/** `count` images, each pixel from its column and row. */
function repeated(pixel: (x: number, y: number) => [number, number, number]): Uint8Array {
  const one = Array.from({ length: size * size }, (_, place) => pixel(place % size, Math.floor(place / size))).flat();
  return Uint8Array.from({ length: count * pixels }, (_, i) => one[i % pixels]);
}

/** Value of channel c, row y, column x. */
const at = (view: Float32Array, c: number, y: number, x: number) => view[(c * size + y) * size + x];
const reflect = (i: number) => (i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i);

function assertRange(values: number[], low: number, high: number, name: string): void {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  assert.ok(least >= low - 1e-4 && most <= high + 1e-4, `${name}: ${least}..${most} outside ${low}..${high}`);
  assert.ok(most - least > 0.9 * (high - low), `${name}: ${least}..${most} does not fill ${low}..${high}`);
  assert.ok(Math.abs(mean(values) - (low + high) / 2) < 0.1 * (high - low), `${name}: mean ${mean(values)}`);
}

test('without augmentation a pixel is its value / 255', async () => {
  const images = randomImages(1, 3);
  for (const [i, view] of (await views(images, {})).entries()) {
    for (let place = 0; place < pixels; place++) {
      const [c, y, x] = [place % 3, Math.floor(place / 3 / size), Math.floor(place / 3) % size];
      assert.is(at(view, c, y, x), Math.fround(images[i * pixels + place] / 255));
    }
  }
});

test('a view depends on seed, step and position alone', async () => {
  const images = randomImages(2, 8);
  const first = await views(images, fullAugmentation, 5, 3);
  assert.equal(await views(images, fullAugmentation, 5, 3), first);
  assert.equal(await views(images.subarray(0, 4 * pixels), fullAugmentation, 5, 3), first.slice(0, 4));
  assert.not.equal(await views(images, fullAugmentation, 5, 4), first);
  assert.not.equal(await views(images, fullAugmentation, 6, 3), first);
  assert.ok(first.every((view) => view.every((value) => value >= 0 && value <= 1)));
});

test('about half of the images are mirrored, whole', async () => {
  const images = repeated((x, y) => [10 * x, 10 * y, 0]);
  const [plain] = await views(images, {});
  const mirrored = plain.map((_, i) => plain[i - (i % size) + (size - 1 - (i % size))]);
  const flips = (await views(images, { flip: true })).map((view) => {
    const flipped = at(view, 0, 0, 0) > 0;
    assert.equal(view, flipped ? mirrored : plain);
    return flipped;
  });
  const share = flips.filter(Boolean).length / count;
  assert.ok(share > 0.4 && share < 0.6, `${share}`);
});

test('crops shift by up to the padding in every direction and reflect at the border', async () => {
  const padding = 3, middle = size / 2;
  const images = repeated((x, y) => [10 * x, 10 * y, 0]);
  const seen = new Set<string>();
  for (const view of await views(images, { cropPadding: padding, flip: true })) {
    const source = (c: number, y: number, x: number) => Math.round((at(view, c, y, x) * 255) / 10);
    const flipped = source(0, middle, middle) > source(0, middle, middle + 1);
    const shiftX = source(0, middle, middle) - (flipped ? size - 1 - middle : middle), shiftY = source(1, middle, middle) - middle;
    seen.add(`${shiftX} ${shiftY}`);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        assert.is(source(0, y, x), reflect((flipped ? size - 1 - x : x) + shiftX));
        assert.is(source(1, y, x), reflect(y + shiftY));
      }
    }
  }
  const shifts = [...seen].map((shift) => shift.split(' ').map(Number));
  for (const axis of [0, 1]) {
    const values = [...new Set(shifts.map((shift) => shift[axis]))].sort((a, b) => a - b);
    assert.equal(values, [-3, -2, -1, 0, 1, 2, 3]);
  }
  assert.ok(seen.size > 40, `${seen.size} of 49 shifts seen`);
});

test('zoom enlarges and reduces around the centre, by factors as often above 1 as below', async () => {
  const centre = (size - 1) / 2, x = Math.floor(centre), y = size / 4;
  const images = repeated((column, row) => [6 * column, 6 * row, 0]);
  const zooms = (await views(images, { zoom: 0.5 })).map((view) => {
    const value = (c: number, row: number, column: number) => (at(view, c, row, column) * 255) / 6;
    const zoom = 1 / (value(0, y, x + 1) - value(0, y, x));
    assert.ok(Math.abs(value(0, y, x) - (centre + (x - centre) / zoom)) < 1e-2, `column of zoom ${zoom}`);
    const row = centre + (size / 2 + 2 - centre) / zoom;
    assert.ok(Math.abs(value(1, size / 2 + 2, x) - row) < 1e-2, `row of zoom ${zoom}`);
    return zoom;
  });
  assertRange(zooms.map(Math.log), -Math.log(1.5), Math.log(1.5), 'log zoom');
});

test('each pixel of a zoomed view lies between four of the source, reflected at the border', async () => {
  const images = repeated((x, y) => [(x * 37 + y * 11) % 256, (x * 5 + y * 71) % 256, (x * x + 3 * y) % 256]);
  const source = (c: number, row: number, column: number): number => images[(reflect(row) * size + reflect(column)) * 3 + c]!;
  const centre = (size - 1) / 2;
  const zooms = (await views(repeated((x) => [6 * x, 0, 0]), { zoom: 0.5 })).map((view) => 6 / 255 / (at(view, 0, 0, size / 2) - at(view, 0, 0, size / 2 - 1)));
  for (const [i, view] of (await views(images, { zoom: 0.5 })).slice(0, 20).entries()) {
    const between = (place: number): [low: number, share: number] => {
      const from = (place - centre) / zooms[i]! + centre;
      return [Math.floor(from), from - Math.floor(from)];
    };
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const [[row, down], [column, right]] = [between(y), between(x)];
        for (let c = 0; c < 3; c++) {
          const line = (of: number): number => source(c, of, column) * (1 - right) + source(c, of, column + 1) * right;
          const expected = line(row) * (1 - down) + line(row + 1) * down;
          assert.ok(Math.abs(at(view, c, y, x) * 255 - expected) < 0.1, `view ${i}, zoom ${zooms[i]}, channel ${c}, row ${y}, column ${x}`);
        }
      }
    }
  }
});

test('hue turns the colour around grey and leaves its brightness', async () => {
  const [red, green, blue] = [140, 120, 110];
  const luma = (r: number, g: number, b: number) => 0.299 * r + 0.587 * g + 0.114 * b;
  const chroma = (r: number, g: number, b: number) => Math.atan2(0.211 * r - 0.523 * g + 0.312 * b, 0.596 * r - 0.274 * g - 0.322 * b);
  const turns = (await views(repeated(() => [red, green, blue]), { hue: 0.1 })).map((view) => {
    const [r, g, b] = [0, 1, 2].map((c) => at(view, c, 4, 4) * 255);
    assert.ok(Math.abs(luma(r, g, b) - luma(red, green, blue)) < 0.1, `luma ${luma(r, g, b)}`);
    return (chroma(r, g, b) - chroma(red, green, blue)) / (2 * Math.PI);
  });
  assertRange(turns.map((turn) => turn - Math.round(turn)), -0.1, 0.1, 'turn');
  for (const view of await views(repeated(() => [90, 90, 90]), { hue: 0.5 })) assert.ok(view.every((value) => Math.abs(value * 255 - 90) < 0.3));
});

test('brightness multiplies, up to white', async () => {
  const factors = (await views(repeated(() => [100, 50, 150]), { brightness: 0.3 })).map((view) => {
    const factor = (at(view, 0, 0, 0) * 255) / 100;
    assert.ok(Math.abs((at(view, 1, 5, 5) * 255) / 50 - factor) < 1e-4 && Math.abs((at(view, 2, 9, 1) * 255) / 150 - factor) < 1e-4);
    return factor;
  });
  assertRange(factors, 0.7, 1.3, 'factor');
  const white = await views(repeated(() => [250, 250, 250]), { brightness: 0.3 });
  assert.is(Math.max(...white.map((view) => Math.max(...view))), 1);
});

test('contrast scales the distance to the mean grey of the image', async () => {
  const images = repeated((x) => (x < size / 2 ? [100, 100, 100] : [140, 140, 140]));
  const factors = (await views(images, { contrast: 0.4 })).map((view) => {
    const [dark, light] = [at(view, 0, 3, 0) * 255, at(view, 0, 3, size - 1) * 255];
    assert.ok(Math.abs((dark + light) / 2 - 120) < 1e-2, `mean ${(dark + light) / 2}`);
    return (light - dark) / 40;
  });
  assertRange(factors, 0.6, 1.4, 'factor');
});

test("saturation scales the distance to the pixel's own grey", async () => {
  const [red, green, blue] = [120, 100, 60];
  const grey = 0.299 * red + 0.587 * green + 0.114 * blue;
  const factors = (await views(repeated(() => [red, green, blue]), { saturation: 0.5 })).map((view) => {
    const [r, g, b] = [0, 1, 2].map((c) => at(view, c, 2, 2) * 255 - grey);
    const factor = b / (blue - grey);
    assert.ok(Math.abs(r / (red - grey) - factor) < 1e-3 && Math.abs(g / (green - grey) - factor) < 1e-2);
    return factor;
  });
  assertRange(factors, 0.5, 1.5, 'factor');
  const colourless = repeated((x) => [12 * x, 12 * x, 12 * x]);
  const [plain] = await views(colourless, {});
  for (const view of await views(colourless, { saturation: 0.5 })) {
    assert.ok(view.every((value, i) => Math.abs(value - plain[i]) < 1e-6));
  }
});

test.run();
