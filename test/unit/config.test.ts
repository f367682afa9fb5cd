import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { namedArchitectures } from '../../lib/config/architectures.js';
import { applyOverrides, readConfigFile, resolveConfig } from '../../lib/config/load.js';
import { configSchema } from '../../lib/config/schema.js';
import { nearest } from '../../lib/config/suggest.js';
import { SparringError, type ErrorCode } from '../../lib/errors.js';
import { recipes, trainingOf } from '../../lib/methods/recipes.js';
// @ts-expect-error a plain script without types
import { configDocs } from '../../scripts/config-docs.mjs';

const folder = mkdtempSync(join(tmpdir(), 'sparring-config-'));
test.after(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** The error of `work`, which must have the given code. */
function failure(work: () => unknown, code: ErrorCode = 'config'): SparringError {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SparringError)) throw error;
    assert.is(error.code, code, error.message);
    return error;
  }
  throw new Error(`expected an error '${code}', but it succeeded`);
}

function complaint(tree: unknown): string {
  return failure(() => resolveConfig(tree, 'run.yaml')).message;
}

test('an empty config is the default run', () => {
  const config = resolveConfig({});
  assert.is(config.name, 'run');
  assert.is(config.output, undefined);
  assert.is(config.data.kind, 'birds');
  assert.equal(config.methods, ['edrm-longer', 'unguided', 'unguided-selected', 'config']);
  assert.equal([config.rounds.count, config.rounds.imagesPerRound, config.rounds.training.steps], [3, 300, 640]);
  const guidance = { kind: 'step', objective: { form: 'difference', gamma: 2, terms: 'both' }, scale: 0.1, from: 1, until: 0.4, schedule: 'constant', gradient: 'unet', latentPool: 1, cutouts: { count: 0, leastSide: 0.7, noise: 0 } };
  assert.equal(config.sampling.guidance, guidance);
  assert.equal(config.sampling.start, { kind: 'noise' });
  const { sampling } = resolveConfig({ sampling: { start: { kind: 'inversion' }, guidance: { kind: 'chain' } } });
  assert.equal(sampling.guidance, {
    kind: 'chain', objective: guidance.objective, cutouts: guidance.cutouts, lastPredictions: 1, predictionWeights: 'linear', iterations: 20, learningRate: 0.05,
    conditions: { moved: 'none', learningRate: 0.01 }, memoryBytes: 4 * 2 ** 30,
  });
  assert.equal(sampling.start, { kind: 'inversion', strength: 0.5, nullText: { iterations: 0, learningRate: 0.01 } });
  assert.equal(config.student.architecture, { family: 'cnn', width: 16, stages: 5 });
  assert.is(config.student.training.augment.flip, true);
});

test('the discretiser of small images gives one code for 4 x 4 pixels', () => {
  const { training, trainOn, ...discretiser } = resolveConfig({}).discretiser;
  assert.equal(discretiser, { blockChannels: [24, 32, 48], attention: [0, 0, 0], layersPerBlock: 1, normGroups: 8, numCodes: 512, codeChannels: 8, perceptualWeight: 0.3, adversarialWeight: 0.1, adversarialFrom: 1000 });
  assert.equal([training.steps, training.learningRate, training.emaDecay, trainOn], [1500, 2e-3, 0.99, 'broad']);
  assert.is(resolveConfig({ discretiser: { pretrained: { path: 'x' } } }).discretiser.pretrained?.architecture, 'vq-f8');
  assert.match(complaint({ discretiser: { lpips: 'lpips.safetensors', perceptualWeight: 0 } }), /discretiser\.lpips: expected discretiser\.perceptualWeight above 0/);
  assert.match(complaint({ discretiser: { lpips: 'lpips.safetensors', weights: 'q.safetensors' } }), /discretiser\.lpips: expected a discretiser to train beside it, found one that is given/);
  assert.match(complaint({ discretiser: { numCodes: 0 } }), /discretiser\.numCodes: expected number to be >=1, found 0/);
});

