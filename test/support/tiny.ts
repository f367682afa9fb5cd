/** An engine in fp32, and networks small enough that a test takes milliseconds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';

import { pixelGenerator } from '../../lib/config/generators.js';
import { stream } from '../../lib/data/random.js';
import { SparringError, type ErrorCode } from '../../lib/errors.js';
import type { ChainGuidance, ClassifierSpec, Cutouts, DenoiserSpec, GenerateOptions, GradientPath, TrainerOptions } from '../../lib/native/contract.js';
import { Engine } from '../../lib/native/engine.js';
import { Classifier, Generator } from '../../lib/native/models.js';
import type { Batch } from '../../lib/training/trainer.js';

export const size = 16;
export const pixels = 3 * size * size;
export const classes = ['dark', 'bright'];

/** Where the tests of the core run; those that are about the CPU name it themselves. */
export const device = process.env.SPARRING_TEST_DEVICE ?? 'cpu';

/** The exact gradient of step guidance, on whole images. */
export const exact: GradientPath & { cutouts: Cutouts } = { gradient: 'unet', latentPool: 1, cutouts: { count: 0, leastSide: 0.7, noise: 0 } };

/** Guidance through the chain as it is by default, briefly: the noise is moved, and the image that comes out is judged, whole. */
export const plainChain: ChainGuidance = {
  kind: 'chain', objective: { form: 'difference', gamma: 1, terms: 'both' }, cutouts: exact.cutouts, lastPredictions: 1, predictionWeights: 'linear',
  iterations: 3, learningRate: 0.05, conditions: { moved: 'none', learningRate: 0.01 }, memoryBytes: 2 ** 30,
};

/** One thread: for networks this small, waking more costs more than it gives, above all on a busy machine. `auto` is the precision of a run that says none. */
export function openEngine({ threads = 1, on = device, precision = 'fp32' as 'auto' | 'fp32' } = {}): Promise<Engine> {
  return Engine.open({ device: on, threads, precision });
}

export const classifierSpec: ClassifierSpec = {
  architecture: { family: 'cnn', width: 4, stages: 2 },
  numClasses: 2,
  imageSize: size,
  mean: [0.5, 0.45, 0.4],
  std: [0.1, 0.15, 0.2],
};

export const denoiserSpec: DenoiserSpec = pixelGenerator({ blockChannels: [8, 16], attention: [0, 1], layersPerBlock: 1, normGroups: 4, headDim: 8 }, 2, size);

export function tinyClassifier(engine: Engine, seed: number, spec: Partial<ClassifierSpec> = {}): Promise<Classifier> {
  const { numClasses, ...rest } = { ...classifierSpec, ...spec };
  return Classifier.create(engine, { ...rest, numClasses }, numClasses === classes.length ? classes : Array.from({ length: numClasses }, (_, i) => `class ${i}`), seed);
}

export function tinyGenerator(engine: Engine, seed: number): Promise<Generator> {
  return Generator.create(engine, denoiserSpec, classes, seed);
}

/** Of sampling options: a whole run. */
export const fromNoise = { start: { kind: 'noise' }, images: null } as const;

export function generateOptions(options: Partial<GenerateOptions> = {}): GenerateOptions {
  return {
    classes: [0, 1, 0, 1, 0, 1, 0, 1],
    seeds: [11, 12, 13, 14, 15, 16, 17, 18],
    steps: 5,
    sampler: 'ddim',
    eta: 0,
    guidanceScale: 1,
    precision: 'fp32',
    ...fromNoise,
    batchSize: 8,
    guidance: { kind: 'none' },
    compareGradients: false,
    ...options,
  };
}

export function trainerOptions(options: Partial<TrainerOptions> = {}): TrainerOptions {
  return {
    optimizer: { kind: 'adamw', beta1: 0.9, beta2: 0.999, momentum: 0.9, weightDecay: 0.01 },
    clipNorm: 0,
    emaDecay: 0,
    precision: 'fp32',
    seed: 0,
    augment: noAugmentation,
    ...options,
  };
}

export const noAugmentation = { flip: false, cropPadding: 0, zoom: 0, brightness: 0, contrast: 0, saturation: 0, hue: 0 };
export const fullAugmentation = { flip: true, cropPadding: 2, zoom: 0.1, brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05 };

/** Noisy images whose brightness tells their class. */
export function batch(seed: number, count = 16): Batch {
  const random = stream(seed, 'batch');
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  const images = Uint8Array.from({ length: count * pixels }, (_, i) => 60 + 60 * labels[Math.floor(i / pixels)] + random.integer(80));
  return { images, labels };
}

/** Uniformly random 8-bit images, [count, size, size, 3]. */
export function randomImages(seed: number, count: number): Uint8Array {
  const random = stream(seed, 'images');
  return Uint8Array.from({ length: count * pixels }, () => random.integer(256));
}

/** One image of -1..1, [3, side, side], in 8 bits, [side, side, 3]. */
export function toPixels(image: Float32Array): Uint8Array {
  const plane = image.length / 3;
  return Uint8Array.from(image, (_, at) => Math.min(255, Math.max(0, Math.round((image[(at % 3) * plane + Math.floor(at / 3)] + 1) * 127.5))));
}

/** At most one 8-bit level apart, and that in few pixels only: what fp32 rounding may do. */
export function assertSameImages(found: Uint8Array, expected: Uint8Array, message: string): void {
  assert.is(found.length, expected.length);
  const differing = found.filter((value, i) => value !== expected[i]).length / found.length;
  const most = found.reduce((largest, value, i) => Math.max(largest, Math.abs(value - expected[i])), 0);
  assert.ok(most <= 1 && differing < 0.005, `${message}: up to ${most} levels, ${differing} of the pixels differ`);
}

/** A folder that the process removes when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sparring-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The SparringError that `work` fails with; it must have the given code. */
export async function failure(work: () => Promise<unknown>, code: ErrorCode): Promise<SparringError> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SparringError)) throw error;
    assert.is(error.code, code, `expected an error '${code}', found '${error.code}': ${error.message}`);
    return error;
  }
  throw new Error(`expected an error '${code}', but the work succeeded`);
}
