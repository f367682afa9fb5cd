/** The configuration of a run: every field with its unit and default. The resolved form is saved with each run. */
import { z } from 'zod';

import { difficulties } from '../data/spuco-mnist.js';
import { methods } from '../report/rows.js';

const count = z.int().min(1);
const fraction = z.number().min(0).max(1);
const triple = z.tuple([z.number(), z.number(), z.number()]);

const augment = z
  .strictObject({
    flip: z.boolean().default(true).describe('mirror left-right with probability 1/2'),
    cropPadding: z.int().min(0).default(2).describe('pixels of reflect-padded random shift'),
    brightness: z.number().min(0).max(1).default(0).describe('jitter factor drawn from 1 - b .. 1 + b'),
    contrast: z.number().min(0).max(1).default(0),
    saturation: z.number().min(0).max(1).default(0),
  })
  .prefault({});

/** How a network is trained; `steps` and `learningRate` have no default that suits all. */
function training(defaults: { steps: number; learningRate: number; batchSize?: number; emaDecay?: number; warmupSteps?: number; schedule?: 'cosine' | 'constant' }) {
  return z
    .strictObject({
      steps: count.default(defaults.steps).describe('optimizer steps'),
      batchSize: count.default(defaults.batchSize ?? 64),
      learningRate: z.number().positive().default(defaults.learningRate).describe('peak'),
      warmupSteps: z.int().min(0).default(defaults.warmupSteps ?? 50).describe('linear from 0'),
      schedule: z.enum(['cosine', 'constant']).default(defaults.schedule ?? 'cosine').describe('after the warm-up; cosine falls to 0'),
      optimizer: z.enum(['adamw', 'sgd']).default('adamw'),
      beta1: z.number().min(0).max(0.9999).default(0.9).describe('adamw'),
      beta2: z.number().min(0).max(0.99999).default(0.999).describe('adamw'),
      momentum: z.number().min(0).max(0.9999).default(0.9).describe('sgd'),
      weightDecay: z.number().min(0).default(0.01),
      clipNorm: z.number().min(0).default(1).describe('global gradient norm; 0 = no clipping'),
      emaDecay: z.number().min(0).max(0.99999).default(defaults.emaDecay ?? 0).describe('of the moving average of the weights; 0 = none'),
      augment,
    })
    .prefault({});
}

const cnn = z.strictObject({ family: z.literal('cnn'), width: count.default(16), stages: z.int().min(1).max(6).default(3) });
const resnet = z.strictObject({
  family: z.literal('resnet'),
  layers: z.array(count).min(1).max(6).default([2, 2, 2, 2]).describe('blocks per stage; [2,2,2,2] is ResNet-18, [3,4,6,3] ResNet-34 or, with bottleneck, -50'),
  width: count.default(64),
  bottleneck: z.boolean().default(false),
  stem: z.enum(['imagenet', 'cifar']).default('imagenet'),
});
const architecture = z.discriminatedUnion('family', [cnn, resnet]);

const normalisation = { mean: triple.default([0.5, 0.5, 0.5]), std: triple.default([0.25, 0.25, 0.25]) };

const birds = z.strictObject({
  kind: z.literal('birds'),
  imageSize: z.union([z.literal(32), z.literal(64)]).default(32).describe('pixels'),
  seed: z.int().min(0).default(0).describe('chooses the pictures'),
  train: count.default(4000).describe('images; majority groups only'),
  test: count.default(2000).describe('images; four groups balanced'),
  broad: count.default(20000).describe('images; what teacher and generator are trained on'),
  minorityShare: fraction.default(0.04).describe('of the two minority groups together in broad'),
});
const spucoMnist = z.strictObject({
  kind: z.literal('spuco-mnist'),
  root: z.string().describe('folder of the four MNIST files, gzip or plain'),
  difficulty: z.enum(Object.keys(difficulties) as [keyof typeof difficulties]).default('magnitude-large'),
  strength: fraction.default(1).describe('share of each class in its own colour in train and validation; 1 leaves the other groups absent'),
  broadStrength: fraction.default(0.95),
  labelNoise: fraction.default(0),
  coreNoise: fraction.default(0),
  seed: z.int().min(0).default(0),
});
const folder = z.strictObject({
  kind: z.literal('folder'),
  root: z.string().describe('folder with {train,val,test}/<class>/<attribute>/<image>'),
  imageSize: count.default(64).describe('pixels'),
  dropGroups: z.array(z.string()).default([]).describe("groups 'class/attribute' to leave out of train and val"),
});