test('a preset is written out, and what is given beside it stays', () => {
  const guidance = (sampling: object) => resolveConfig({ sampling }).sampling;
  assert.equal(guidance({ preset: 'exact' }), guidance({}));
  const turbo = guidance({ preset: 'turbo', guidance: { scale: 0.3, until: 0.2 } });
  assert.equal(turbo.guidance, { ...guidance({}).guidance, gradient: 'x0', latentPool: 2, until: 0.2, scale: 0.3 });
  assert.equal([turbo.sampler, turbo.steps], ['dpm-solver++-2m', guidance({}).steps]);
  assert.is(guidance({ preset: 'turbo', sampler: 'ddpm' }).sampler, 'ddpm');
  const latents = (sampling: object) => resolveConfig({ generator: { pretrained: { path: 'x' } }, sampling }).sampling;
  const pool = (preset: string, guidance: object) => (latents({ preset, guidance }).guidance as { latentPool: number }).latentPool;
  assert.equal([pool('turbo', {}), pool('turbo', { decoder: 'taesd' }), pool('fast', { decoder: 'taesd' }), pool('turbo', { decoder: 'taesd', latentPool: 4 })], [2, 1, 1, 4]);
  assert.is(latents({ preset: 'turbo', start: { kind: 'inversion', strength: 0.5 } }).sampler, 'ddim');
  assert.is(latents({ preset: 'turbo', eta: 0.5 }).sampler, 'ddim');
  assert.match(complaint({ sampling: { preset: 'fast', guidance: 3 } }), /sampling\.guidance: expected .*found 3/);
  assert.is((guidance({ preset: 'fast' }).guidance as { until: number }).until, 0.5);
  assert.match(complaint({ sampling: { preset: 'turob' } }), /sampling\.preset: expected one of exact, fast, turbo, found "turob"/);
  assert.match(complaint({ sampling: { preset: 'fast', guidance: { kind: 'chain' } } }), /sampling\.preset: expected guidance of kind step, found "chain"/);
});

test('a resolved config resolves to itself', () => {
  const config = resolveConfig({ data: { kind: 'folder', root: 'x' } });
  assert.equal(resolveConfig(structuredClone(config)), config);
});

test('what is given stays, its neighbours get their defaults', () => {
  const { training } = resolveConfig({ teacher: { training: { steps: 7 } } }).teacher;
  assert.is(training.steps, 7);
  assert.is(training.learningRate, 2e-3);
  assert.is(training.emaDecay, 0.99);
});

test('an unknown key is named with its path, and the key that was meant', () => {
  const error = failure(() => resolveConfig({ rounds: { cuont: 3 } }, 'run.yaml'));
  assert.is(error.message, "run.yaml: unknown key 'rounds.cuont'.");
  assert.is(error.hint, "Did you mean 'count'?");
  assert.is(failure(() => resolveConfig({ data: { kind: 'folder', root: 'x', imageSise: 32 } })).hint, "Did you mean 'imageSize'?");
  assert.is(failure(() => resolveConfig({ xyzzy: 1 })).hint, 'See docs/config.md for the keys.');
});

test('a key of another kind is not suggested to itself', () => {
  const error = failure(() => resolveConfig({ sampling: { guidance: { kind: 'chain', scale: 1 } } }));
  assert.is(error.hint, "Another kind of 'sampling.guidance' has it; see docs/config.md.");
});

test('a wrong value: path, expected and found', () => {
  const cases: [unknown, string][] = [
    [{ seed: 'a' }, 'seed: expected number, found "a".'],
    [{ seed: 1.5 }, 'seed: expected int, found 1.5.'],
    [{ seed: -1 }, 'seed: expected number to be >=0, found -1.'],
    [{ rounds: 3 }, 'rounds: expected object, found 3.'],
    [{ rounds: { teacherProbability: 1.5 } }, 'rounds.teacherProbability: expected number to be <=1, found 1.5.'],
    [{ student: { training: { learningRate: 0 } } }, 'student.training.learningRate: expected number to be >0, found 0.'],
    [{ sampling: { guidance: { kind: 'step', objective: { form: 'x' } } } }, 'sampling.guidance.objective.form: expected one of difference, power_max, power_min, log, found "x".'],
    [{ sampling: { guidance: { kind: 'step', objective: { terms: 'none' } } } }, 'sampling.guidance.objective.terms: expected one of both, teacher, student, found "none".'],
    [{ sampling: { start: { kind: 'image', strength: 0 } } }, 'sampling.start.strength: expected number to be >0, found 0.'],
    [{ sampling: { start: { kind: 'images' } } }, 'sampling.start.kind: expected one of noise, image, inversion, found "images".'],
    [{ data: { kind: 'bird' } }, 'data.kind: expected one of birds, spuco-mnist, folder, celeba, waterbirds, spuco-birds, spuco-dogs, spuco-animals, manifest, webdataset, imagenet, found "bird".'],
    [{ data: { kind: 'birds', imageSize: 48 } }, 'data.imageSize: expected one of 32, 64, found 48.'],
    [{ data: { kind: 'folder' } }, 'data.root: expected string, found nothing.'],
    [{ generator: { attention: [0, 0, 2] } }, 'generator.attention.2: expected one of 0, 1, found 2.'],
    [{ methods: ['edrm'] }, 'methods.0: expected one of edrm-longer, erm, kd, kd-randaugment, dist, ard, rslad, adversarial, dat, dad-labels, dad-sample, dad-noise, dad-generator, dad, dad-code, dad-online, dat-dad, mixup, cutmix, randaugment, augmix, pixmix, jtt, tab, groupdro, dfr, unguided, unguided-selected, sdedit, da-fusion, distdiff, gap, actgen, teacher-only, student-only, config, config-dad, config-tab, found "edrm".'],
    [{ device: 'gpu' }, 'device: expected auto, cpu, cuda or cuda:<n>, found "gpu".'],
    [{ sampling: { steps: 1001 } }, 'sampling.steps: expected number to be <=1000, found 1001.'],
    [7, 'expected object, found 7.'],
  ];
  for (const [tree, expected] of cases) assert.is(complaint(tree), `run.yaml: ${expected}`);
});

