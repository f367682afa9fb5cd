import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { wordNetIds } from '../../lib/data/ood/wordnet-ids.js';
import { Classifier } from '../../lib/native/models.js';
import { cli, lastLine } from '../support/cli.js';
import { image, Scratch, text } from '../support/dataset-trees.js';
import { classifierSpec, openEngine } from '../support/tiny.js';

const scratch = new Scratch();
test.after(() => scratch.remove());
const root = scratch.folder();
const weights = join(root, 'student.safetensors');
const config = text(join(root, 'run.yaml'), 'ood: { a: imagenet-a, v2: imagenetv2, imageSize: 32 }\n');
const evaluate = (...more: string[]) => cli(['evaluate', '--suite', 'ood', '--config', config, '--weights', weights, '--device', 'cpu', '--threads', '1', ...more]);

test.before(async () => {
  const engine = await openEngine({ on: 'cpu' });
  using network = await Classifier.create(engine, { ...classifierSpec, numClasses: 1000, imageSize: 16 }, wordNetIds, 1);
  await network.save(weights);
  for (const label of [6, 988]) await image(join(root, 'imagenet-a', wordNetIds[label]!, '0.jpg'), { width: 40, height: 30 });
  for (const label of ['0', '10', '9']) await image(join(root, 'imagenetv2', label, '0.jpeg'));
});

test('evaluate --suite ood: sets of the config, the rest skipped; also as JSON', () => {
  const plain = evaluate('--quiet');
  assert.is(plain.status, 0, plain.stderr);
  assert.is(plain.stderr, '');
  assert.match(plain.stdout, /^ImageNet-V2 +\d+\.\d +\d.* 3 +1,000\nImageNet-A +\d+\.\d .* 2 +200$/m);
  assert.match(plain.stdout, /^ImageNet-C is skipped: ood\.c is not set\.$/m);
  const { stdout, stderr } = evaluate('--json');
  assert.match(stderr, /ImageNet-A 100%  2\/2/);
  const result = lastLine(stdout);
  assert.equal([result.command, result.suite, result.corruption, result.skipped.length], ['evaluate', 'ood', null, 6]);
  assert.equal(result.sets.map(({ name, images }: { name: string; images: number }) => [name, images]), [['v2', 3], ['a', 2]]);
});

test('--results: kept, used again, and refused for other settings', () => {
  const results = join(root, 'results/ood.json');
  const first = evaluate('--json', '--quiet', '--results', results);
  assert.is(first.status, 0, first.stderr);
  assert.ok(existsSync(results));
  const again = evaluate('--json', '--results', results);
  assert.is(again.stdout, first.stdout);
  assert.is(again.stderr, ''); // nothing was left to do
  const more = evaluate('--json', '--results', results, '--set', `ood.sketch=${join(root, 'imagenet-a')}`);
  assert.is(lastLine(more.stdout).sets.length, 3);
  assert.match(more.stderr, /^ImageNet-Sketch 100%[^\n]*\n$/); // what joins is measured alone
  const other = evaluate('--quiet', '--results', results, '--set', 'ood.transform.kernel=bicubic');
  assert.is(other.status, 2);
  assert.match(other.stderr, /error \(usage\): .*ood\.json: expected results of these weights and sets, found those of others/);
  const alone = cli(['evaluate', '--weights', weights, '--results', results]);
  assert.is(alone.status, 2);
  assert.match(alone.stderr, /--results: expected --suite beside it/);
});

test('evaluate --suite corruptions: the test split of any data, relative to another classifier', async () => {
  const data = text(join(root, 'birds.yaml'), 'data: { kind: birds, test: 8 }\n');
  const engine = await openEngine({ on: 'cpu' });
  const paths = [];
  for (const [seed, name] of ['student', 'erm'].entries()) {
    using network = await Classifier.create(engine, { ...classifierSpec, imageSize: 32 }, ['landbird', 'waterbird'], seed);
    await network.save((paths[seed] = join(root, `${name}-birds.safetensors`)));
  }
  const [student, erm] = paths as [string, string];
  const run = (...more: string[]) => cli(['evaluate', '--suite', 'corruptions', '--config', data, '--weights', student, '--device', 'cpu', '--threads', '1', ...more]);
  const results = join(root, 'birds.json');
  const { status, stdout, stderr } = run('--reference', erm, '--json', '--quiet', '--results', results);
  assert.is(status, 0, stderr);
  const { suite, corruptions, missing, meanAccuracy, reference } = lastLine(stdout);
  assert.equal([suite, corruptions.length, missing, Object.keys(reference.bySeverity).length], ['corruptions', 15, [], 15]);
  assert.ok(corruptions.every(({ error, corruptionError, name }: any) => {
    const other = reference.bySeverity[name].reduce((sum: number, one: number) => sum + one, 0) / 5;
    return other === 0 ? corruptionError === null : Math.abs(corruptionError - (100 * error) / other) < 1e-9;
  }));
  assert.ok(meanAccuracy >= 0 && meanAccuracy <= 1);
  const printed = run('--reference', erm, '--results', results);
  assert.is(printed.stderr, ''); // all of it is known
  assert.match(printed.stdout, /^Corruption +Error % +CE  by severity\n  gaussian_noise +\d+\.\d/);
  assert.match(printed.stdout, /^error without corruption \d+\.\d %, of the reference \d+\.\d %$/m);
  assert.match(run('--results', results).stderr, /error \(usage\): .*found those of others/);
});

test('errors: an unknown suite, no set, a folder that is not there, a classifier of other classes', async () => {
  const unknown = cli(['evaluate', '--suite', 'odd', '--weights', weights]);
  assert.is(unknown.status, 2);
  assert.match(unknown.stderr, /Invalid values:/);
  const reference = evaluate('--reference', weights);
  assert.is(reference.status, 2);
  assert.match(reference.stderr, /--reference: expected --suite corruptions beside it, found --suite ood/);
  const none = cli(['evaluate', '--suite', 'ood', '--weights', weights, '--device', 'cpu']);
  assert.is(none.status, 2);
  assert.match(none.stderr, /error \(config\): ood: expected the folder of at least one set, found none/);
  const missing = evaluate('--set', `ood.r=${join(root, 'nowhere')}`);
  assert.is(missing.status, 1);
  assert.match(missing.stderr, /error \(data\): .*nowhere: expected folders named by WordNet id, such as n01443537, found nothing at this path\nCheck ood\.r\./);
  const engine = await openEngine({ on: 'cpu' });
  using small = await Classifier.create(engine, classifierSpec, ['cat', 'dog'], 1);
  await small.save(join(root, 'small.safetensors'));
  const two = cli(['evaluate', '--suite', 'ood', '--config', config, '--weights', join(root, 'small.safetensors'), '--device', 'cpu']);
  assert.is(two.status, 2);
  assert.match(two.stderr, /error \(config\): .*small\.safetensors: expected a classifier of the 1000 classes of ImageNet, found one of 2/);
});

test.run();