const objective = z
  .strictObject({
    form: z.enum(['difference', 'power_max', 'power_min', 'log']).default('difference'),
    gamma: z.number().positive().default(2).describe('exponent of the power forms'),
  })
  .prefault({});
const stepGuidance = z.strictObject({
  kind: z.literal('step'),
  objective,
  scale: z.number().min(0).default(0.4).describe('of the unit-RMS gradient added to epsilon'),
  from: fraction.default(1).describe('guided while until <= t <= from; 1 = pure noise'),
  until: fraction.default(0.4),
  schedule: z.enum(['constant', 'linear']).default('constant'),
});
const chainGuidance = z.strictObject({
  kind: z.literal('chain'),
  objective,
  iterations: count.default(20).describe('Adam steps on the initial noise'),
  learningRate: z.number().positive().default(0.05),
  memoryBytes: count.default(4 * 2 ** 30).describe('activations kept; above it the chain is recomputed in segments'),
});

const trainOn = z.enum(['train', 'broad', 'balanced']).describe('which split of the data');

export const configSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, 'expected letters, digits, . _ -').default('run'),
  output: z.string().optional().describe('run folder; default runs/<name>'),
  seed: z.int().min(0).max(2 ** 31).default(0).describe('first seed'),
  seeds: count.default(1).describe('how many: seed, seed + 1, ...'),
  device: z.string().regex(/^(auto|cpu|cuda(:\d+)?)$/, 'expected auto, cpu, cuda or cuda:<n>').default('auto'),
  threads: z.int().min(0).default(0).describe('CPU threads; 0 = all cores'),
  precision: z.enum(['auto', 'fp32', 'bf16']).default('auto'),
  data: z.discriminatedUnion('kind', [birds, spucoMnist, folder]).prefault({ kind: 'birds' }),
  teacher: z
    .strictObject({
      weights: z.string().optional().describe('safetensors file; without it the teacher is trained'),
      architecture: architecture.prefault({ family: 'resnet', layers: [1, 1, 1], width: 16, stem: 'cifar' }),
      ...normalisation,
      trainOn: trainOn.default('balanced'),
      training: training({ steps: 1500, learningRate: 2e-3, emaDecay: 0.99 }),
    })
    .prefault({}),
  generator: z
    .strictObject({
      weights: z.string().optional().describe('safetensors file; without it the generator is trained'),
      blockChannels: z.array(count).min(1).max(6).default([32, 64, 96]).describe('channels per resolution level'),
      attention: z.array(z.union([z.literal(0), z.literal(1)])).default([0, 0, 1]).describe('self-attention per level'),
      layersPerBlock: count.default(1),
      normGroups: count.default(8),
      headDim: count.default(32).describe('channels per attention head'),
      labelDropout: fraction.default(0.1).describe('for classifier-free guidance'),
      trainOn: trainOn.default('broad'),
      training: training({ steps: 5000, learningRate: 1e-3, emaDecay: 0.999, warmupSteps: 100 }),
    })
    .prefault({}),
  student: z
    .strictObject({
      architecture: architecture.prefault({ family: 'cnn' }),
      ...normalisation,
      temperature: z.number().positive().default(1).describe('of the soft labels'),
      labelWeight: z.number().min(0).default(0).describe('of a hard-label term beside distillation'),
      training: training({ steps: 600, learningRate: 2e-3 }),
    })
    .prefault({}),
  methods: z.array(z.enum(methods).exclude(['teacher', 'edrm'])).default(['edrm-longer', 'unguided', 'unguided-selected', 'config']).describe('rows beside teacher and edrm'),
  rounds: z
    .strictObject({
      count: count.default(9),
      imagesPerRound: count.default(256).describe('generated, before selection'),
      training: training({ steps: 400, learningRate: 1e-3, schedule: 'constant', warmupSteps: 0 }).describe('of each round'),
      replay: fraction.default(0.5).describe('share of stored images in a batch, the rest is real'),
      teacherProbability: fraction.default(0.8).describe('selection: the teacher gives the class at least this'),
      studentWrong: z.boolean().default(true).describe('selection: the current student gives another class'),
    })
    .prefault({}),
  sampling: z
    .strictObject({
      steps: count.default(20).describe('DDIM steps'),
      guidanceScale: z.number().min(0).default(1).describe('classifier-free guidance; 1 = off'),
      batchSize: count.default(64),
      guidance: z.discriminatedUnion('kind', [stepGuidance, chainGuidance]).prefault({ kind: 'step' }),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({
      everySeconds: z.number().positive().default(60),
      keep: count.default(2).describe('newest checkpoints kept per stage'),
    })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
export type TrainingConfig = Config['student']['training'];
export type ConfigInput = z.input<typeof configSchema>;