test('of several mistakes the first is told, and how many more there are', () => {
  assert.match(complaint({ seed: 'a', seeds: 0 }), /^run.yaml: seed: expected number, found "a"\. \(and 1 more\)$/);
});

test('what no single field can know is checked too', () => {
  const cases: [unknown, RegExp][] = [
    [{ generator: { attention: [0, 1] } }, /generator\.attention: expected 3 entries, one per level, found 2/],
    [{ generator: { normGroups: 7 } }, /generator\.normGroups: 7 does not divide 32 channels/],
    [{ generator: { headDim: 40 } }, /generator\.headDim: 40 does not divide 96 channels/],
    [{ generator: { headDim: 40, attention: [0, 0, 0] } }, /generator\.headDim: 40 does not divide 96 channels/],
    [{ generator: { headDim: 24, attention: [0, 1, 1] } }, /generator\.headDim: 24 does not divide 64 channels/],
    [{ data: { kind: 'folder', root: 'x', imageSize: 30 } }, /generator\.blockChannels: 3 levels need an image size divisible by 4, found 30/],
    [{ data: { kind: 'spuco-mnist', root: 'x' }, generator: { blockChannels: [8, 8, 8, 8], attention: [0, 0, 0, 0] } }, /divisible by 8, found 28/],
    [{ student: { architecture: { family: 'vit', dim: 10, heads: 3 } } }, /student\.architecture: 3 heads do not divide 10 channels/],
    [{ data: { kind: 'spuco-mnist', root: 'x' }, student: { architecture: 'vit_small_patch16' } }, /student\.architecture: patches of 16 px do not divide images of 28 px/],
    [{ student: { architecture: { family: 'vit', distilled: true, pool: 'average' } } }, /student\.architecture: a distilled transformer/],
    [{ teacher: { architecture: { family: 'tiny-vit', depths: [1, 1] } } }, /teacher\.architecture: expected as many depths as dims, found 2 and 4/],
    [{ teacher: { architecture: { family: 'tiny-vit', windows: [7, 7] } } }, /teacher\.architecture: expected heads and windows for the 3 stages after the first, found 3 and 2/],
    [{ teacher: { architecture: { family: 'tiny-vit', heads: [4, 3, 10] } } }, /teacher\.architecture: 3 heads do not divide 160 channels/],
    [{ teacher: { architecture: { family: 'convnext', depths: [1, 1] } } }, /teacher\.architecture: expected as many dims as depths, found 4 and 2/],
    [{ data: { kind: 'spuco-mnist', root: 'x' }, teacher: { architecture: 'convnext_tiny' } }, /teacher\.architecture: 4 stages need images of at least 32 px, found 28/],
    [{ teacher: { weights: 'a', zeroShot: { clip: 'b' } } }, /teacher: expected zeroShot, weights or start, found two of them/],
    [{ generator: { weights: 'a', start: 'b' } }, /generator: expected weights or start, found both/],
    [{ name: '..' }, /name: expected letters, digits, \. _ -, and not \. or \.\. alone, found "\.\."/],
    [{ methods: ['erm', 'erm'] }, /methods: expected each row once, found \["erm","erm"\]/],
    [{ rounds: { replay: 1 } }, /rounds\.replay: 1 of 64 images leaves no real one in a batch/],
    [{ sampling: { start: { kind: 'image', strength: 0.05 }, guidance: { kind: 'step', until: 0 } } }, /sampling\.start\.strength: a strength of 0\.05 takes none of 10 steps/],
    [{ sampling: { start: { kind: 'inversion' }, sampler: 'euler' } }, /sampling\.start: expected sampling\.sampler ddim with eta 0 for inversion, found euler\./],
    [{ sampling: { start: { kind: 'inversion' }, eta: 0.5 } }, /for inversion, found ddim with eta 0\.5/],
    [{ sampling: { start: { kind: 'inversion', nullText: { iterations: 10 } } } }, /sampling\.start\.nullText: expected a sampling\.guidanceScale other than 1, found 1/],
    [{ sampling: { guidance: { kind: 'chain', conditions: { moved: 'both' } } } }, /sampling\.guidance\.conditions\.moved: expected none or class with sampling\.guidanceScale 1, found both/],
    [{ sampling: { guidance: { kind: 'chain', lastPredictions: 11 } } }, /sampling\.guidance\.lastPredictions: expected at most 10, the steps that are taken, found 11/],
    [{ sampling: { start: { kind: 'image' }, guidance: { kind: 'chain', lastPredictions: 6 } } }, /expected at most 5, the steps that are taken, found 6/],
    [{ sampling: { guidance: { kind: 'chain' }, sampler: 'dpm-solver++-2m' } }, /sampling\.sampler: expected ddim, ddpm or euler for guidance through the chain/],
    [{ sampling: { guidance: { decoder: 'taesd.safetensors' } } }, /sampling\.guidance\.kind/],
    [{ sampling: { guidance: { kind: 'step', decoder: 'taesd.safetensors' } } }, /sampling\.guidance\.decoder: expected generator\.pretrained beside it, found none/],
    [{ methods: ['distdiff'], sampling: { steps: 1 } }, /methods: distdiff: a strength of 0\.5 takes none of 1 steps/],
    [{ methods: ['config', 'sdedit'], sampling: { steps: 1 } }, /methods: sdedit: a strength of 0\.5 takes none of 1 steps/],
    [{ methods: ['da-fusion'], sampling: { steps: 3 } }, /methods: da-fusion: a strength of 0\.25 takes none of 3 steps/],
    [{ methods: ['dad-generator'], sampling: { steps: 3 } }, /dad\.generatorStrength: a strength of 0\.3 takes none of 3 steps/],
    [{ sampling: { start: { kind: 'image', strength: 0.3 } } }, /sampling\.guidance\.until: expected at most 0\.3, where runs from images begin, found 0\.4/],
    [{ sampling: { guidance: { kind: 'step', from: 0.3 } } }, /sampling\.guidance\.until: expected at most 0\.3, the value of from, found 0\.4/],
  ];
  for (const [tree, expected] of cases) assert.match(complaint(tree), expected);
});

