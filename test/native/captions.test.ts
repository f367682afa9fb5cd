/** Generation that is told the captions of images: it is that of a class whose prompt is the caption. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { pretrainedGenerator } from '../../lib/diffusion/pretrained.js';
import { generateFrom } from '../../lib/methods/row-starts.js';
import type { GenerateOptions, Guidance } from '../../lib/native/contract.js';
import type { Generator } from '../../lib/native/models.js';
import { rows } from '../support/numeric.js';
import { pipelineFolder } from '../support/pipeline.js';
import { assertSameImages, classes, exact, failure, generateOptions, openEngine, pixels, plainChain, randomImages, size, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const path = pipelineFolder();
const texts = ['a photo of a cat in snow', 'an old drawing'];
const open = (prompt: string, names: Record<string, string> = {}): Promise<Generator> =>
  pretrainedGenerator(engine, { path, prompt, negativePrompt: 'blurry', names, sampler: 'ddim' }, { classes, imageSize: size });
const captioned = await open('{caption}');
/** Whose classes are told the texts. */
const prompted = await open('{}', { [classes[0]]: texts[0], [classes[1]]: texts[1] });
const teacher = await tinyClassifier(engine, 2), student = await tinyClassifier(engine, 3);
const opponents = { teacher: teacher.handle, student: student.handle };
const labels = [0, 1, 1, 0];

const draw = async (model: Generator, options: Partial<GenerateOptions> = {}): Promise<Uint8Array> =>
  (await core.generate(model.handle, opponents, generateOptions({ classes: labels, seeds: [1, 2, 3, 4], steps: 3, batchSize: 4, guidanceScale: 2, ...options }))).images;
const told = (captions: number[], of = labels) => captioned.captions!.conditionsOf(of, captions.map((caption) => texts[caption]));

const images = randomImages(6, 4).map((value) => 96 + value / 4);
const inversion = (iterations: number): Partial<GenerateOptions> => ({ images, start: { kind: 'inversion', strength: 0.7, nullText: { iterations, learningRate: 0.05 } } });
const step: Guidance = { kind: 'step', objective: plainChain.objective, scale: 0.4, from: 1, until: 0, schedule: 'constant', ...exact };
// Unit vectors in the 8 features of the teacher, two of each class.
const axis = (...at: number[]): Float32Array => Float32Array.from(at.flatMap((which) => Array.from({ length: 8 }, (_, i) => (i === which ? 1 : 0))));
const cases: Record<string, Partial<GenerateOptions>> = {
  'without guidance': { guidanceScale: 1 },
  'with classifier-free guidance': {},
  'guided at each step': { guidance: step },
  'guided at each step by another gradient, compared with the exact one': { guidance: { ...step, gradient: 'x0' }, compareGradients: true },
  'guided through the chain': { guidance: { ...plainChain, iterations: 1 } },
  'guided through the chain, with conditions that are moved': { guidance: { ...plainChain, iterations: 1, conditions: { moved: 'both', learningRate: 0.1 } } },
  'guided by prototypes': { guidance: { kind: 'prototypes', rate: 10, radius: 0.2, remaining: 0.4, span: 2 }, prototypes: { global: axis(0, 1), local: axis(2, 3, 4, 5) } },
  'from images': { images, start: { kind: 'image', strength: 0.7 } },
  'from images by inversion': inversion(0),
  'from images by inversion with null-text optimisation': inversion(2),
};

for (const [name, options] of Object.entries(cases)) {
  test(`told a caption, as told it of a class: ${name}`, async () => {
    const expected = await draw(prompted, options);
    const found = await draw(captioned, { ...options, conditions: await told(labels) });
    if (name.endsWith('moved')) assertSameImages(found, expected, name); // what is added is rounded otherwise
    else assert.equal(found, expected);
    assert.not.equal(await draw(captioned, { ...options, conditions: await told([1, 0, 0, 1]) }), expected, 'the caption has a part');
  });
}

test('images of one class are told different captions, in batches of any size', async () => {
  const captions = [1, 1, 0, 0];
  const expected = await draw(prompted, { classes: captions });
  for (const batchSize of [1, 3, 4]) assertSameImages(await draw(captioned, { conditions: await told(captions), batchSize }), expected, `batches of ${batchSize}`);
});

test('images that start at strengths of their own keep their captions', async () => {
  const weak = { kind: 'image', strength: 0.4 } as const, strong = { kind: 'image', strength: 1 } as const;
  const options = (conditions: Float32Array) => ({ ...generateOptions({ classes: labels, seeds: [1, 2, 3, 4], steps: 3, batchSize: 4, guidanceScale: 2, images }), conditions });
  const conditions = await told([0, 1, 0, 1]);
  const mixed = await generateFrom([weak, strong, strong, weak], captioned, { teacher, student }, options(conditions), {});
  const [allWeak, allStrong] = await Promise.all([weak, strong].map((start) => draw(captioned, { images, start, conditions })));
  const expected = [allWeak, allStrong, allStrong, allWeak].flatMap((drawn, i) => Array.from(drawn.subarray(i * pixels, (i + 1) * pixels)));
  assertSameImages(mixed.images, Uint8Array.from(expected), 'mixed');
});

test('other images are drawn as before', async () => {
  const before = await draw(captioned);
  await draw(captioned, { conditions: await told(labels) });
  assert.equal(await draw(captioned), before);
});

test('a text has class and caption in their places; that of the class is without the caption, and conditions of its own know none', async () => {
  using both = await open('a {}, {caption}', { dark: 'night {caption}' });
  const conditions = await both.captions!.conditionsOf([0, 1], ['seen {} from afar', 'x']);
  const told = await captioned.captions!.conditionsOf([0, 1], ['a night {caption}, seen {} from afar', 'a bright, x']);
  assert.equal(conditions, told);
  using plain = await open('a {}, ', { dark: 'night {caption}' });
  assert.is(plain.captions, null);
  const expected = await draw(plain);
  assert.equal(await draw(both), expected);
  using own = await both.withOwnConditions();
  assert.is(own.captions, null);
  assert.equal(await draw(own), expected);
});

test('a caption that is too long is cut off', async () => {
  const long = Array(200).fill('snow').join(' ');
  const [found, longer] = rows(await captioned.captions!.conditionsOf([0, 0], [long, `${long} and rain`]), (await told([0], [0])).length);
  assert.equal(found, longer);
});

test('conditions that do not fit are one error', async () => {
  const one = await told([0], [0]);
  const refused = (model: Generator, conditions: unknown) => failure(() => engine.run((core) => core.generate(model.handle, {}, generateOptions({ steps: 1, conditions: conditions as Float32Array }))), 'usage');
  assert.match((await refused(captioned, one)).message, /conditions: expected \d+ x \d+ numbers for each of 8 images, found another array/);
  assert.match((await refused(captioned, Array.from({ length: 8 * one.length }, () => 0))).message, /found another array/);
  using withoutText = await tinyGenerator(engine, 1);
  assert.match((await refused(withoutText, one)).message, /expected a generator that takes a text/);
});

test('the encoder goes with the generator', async () => {
  const model = await open('{caption}');
  model[Symbol.dispose]();
  await failure(() => model.captions!.conditionsOf([0], ['x']), 'disposed');
});

test.run();
