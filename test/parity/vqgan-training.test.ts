/** A step of the training of VQGAN against the same written with PyTorch's autograd: its losses, and the weights after it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import type { AutoencoderHandle, ClassifierSpec, StepResult, TrainerHandle } from '../../lib/native/contract.js';
import { Classifier } from '../../lib/native/models.js';
import { relativeError } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readGolden, readSafetensors, type Tensor } from '../support/safetensors.js';
import { device, openEngine, temporaryFolder, trainerOptions } from '../support/tiny.js';

interface Config {
  terms: Record<string, number>;
  perceptual_of_plain_network: number;
  rate: number;
  perceptual: number;
  adversarial: number;
}

const engine = await openEngine();
const { core } = engine;
const folder = temporaryFolder();
const { config, tensors: golden } = readGolden<Config>('vqgan_training');
const images = Uint8Array.from(golden['images']!.values);
const size = 16;
const normalisation = { imageSize: size, mean: [0.45, 0.45, 0.45], std: [0.25, 0.25, 0.25] } as const;

/** Number `number` of the tensors of a network with weights of the reference's formula. */
function wave({ shape, values }: Tensor, number: number, scale: number, isNorm: boolean): Tensor {
  const value = (i: number): number => Math.sin(i * 12.9898 + number);
  return { dtype: 'F32', shape, values: Float32Array.from(values, (_, i) => (isNorm ? 1 + 0.2 * value(i) : scale * value(i))) };
}

/** The trainer with the weights of the reference, and its state. */
async function goldenTrainer(teacher: Classifier): Promise<{ trainer: TrainerHandle<AutoencoderHandle>; before: Record<string, Tensor> }> {
  const shape = { blockChannels: [8, 16], attention: [0, 1], layersPerBlock: 2, normGroups: 4, latentChannels: 6 } as const;
  const vqgan = await core.createAutoencoder({ kind: 'vqgan', ...shape, numCodes: 200, codeChannels: 4, device, seed: 0 });
  await core.loadWeights(vqgan, goldenPath('vqgan'), { newHead: false });
  const sgd = { kind: 'sgd', beta1: 0, beta2: 0, momentum: 0, weightDecay: 0 } as const;
  const trainer = await core.createAutoencoderTrainer(vqgan, teacher.handle, {
    ...trainerOptions({ optimizer: sgd }), size, perceptualWeight: config.perceptual, adversarialWeight: config.adversarial, adversarialFrom: 0,
  });
  const before = await stateOf(trainer);
  const judge = Object.keys(before).filter((name) => name.startsWith('discriminator.model.'));
  assert.is(judge.length, 10);
  inOrder(judge).forEach((name, number) => (before[name] = wave(before[name]!, number, 0.05, /\.[36]\.weight$/.test(name))));
  before['codebook.unused_steps']!.values.fill(0); // or the codes that the batch does not use would get new places
  const path = join(folder, 'begin.safetensors');
  writeFileSync(path, encodeSafetensors(before));
  await core.loadTrainer(trainer, path);
  return { trainer, before };
}

/** By layer, weights before biases, as PyTorch lists them. */
function inOrder(names: string[]): string[] {
  const key = (name: string): number => Number(/\.(\d+)\./.exec(name)![1]) + (name.endsWith('bias') ? 0.5 : 0);
  return [...names].sort((a, b) => key(a) - key(b));
}

async function stateOf(trainer: TrainerHandle<AutoencoderHandle>): Promise<Record<string, Tensor>> {
  const path = join(folder, 'state.safetensors');
  await core.saveTrainer(trainer, path);
  return readSafetensors(path).tensors;
}

const step = (trainer: TrainerHandle<AutoencoderHandle>): Promise<StepResult> => engine.run(() => core.trainStep(trainer, images, new Int32Array(3), { learningRate: config.rate, step: 0 }));

async function resnet(): Promise<Classifier> {
  const architecture = { family: 'resnet', layers: [1, 1, 1, 1], width: 4, bottleneck: false, stem: 'cifar' } as const;
  return Classifier.load(engine, goldenPath('resnet_cifar'), { spec: { ...normalisation, architecture, numClasses: 5 }, classes: ['a', 'b', 'c', 'd', 'e'] });
}

/** The plain network with weights of the formula. */
async function plain(): Promise<Classifier> {
  const spec: ClassifierSpec = { ...normalisation, architecture: { family: 'cnn', width: 4, stages: 2 }, numClasses: 2 };
  const path = join(folder, 'plain.safetensors');
  using random = await Classifier.create(engine, spec, ['a', 'b'], 0);
  await random.save(path);
  const { tensors } = readSafetensors(path);
  const learned = inOrder(Object.keys(tensors).filter((name) => /^features\.\d+\.(weight|bias)$/.test(name)));
  assert.is(learned.length, 6);
  learned.forEach((name, number) => (tensors[name] = wave(tensors[name]!, number, 0.3, /\.[14]\.weight$/.test(name))));
  writeFileSync(path, encodeSafetensors(tensors));
  return Classifier.load(engine, path, { spec, classes: ['a', 'b'] });
}

test('every loss, and the weights after a step of gradient descent', async () => {
  using teacher = await resnet();
  const { trainer, before } = await goldenTrainer(teacher);
  const { loss, terms } = await step(trainer);
  const found: Record<string, number> = { ...terms, loss };
  assert.equal(Object.keys(found).sort(), Object.keys(config.terms).sort());
  for (const [name, expected] of Object.entries(config.terms)) assert.ok(Math.abs(found[name]! / expected - 1) < 1e-4, `${name}: expected ${expected}, found ${found[name]}`);

  const after = await stateOf(trainer);
  const names = Object.keys(golden).filter((name) => name.startsWith('after.')).map((name) => name.slice('after.'.length));
  assert.is(names.length, 9);
  for (const name of names) {
    const moved = (values: ArrayLike<number>): number[] => Array.from(values, (value, i) => value - before[name]!.values[i]!);
    const error = relativeError(moved(after[name]!.values), moved(golden[`after.${name}`]!.values));
    assert.ok(error < 1e-3, `step of ${name}: off by ${error}`);
  }
});

test('the perceptual loss of the plain network', async () => {
  using teacher = await plain();
  const { terms } = await step((await goldenTrainer(teacher)).trainer);
  const expected = config.perceptual_of_plain_network;
  assert.ok(Math.abs(terms!.perceptual! / expected - 1) < 1e-4, `expected ${expected}, found ${terms!.perceptual}`);
});

test.run();