test('views are mixed in classifiers alone, and no image twice', () => {
  const both = { cutMix: 0.6, mixUp: 0.5 };
  for (const config of [{ teacher: { training: { mixing: both } } }, { rounds: { training: { mixing: both } } }]) {
    assert.match(failure(() => resolveConfig(config)).message, /training\.mixing: expected cutMix and mixUp to sum to at most 1/);
  }
  assert.is(failure(() => resolveConfig({ generator: { training: { mixing: both } } })).message, "config: unknown key 'generator.training.mixing'.");
});

test('a policy changes the views of classifiers alone, and by default none does', () => {
  const { teacher, student, rounds } = resolveConfig({});
  assert.equal([teacher, student, rounds].map(({ training }) => training.augment.policy), ['none', 'none', 'none']);
  assert.match(complaint({ student: { training: { augment: { policy: 'cutout' } } } }), /augment\.policy: expected one of none, randaugment, augmix, pixmix, found "cutout"/);
  assert.is(failure(() => resolveConfig({ generator: { training: { augment: { policy: 'augmix' } } } })).message, "config: unknown key 'generator.training.augment.policy'.");
});

test('a row has its own views, what else trains it stays', () => {
  const { training } = resolveConfig({ rounds: { training: { mixing: { cutMix: 0.5 }, augment: { policy: 'augmix', hue: 0.2 } } } }).rounds;
  assert.equal(trainingOf(recipes['edrm-longer'], training), training);
  assert.equal(trainingOf(recipes.mixup, training), { ...training, mixing: { cutMix: 0, mixUp: 1 } });
  assert.equal(trainingOf(recipes.pixmix, training), { ...training, augment: { ...training.augment, policy: 'pixmix' } });
});

