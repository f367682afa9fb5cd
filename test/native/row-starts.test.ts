/** Samples that each start at a strength of their own. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { drawnStrength, drawStarts, generateFrom, type RowStart } from '../../lib/methods/row-starts.js';
import { mean, relativeError, rows } from '../support/numeric.js';
import { assertSameImages, generateOptions, openEngine, pixels, randomImages, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const generator = await tinyGenerator(engine, 1);
const opponents = { teacher: await tinyClassifier(engine, 2), student: await tinyClassifier(engine, 3) };
const mixed = { kind: 'image', strengths: [0.25, 0.5, 0.75, 1] } satisfies RowStart;

test('strengths are drawn with equal probability, from seed, round and position alone', () => {
  const draw = (count: number, seed = 1, round = 0) => drawStarts(mixed, count, { seed, round }).map((start) => drawnStrength(mixed, start)!);
  const many = draw(4000);
  for (const strength of mixed.strengths) assert.ok(Math.abs(mean(many.map((own) => (own === strength ? 1 : 0))) - 0.25) < 0.03);
  assert.equal(draw(100), many.slice(0, 100));
  assert.not.equal(draw(100, 2), many.slice(0, 100));
  assert.not.equal(draw(100, 1, 1), many.slice(0, 100));
  const plain: RowStart = { kind: 'image', strength: 0.5 };
  assert.equal(drawStarts(plain, 3, { seed: 1, round: 0 }), [plain, plain, plain]);
  assert.is(drawnStrength(plain, plain), undefined);
});

test('a sample is what it would be alone, whatever the strengths of the others', async () => {
  const choices = new Map([0.25, 0.5, 0.75, 1].map((strength) => [strength, { kind: 'image', strength } as const]));
  const starts = [0.5, 1, 0.25, 0.5, 0.75, 1, 0.25, 0.5].map((strength) => choices.get(strength)!);
  const { start: _, ...options } = generateOptions({ images: randomImages(6, 8), steps: 4 });
  const together = await generateFrom(starts, generator, opponents, options, {});
  for (const [i, image] of rows(together.images, pixels).entries()) {
    const own = { classes: [options.classes[i]], seeds: [options.seeds[i]], images: options.images!.subarray(i * pixels, (i + 1) * pixels) };
    const alone = await generator.generate(opponents, { ...options, ...own, start: starts[i] });
    assertSameImages(image, alone.images, `sample ${i}`);
    assert.ok(relativeError(together.teacherProbabilities!.subarray(2 * i, 2 * i + 2), alone.teacherProbabilities!) < 1e-3);
    assert.ok(relativeError(together.studentProbabilities!.subarray(2 * i, 2 * i + 2), alone.studentProbabilities!) < 1e-3);
  }
});

test.run();
