import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { wordNetIds } from '../../lib/data/ood/wordnet-ids.js';
import { Classifier } from '../../lib/native/models.js';
import { cli, lastLine } from '../support/cli.js';
import { image, Scratch, text } from '../support/dataset-trees.js';
import { encodeSafetensors, readSafetensors } from '../support/safetensors.js';
import { classifierSpec, openEngine } from '../support/tiny.js';

const scratch = new Scratch();
test.after(() => scratch.remove());
const root = scratch.folder();
const weights = join(root, 'student.safetensors');
const config = text(join(root, 'run.yaml'), 'precision: fp32\nspurious: { root: spurious_imagenet, imageNet: imagenet, imageSize: 32 }\n');
const side = 16;
const evaluate = (...more: string[]) => cli(['evaluate', '--suite', 'spurious', '--config', config, '--weights', weights, '--device', 'cpu', '--threads', '1', ...more]);

/** Greys of the validation images and of the spurious ones of each class; images of one grey have no other pixel, however they are cropped. */
const features = [
  { name: 'gull_class_146_feature_component_3', label: 146, validation: [20, 90, 200], spurious: [60, 120, 180, 240] },
  { name: 'boat_class_554_feature_component_0', label: 554, validation: [30, 130], spurious: [80, 210, 250] },
];

test.before(async () => {
  const engine = await openEngine({ on: 'cpu' });
  for (const [seed, path] of [weights, join(root, 'teacher.safetensors')].entries()) {
    using network = await Classifier.create(engine, { ...classifierSpec, numClasses: 1000, imageSize: side }, wordNetIds, seed + 1);
    await network.save(path);
  }
  for (const { name, label, validation, spurious } of features) {
    for (const grey of validation) await image(join(root, 'imagenet/ILSVRC/Data/CLS-LOC/val', wordNetIds[label]!, `${grey}.png`), { grey, width: 40, height: 30 });
    for (const grey of spurious) await image(join(root, 'spurious_imagenet/images', name, `${grey}.png`), { grey, width: 24, height: 24 });
  }
});

/** Area under the ROC curve by counting pairs, and average precision by its definition, of a classifier's own probabilities. */
async function expected(path: string): Promise<{ rocAuc: number; averagePrecision: number }[]> {
  using classifier = await Classifier.load(await openEngine({ on: 'cpu' }), path);
  const score = async (label: number, grey: number): Promise<number> => {
    const pixels = await sharp({ create: { width: side, height: side, channels: 3, background: { r: grey, g: grey, b: grey } } }).raw().toBuffer();
    return (await classifier.probabilities(new Uint8Array(pixels)))[label]!;
  };
  const measures = [];
  for (const { label, validation, spurious } of features) {
    const positives = await Promise.all(validation.map((grey) => score(label, grey)));
    const negatives = await Promise.all(spurious.map((grey) => score(label, grey)));
    const above = (scores: number[], least: number): number => scores.filter((one) => one >= least).length;
    const precision = (least: number): number => above(positives, least) / (above(positives, least) + above(negatives, least));
    measures.push({
      rocAuc: positives.reduce((sum, one) => sum + negatives.filter((other) => other < one).length, 0) / (positives.length * negatives.length),
      averagePrecision: positives.reduce((sum, one) => sum + precision(one), 0) / positives.length,
    });
  }
  return measures;
}

const near = (found: number, wanted: number): void => assert.ok(Math.abs(found - wanted) < 1e-9, `expected ${wanted}, found ${found}`);

test('evaluate --suite spurious: both areas of each class and their means', async () => {
  const { status, stdout, stderr } = evaluate('--json');
  assert.is(status, 0, stderr);
  assert.match(stderr, /Spurious ImageNet 100%  12\/12/);
  const result = lastLine(stdout);
  assert.equal([result.command, result.suite, result.teacher], ['evaluate', 'spurious', null]);
  assert.equal(result.classes.map(({ name, label, validationImages, spuriousImages }: any) => [name, label, validationImages, spuriousImages]), [
    ['boat_class_554_feature_component_0', 554, 2, 3], ['gull_class_146_feature_component_3', 146, 3, 4],
  ]);
  const [gull, boat] = await expected(weights);
  for (const [found, wanted] of [[result.classes[0], boat!], [result.classes[1], gull!]]) {
    near(found.rocAuc, wanted.rocAuc);
    near(found.averagePrecision, wanted.averagePrecision);
  }
  near(result.averagePrecision, (gull!.averagePrecision + boat!.averagePrecision) / 2);
  near(result.rocAuc, (gull!.rocAuc + boat!.rocAuc) / 2);
  near(result.chance, (2 / 5 + 3 / 7) / 2);
  assert.equal(result.notes.length, 3); // two classes, and other numbers of images of both kinds
});

