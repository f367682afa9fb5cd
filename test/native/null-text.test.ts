/** Null-text optimisation: an inverted image comes back in spite of classifier-free guidance. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import type { GenerateOptions, Guidance } from '../../lib/native/contract.js';
import type { Generator } from '../../lib/native/models.js';
import { mean, rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { assertSameImages, exact, failure, generateOptions, openEngine, pixels, plainChain, randomImages, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const generator = await tinyGenerator(engine, 1);
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
// Of little contrast, so that predictions stay within -1..1, where x0 is not clamped and the inversion follows the image.
const images = randomImages(6, 8).map((value) => 96 + value / 4);
const inverted = (iterations: number, options: Partial<GenerateOptions> = {}): GenerateOptions =>
  generateOptions({ images, steps: 10, guidanceScale: 3, start: { kind: 'inversion', strength: 0.5, nullText: { iterations, learningRate: 0.05 } }, ...options });
const draw = async (options: GenerateOptions): Promise<Uint8Array> => (await core.generate(generator.handle, opponents, options)).images;
/** Root mean square of the difference of each image, in levels. */
const errors = (found: Uint8Array, expected: Uint8Array, length = pixels): number[] =>
  rows(found, length).map((image, i) => Math.sqrt(mean(Array.from(image, (value, j) => (value - expected[i * length + j]) ** 2))));

test('each image comes back nearer with it, and nearer with more iterations', async () => {
  const [without, few, many] = await Promise.all([0, 2, 12].map(async (iterations) => errors(await draw(inverted(iterations)), images)));
  const plain = errors(await draw(inverted(0, { guidanceScale: 1 })), images);
  assert.ok(mean(without) > 1.5 * mean(plain), `${mean(plain)} levels without guidance, ${mean(without)} with it: nothing to mend`);
  without.forEach((error, i) => assert.ok(many[i] < error, `image ${i}: ${error} without, ${many[i]} with`));
  assert.ok(mean(few) < mean(without) && mean(many) < mean(few), `${mean(without)} without, ${mean(few)}, ${mean(many)} levels`);
});

test('in latents, with texts', async () => {
  using latent = await pretrainedGenerator(engine, { path: pipelineFolder(), prompt: 'a {}', negativePrompt: '', names: {}, sampler: 'ddim' }, { classes: ['dark', 'bright'], imageSize: 32 });
  const photographs = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * 7 + Math.floor(i / 96) * 5) % 256);
  // Few steps: a random network amplifies what is left of the error in the ones after it.
  const drawn = async (iterations: number, guidanceScale: number) =>
    (await core.generate(latent.handle, {}, inverted(0, { classes: [0, 1], seeds: [5, 6], images: photographs, steps: 10, guidanceScale, start: { kind: 'inversion', strength: 0.2, nullText: { iterations, learningRate: 0.02 } } }))).images;
  // What the decoder makes of the run without guidance is what can be reached.
  const reference = await drawn(0, 1);
  const [without, fitted] = [errors(await drawn(0, 1.5), reference, 32 * 32 * 3), errors(await drawn(10, 1.5), reference, 32 * 32 * 3)];
  without.forEach((error, i) => assert.ok(fitted[i] < 0.85 * error, `image ${i}: ${error} without, ${fitted[i]} with`));
});

test('the same in any batch, whatever the seed, and no network changes', async () => {
  const whole = await draw(inverted(3));
  for (const batchSize of [1, 3]) assertSameImages(await draw(inverted(3, { batchSize })), whole, `batches of ${batchSize}`);
  assert.equal(await draw(inverted(3, { seeds: [1, 2, 3, 4, 5, 6, 7, 8] })), whole);
});

test('guidance starts from the fitted run', async () => {
  const guided: Record<string, Guidance> = {
    step: { kind: 'step', objective: plainChain.objective, scale: 0, from: 1, until: 0, schedule: 'constant', ...exact },
    chain: { ...plainChain, iterations: 0 },
    'chain with conditions': { ...plainChain, iterations: 0, conditions: { moved: 'both', learningRate: 0.1 } },
  };
  const fitted = await draw(inverted(5));
  for (const [name, guidance] of Object.entries(guided)) assertSameImages(await draw(inverted(5, { guidance })), fitted, name);
  const labels = generateOptions().classes;
  const reached = async (guidance: Guidance): Promise<number> => {
    const { teacherProbabilities, studentProbabilities } = await core.generate(generator.handle, opponents, inverted(5, { guidance }));
    return mean(Array.from(labels, (label, i) => teacherProbabilities![2 * i + label] - studentProbabilities![2 * i + label]));
  };
  const unguided = await reached({ kind: 'none' });
  for (const guidance of [{ ...guided.step, scale: 0.4 } as Guidance, { ...plainChain, conditions: { moved: 'null', learningRate: 0.05 } } as Guidance]) {
    assert.ok((await reached(guidance)) > unguided + 0.001, guidance.kind);
  }
});

test('it needs classifier-free guidance, and a generator that can have it', async () => {
  const refused = (options: GenerateOptions, code: 'config' | 'usage', model: Generator = generator) => failure(() => engine.run((core) => core.generate(model.handle, opponents, options)), code);
  assert.match((await refused(inverted(1, { guidanceScale: 1 }), 'config')).message, /nullText: expected a guidance scale other than 1, found 1/);
  for (const nullText of [{ iterations: -1, learningRate: 0.1 }, { iterations: 1, learningRate: 0 }]) {
    assert.match((await refused(inverted(0, { start: { kind: 'inversion', strength: 0.5, nullText } }), 'usage')).message, /nullText: expected iterations/);
  }
});

test.run();