test('a level without attention may have any channels', () => {
  assert.is(resolveConfig({ generator: { headDim: 48 } }).generator.headDim, 48);
});

test('with ready weights the shape of the generator comes from the file and is not checked', () => {
  assert.is(resolveConfig({ generator: { weights: 'g.safetensors', attention: [0] } }).generator.attention.length, 1);
});

test('--set: values are YAML, sections are made where they are missing', () => {
  const tree = applyOverrides({ rounds: { count: 9 }, name: 'x' }, ['rounds.count=3', 'a.b.c=true', 'list=[1, 2]', 'rate=1e-3', 'text=two words', 'equals=a=b', 'empty=', 'name="7"']);
  assert.equal(tree, { rounds: { count: 3 }, name: '7', a: { b: { c: true } }, list: [1, 2], rate: 1e-3, text: 'two words', equals: 'a=b', empty: null });
});

test('--set leaves the given tree alone, and the last of two wins', () => {
  const tree = { rounds: { count: 9 } };
  assert.equal(applyOverrides(tree, ['rounds.count=3', 'rounds.count=4']), { rounds: { count: 4 } });
  assert.equal(tree, { rounds: { count: 9 } });
});

test('--set in a form that means nothing', () => {
  for (const override of ['rounds.count', '=3', 'a..b=1', '.a=1', '__proto__.x=1', 'a.__proto__=1']) {
    assert.is(failure(() => applyOverrides({}, [override]), 'usage').message, `--set ${override}: expected path.to.key=value.`);
  }
  assert.match(failure(() => applyOverrides({ name: 'x' }, ['name.b=1']), 'usage').message, /--set name\.b=1: name is not a section/);
  assert.match(failure(() => applyOverrides({ list: [1] }, ['list.0=1']), 'usage').message, /list is not a section/);
  for (const override of ['a=[1', 'a=@x', 'a=b: c: d']) assert.match(failure(() => applyOverrides({}, [override]), 'usage').message, /the value is not valid YAML/);
  assert.is(({} as { x?: number }).x, undefined, 'Object.prototype is untouched');
});

test('relative paths in a file start at its folder, all others stay', () => {
  const path = file('configs/run.yaml', 'data: { kind: folder, root: ../photos }\nteacher: { weights: t.safetensors }\ngenerator: { weights: /abs/g.safetensors }\noutput: runs/x\n');
  const tree = readConfigFile(path) as any;
  assert.is(tree.data.root, join(folder, 'photos'));
  assert.is(tree.teacher.weights, join(folder, 'configs/t.safetensors'));
  assert.is(tree.generator.weights, '/abs/g.safetensors');
  assert.is(tree.output, 'runs/x');
  assert.is((applyOverrides(tree, ['data.root=elsewhere']) as any).data.root, 'elsewhere');
});

test('the prompt of a published generator has a place for the class, the caption, or both', () => {
  const section = (prompt: string) => ({ generator: { pretrained: { path: 'x', prompt } } });
  for (const prompt of ['a {}', '{caption}', 'a {}, {caption}']) assert.is(resolveConfig(section(prompt)).generator.pretrained!.prompt, prompt);
  for (const prompt of ['a photo', '{captions}']) assert.match(complaint(section(prompt)), /generator\.pretrained\.prompt: expected a text with \{\} or \{caption\}/);
});

test('a zero-shot teacher: its path starts at the folder, prompts have a place for the class, its architecture is its own', () => {
  const path = file('configs/clip.yaml', 'teacher: { zeroShot: { clip: models/clip } }\n');
  assert.is((readConfigFile(path) as any).teacher.zeroShot.clip, join(folder, 'configs/models/clip'));
  const { zeroShot } = resolveConfig({ data: { kind: 'folder', root: 'x', imageSize: 20 }, teacher: { architecture: 'vit_small_patch16', zeroShot: { clip: 'x' } } }).teacher;
  assert.equal(zeroShot, { clip: 'x', prompts: ['a photo of a {}.'], names: {}, tune: 'none' });
  assert.match(complaint({ teacher: { zeroShot: { clip: 'x', prompts: ['a photo'] } } }), /teacher\.zeroShot\.prompts\.0: .*found "a photo"/);
  assert.match(complaint({ teacher: { zeroShot: {} } }), /teacher\.zeroShot\.clip: expected string/);
});