test('the teacher of the config beside it, for people; kept with --results and used again', async () => {
  const results = join(root, 'results/spurious.json');
  const withTeacher = ['--set', `teacher.weights=${join(root, 'teacher.safetensors')}`, '--results', results];
  const first = evaluate('--quiet', ...withTeacher);
  assert.is(first.status, 0, first.stderr);
  const mean = (measures: { averagePrecision: number }[]): string => (measures.reduce((sum, one) => sum + one.averagePrecision, 0) / measures.length).toFixed(3);
  assert.match(first.stdout, new RegExp(`^these weights +${mean(await expected(weights))} `, 'm'));
  assert.match(first.stdout, new RegExp(`^teacher +${mean(await expected(join(root, 'teacher.safetensors')))} `, 'm'));
  assert.match(first.stdout, /^Classes +AP +teacher +ROC AUC +val % +spur\. % +images$/m);
  assert.match(first.stdout, /^note: Spurious ImageNet: 2 classes instead of the published 100\.$/m);
  const again = evaluate(...withTeacher);
  assert.is(again.stdout, first.stdout);
  assert.is(again.stderr, ''); // nothing was left to do
  const without = evaluate('--quiet', '--results', results);
  assert.is(without.status, 2);
  assert.match(without.stderr, /error \(usage\): .*spurious\.json: expected results of these weights and sets, found those of others/);
});

test('weights that do not say what they are: the network of student, at spurious.imageSize', () => {
  const foreign = text(join(root, 'foreign.safetensors'), encodeSafetensors(readSafetensors(weights).tensors));
  const { architecture, mean, std } = classifierSpec;
  const described = text(join(root, 'foreign.yaml'), JSON.stringify({ precision: 'fp32', student: { architecture, mean, std }, spurious: { root: 'spurious_imagenet', imageNet: 'imagenet', imageSize: side } }));
  const run = (path: string) => cli(['evaluate', '--suite', 'spurious', '--config', described, '--weights', path, '--device', 'cpu', '--threads', '1', '--quiet', '--json']);
  assert.is(run(foreign).stdout, evaluate('--quiet', '--json').stdout);
  const { tensors } = readSafetensors(weights);
  const head = Object.keys(tensors).filter((name) => tensors[name]!.shape[0] === 1000);
  assert.is(head.length, 2);
  for (const name of head) {
    const { dtype, shape, values } = tensors[name]!;
    tensors[name] = { dtype, shape: [10, ...shape.slice(1)], values: values.slice(0, (values.length / 1000) * 10) };
  }
  const ten = run(text(join(root, 'ten.safetensors'), encodeSafetensors(tensors)));
  assert.is(ten.status, 1);
  assert.match(ten.stderr, /error \(weights\): .*ten\.safetensors: the weights do not fit the model\.\n(.*\n)*.*expected Float \[1000\], found Float \[10\]\nChoose the architecture, sizes and number of classes/);
});

test('errors: no folder, a reference, a classifier of other classes', async () => {
  const none = cli(['evaluate', '--suite', 'spurious', '--weights', weights, '--device', 'cpu']);
  assert.is(none.status, 2);
  assert.match(none.stderr, /error \(config\): spurious\.root: expected the folder of Spurious ImageNet, found none/);
  const reference = evaluate('--reference', weights);
  assert.is(reference.status, 2);
  assert.match(reference.stderr, /--reference: expected --suite corruptions beside it, found --suite spurious\.\nThe teacher of the config is measured/);
  const missing = evaluate('--set', `spurious.imageNet=${join(root, 'nowhere')}`);
  assert.is(missing.status, 1);
  assert.match(missing.stderr, /error \(data\): .*nowhere: expected folders named by WordNet id, such as n01440764, found nothing at this path\nCheck spurious\.imageNet\./);
  const engine = await openEngine({ on: 'cpu' });
  const small = join(root, 'small.safetensors');
  using network = await Classifier.create(engine, classifierSpec, ['cat', 'dog'], 1);
  await network.save(small);
  const two = cli(['evaluate', '--suite', 'spurious', '--config', config, '--weights', small, '--device', 'cpu']);
  assert.is(two.status, 2);
  assert.match(two.stderr, /error \(config\): .*small\.safetensors: expected a classifier of the 1000 classes of ImageNet, found one of 2/);
  const teacher = evaluate('--set', `teacher.weights=${small}`);
  assert.is(teacher.status, 2);
  assert.match(teacher.stderr, /error \(config\): .*small\.safetensors: expected a classifier of the 1000 classes of ImageNet, found one of 2/);
});

test.run();