test('discrete adversaries: the attack of the paper is the default, the paths of a discretiser start at the folder', () => {
  const { dad, discretiser } = resolveConfig({});
  assert.equal(dad.attack, { variant: 'adversarial', norm: 'l2', epsilon: 0.1, stepSize: 0.1, steps: 1, randomStart: 0 });
  assert.equal([discretiser.weights, discretiser.pretrained], [undefined, undefined]);
  assert.equal(dad.stores, []);
  const path = file('configs/dad.yaml', 'discretiser: { weights: q.safetensors, lpips: lpips.safetensors, pretrained: { path: vq } }\ndad: { stores: [one, /abs/two] }\n');
  const tree = readConfigFile(path) as any;
  assert.equal([tree.discretiser.weights, tree.discretiser.lpips, tree.discretiser.pretrained.path], ['q.safetensors', 'lpips.safetensors', 'vq'].map((name) => join(folder, 'configs', name)));
  assert.equal(tree.dad.stores, [join(folder, 'configs/one'), '/abs/two']);
  assert.match(complaint({ dad: { attack: { variant: 'noise' } } }), /dad\.attack\.variant: expected one of adversarial, noise-only, sample-only, found "noise"/);
});

test('a config file may be JSON, or empty', () => {
  assert.equal(readConfigFile(file('run.json', '{"seed": 3}')), { seed: 3 });
  assert.equal(readConfigFile(file('empty.yaml', '# nothing\n')), {});
});

test('a config file that is missing, broken or not a mapping', () => {
  assert.match(failure(() => readConfigFile(join(folder, 'none.yaml'))).message, /none\.yaml: cannot be read \(ENOENT\)/);
  assert.match(failure(() => readConfigFile(folder)).message, /cannot be read \(EISDIR\)/);
  const broken = failure(() => readConfigFile(file('broken.yaml', 'a: [1, 2\nb: 3\n')));
  assert.match(broken.message, /broken\.yaml: not valid YAML or JSON: .* at line 2/);
  assert.match(failure(() => readConfigFile(file('list.yaml', '- 1\n'))).message, /expected keys and values, found a list/);
  assert.match(failure(() => readConfigFile(file('text.yaml', 'hello\n'))).message, /expected keys and values, found string/);
});

test('an architecture may be given by its name', () => {
  for (const name of Object.keys(namedArchitectures)) resolveConfig({ data: { kind: 'folder', root: 'x', imageSize: 224 }, student: { architecture: name } });
  const { teacher, student } = resolveConfig({ teacher: { architecture: 'resnet50' }, student: { architecture: 'vit_tiny_patch16' } });
  assert.equal(teacher.architecture, { family: 'resnet', layers: [3, 4, 6, 3], width: 64, bottleneck: true, stem: 'imagenet' });
  assert.equal([student.architecture.family, (student.architecture as { dim: number }).dim], ['vit', 192]);
  const error = failure(() => resolveConfig({ student: { architecture: 'resnet_18' } }, 'run.yaml'));
  assert.match(error.message, "run.yaml: student.architecture: expected a family with its options or one of resnet18,");
  assert.match(error.message, "found 'resnet_18'");
  assert.is(error.hint, "Did you mean 'resnet18'?");
});

test('nearest word', () => {
  assert.is(nearest('studnet', ['teacher', 'student']), 'student');
  assert.is(nearest('LearningRate', ['learningRate']), 'learningRate');
  assert.is(nearest('xyzzy', ['teacher', 'student']), undefined);
  assert.is(nearest('a', []), undefined);
});

test('the example configs are valid', () => {
  for (const name of ['spuco-mnist', 'folder', 'celeba', 'stable-diffusion']) resolveConfig(readConfigFile(new URL(`../../examples/${name}.yaml`, import.meta.url).pathname), name);
});

test('docs/config.md is what scripts/config-docs.mjs makes of the schema', () => {
  const written = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
  assert.is(written, configDocs(configSchema.toJSONSchema({ io: 'input', unrepresentable: 'any' }), Object.keys(namedArchitectures)), 'run `npm run build && node scripts/config-docs.mjs`');
});

test.run();
