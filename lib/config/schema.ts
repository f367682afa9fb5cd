/** The configuration of a run: every field with its unit and default. The resolved form is saved with each run. */
import { z } from 'zod';

import { methods } from '../report/rows.js';
import { architecture } from './architectures.js';
import { adversarialTraining, dad } from './dad.js';
import { data } from './data.js';
import { discretiserSection } from './discretiser.js';
import { folderName } from './folder-name.js';
import { ood } from './ood.js';
import { spurious } from './spurious.js';

const count = z.int().min(1);
const fraction = z.number().min(0).max(1);
const triple = z.tuple([z.number(), z.number(), z.number()]);

/** Ranges of what is drawn for each view; 0 = none. */
type Jitter = { brightness: number; contrast: number; saturation: number; hue: number; zoom: number };
const noJitter: Jitter = { brightness: 0, contrast: 0, saturation: 0, hue: 0, zoom: 0 };
const colourJitter: Jitter = { ...noJitter, brightness: 0.3, contrast: 0.3, saturation: 0.5 };
const strongJitter: Jitter = { ...colourJitter, hue: 0.1, zoom: 0.3 };

function augment({ brightness, contrast, saturation, hue, zoom }: Jitter, cropPadding: number) {
  const range = z.number().min(0).max(1);
  return z
    .strictObject({
      flip: z.boolean().default(true).describe('mirror left-right with probability 1/2'),
      cropPadding: z.int().min(0).default(cropPadding).describe('pixels of reflect-padded random shift'),
      zoom: z.number().min(0).max(3).default(zoom).describe('enlarged by a factor from 1 / (1 + zoom) to 1 + zoom, reflecting at the border'),
      brightness: range.default(brightness).describe('jitter factor drawn from 1 - b .. 1 + b'),
      contrast: range.default(contrast).describe('likewise, around the mean grey of the image'),
      saturation: range.default(saturation).describe('likewise, around the grey of each pixel'),
      hue: z.number().min(0).max(0.5).default(hue).describe('turn of the hue either way, in full turns'),
    })
    .prefault({});
}

interface TrainingDefaults {
  steps: number;
  batchSize?: number;
  learningRate: number;
  emaDecay?: number;
  warmupSteps?: number;
  jitter?: Jitter;
  cropPadding?: number;
}

/** How a network is trained; `steps` and `learningRate` have no default that suits all. */
function training(defaults: TrainingDefaults) {
  return z.strictObject({
    steps: count.default(defaults.steps).describe('optimizer steps'),
    batchSize: count.default(defaults.batchSize ?? 64).describe('images per step'),
    learningRate: z.number().positive().default(defaults.learningRate).describe('peak, after the warm-up'),
    warmupSteps: z.int().min(0).default(defaults.warmupSteps ?? 50).describe('steps over which the learning rate rises linearly'),
    schedule: z.enum(['cosine', 'constant']).default('cosine').describe('after the warm-up; cosine falls to 0'),
    optimizer: z.enum(['adamw', 'sgd']).default('adamw').describe('sgd has momentum'),
    beta1: z.number().min(0).max(0.9999).default(0.9).describe('adamw'),
    beta2: z.number().min(0).max(0.99999).default(0.999).describe('adamw'),
    momentum: z.number().min(0).max(0.9999).default(0.9).describe('sgd'),
    weightDecay: z.number().min(0).default(0.01).describe('decoupled in adamw, added to the gradient in sgd'),
    clipNorm: z.number().min(0).default(1).describe('global gradient norm; 0 = no clipping'),
    emaDecay: z.number().min(0).max(0.99999).default(defaults.emaDecay ?? 0).describe('of the moving average of the weights; 0 = none'),
    augment: augment(defaults.jitter ?? noJitter, defaults.cropPadding ?? 2),
  });
}

/** Of classifiers: a published policy may change the views, and two of them may be mixed. */
function classifierTraining(defaults: TrainingDefaults) {
  const views = augment(defaults.jitter ?? noJitter, defaults.cropPadding ?? 2)
    .unwrap()
    .extend({ policy: z.enum(['none', 'randaugment', 'augmix', 'pixmix']).default('none').describe('published augmentation after the above, see docs/method.md') })
    .prefault({});
  const mixing = z
    .strictObject({
      cutMix: fraction.default(0).describe('share of the images in which a rectangle comes from another one of the batch'),
      mixUp: fraction.default(0).describe('share of the images that are blended with another one of the batch'),
    })
    .refine(({ cutMix, mixUp }) => cutMix + mixUp <= 1, 'expected cutMix and mixUp to sum to at most 1')
    .prefault({});
  return training(defaults).extend({ augment: views, mixing });
}

const normalisation = {
  mean: triple.default([0.5, 0.5, 0.5]).describe('per channel, of pixels in 0..1'),
  std: triple.default([0.25, 0.25, 0.25]).describe('likewise'),
};

const objective = z
  .strictObject({
    form: z.enum(['difference', 'power_max', 'power_min', 'log']).default('difference').describe('see docs/method.md'),
    gamma: z.number().positive().default(2).describe('exponent of the power forms'),
    terms: z.enum(['both', 'teacher', 'student']).default('both').describe('teacher: t_y alone is raised; student: f_y alone is lowered'),
  })
  .prefault({});
const cutouts = z
  .strictObject({
    count: z.int().min(0).max(64).default(0).describe('random square parts of the predicted image that the classifiers judge, others in each step or iteration; 0 = the whole image, without noise'),
    leastSide: z.number().gt(0).max(1).default(0.7).describe('sides are drawn from this share of the image to the whole'),
    noise: z.number().min(0).max(1).default(0).describe('standard deviation of noise added to them, of images in -1..1'),
  })
  .prefault({});
const decoder = z.string().optional().describe('small autoencoder (TAESD) through which the gradient is taken, for a published generator of latents: model folder of diffusers or safetensors file; the images come from its own');
const stepGuidance = z.strictObject({
  kind: z.literal('step'),
  objective,
  cutouts,
  scale: z.number().min(0).default(0.1).describe('of the unit-RMS gradient added to epsilon'),
  from: fraction.default(1).describe('guided while until <= t <= from; 1 = pure noise'),
  until: fraction.default(0.4).describe('see from; at most from'),
  schedule: z.enum(['constant', 'linear']).default('constant').describe('linear falls from scale at from to 0 at until'),
  gradient: z.enum(['unet', 'x0']).default('unet').describe('unet: through the network to the noisy image; x0: at the predicted image, without the backward pass of the network'),
  latentPool: z.int().min(1).max(8).default(1).describe('predicted latents are averaged over squares of this side before they are decoded for the classifiers; 1 = full size; nothing for a generator of pixels'),
  decoder,
});
const chainGuidance = z.strictObject({
  kind: z.literal('chain'),
  objective,
  cutouts,
  lastPredictions: count.default(1).describe('of the run that are judged: the image that comes out and those predicted in the steps before the last'),
  predictionWeights: z.enum(['linear', 'equal']).default('linear').describe('linear: 1, 2, 3, ... in the order of the run; they sum to 1'),
  iterations: count.default(20).describe('Adam steps'),
  learningRate: z.number().positive().default(0.05).describe('of Adam on the initial noise'),
  conditions: z
    .strictObject({
      moved: z.enum(['none', 'class', 'null', 'both']).default('none').describe('what is moved beside the noise: what the generator is told of the class in each step, or of none for classifier-free guidance'),
      learningRate: z.number().positive().default(0.01).describe('of Adam on what is added to them'),
    })
    .prefault({}),
  memoryBytes: count.default(4 * 2 ** 30).describe('bytes of activations kept; above it the chain is recomputed in segments'),
  decoder,
});

/** Where sampling starts. */
const noiseStart = z.strictObject({ kind: z.literal('noise') });
const strength = fraction.gt(0).default(0.5);
const imageStart = z.strictObject({
  kind: z.literal('image'),
  strength: strength.describe('share of the steps that is taken, from a training image of the class with as much noise as the first of them expects'),
});
const inversionStart = z.strictObject({
  kind: z.literal('inversion'),
  strength: strength.describe('share of the steps that is taken, from the noise that ddim backwards finds for a training image of the class'),
  nullText: z
    .strictObject({
      iterations: z.int().min(0).default(0).describe('Adam steps at each step of the run that fit what is told of no class, so that it follows the inversion in spite of classifier-free guidance; 0 = none'),
      learningRate: z.number().positive().default(0.01).describe('of Adam at the first step; falls to half of it'),
    })
    .prefault({}),
});

const zeroShot = z.strictObject({
  clip: z.string().describe('CLIP model: folder of transformers or open_clip, or a safetensors file with the names of OpenAI'),
  prompts: z.array(z.string().includes('{}')).min(1).default(['a photo of a {}.']).describe('texts in which {} stands for the class; the head of a class is the mean of their embeddings'),
  names: z.record(z.string(), z.string()).default({}).describe('what a class is called in the prompts, where that is not its name with spaces for _'),
  tune: z.enum(['none', 'head', 'all']).default('none').describe('what training changes, from the zero-shot head on: head is a linear probe'),
});

const pretrained = z.strictObject({
  path: z.string().describe('model folder of diffusers, or a safetensors file with a whole Stable Diffusion 1 or 2'),
  prompt: z.string().regex(/\{(caption)?\}/, 'expected a text with {} or {caption}').default('a photo of a {}.').describe('text in which {} stands for the class and {caption} for the caption of a training image, where the model takes one'),
  negativePrompt: z.string().default('').describe('text of the other half of classifier-free guidance'),
  names: z.record(z.string(), z.string()).default({}).describe('what a class is called in the prompt, where that is not its name with spaces for _'),
  prediction: z.enum(['epsilon', 'v', 'x0']).optional().describe('what the network predicts, where its files do not say it; a file alone counts as epsilon for Stable Diffusion 1 and v for 2'),
  drawSize: count.optional().describe('side in pixels of what is drawn and then resized to the size of the data; by default what the model was trained on'),
});

const startMeaning = 'safetensors file from whose weights the training goes on, instead of random ones';
const trainOn = z.enum(['train', 'broad', 'balanced']).describe('split of the data: birds has train and broad, spuco-mnist all three, the others train');

export const configSchema = z.strictObject({
  name: folderName.default('run').describe('title of the report and name of the run folder'),
  output: z.string().optional().describe('run folder; default runs/<name>'),
  seed: z.int().min(0).max(2 ** 31).default(0).describe('first seed'),
  seeds: count.default(1).describe('how many: seed, seed + 1, ...'),
  device: z.string().regex(/^(auto|cpu|cuda(:\d+)?)$/, 'expected auto, cpu, cuda or cuda:<n>').default('auto').describe('auto, cpu, cuda or cuda:<n>; auto = cuda where there is a device'),
  threads: z.int().min(0).max(1024).default(0).describe('CPU threads; 0 = all cores'),
  precision: z.enum(['auto', 'fp32', 'bf16']).default('auto').describe('auto = bf16 where the hardware multiplies it'),
  data,
  teacher: z
    .strictObject({
      weights: z.string().optional().describe('safetensors or TorchScript file, or model folder of timm or transformers; without it the teacher is trained'),
      start: z.string().optional().describe(`${startMeaning}, or a model folder; a head for other classes is made anew`),
      zeroShot: zeroShot.optional().describe('a CLIP model as teacher, in place of weights and start; architecture and normalisation are its own'),
      architecture: architecture.prefault({ family: 'cnn', width: 24, stages: 5 }),
      ...normalisation,
      trainOn: trainOn.default('broad'),
      training: classifierTraining({ steps: 4000, learningRate: 2e-3, emaDecay: 0.99, jitter: colourJitter }).prefault({}),
    })
    .prefault({}),
  generator: z
    .strictObject({
      weights: z.string().optional().describe('safetensors file; without it the generator is trained'),
      start: z.string().optional().describe(startMeaning),
      pretrained: pretrained.optional().describe('a published diffusion model as generator, used as it is, in place of weights and start'),
      blockChannels: z.array(count).min(1).max(6).default([32, 64, 96]).describe('channels per resolution level'),
      attention: z.array(z.union([z.literal(0), z.literal(1)])).default([0, 0, 1]).describe('self-attention per level'),
      layersPerBlock: count.default(1).describe('residual blocks per level; one more going up'),
      normGroups: count.default(8).describe('groups of group normalisation; divides every level'),
      headDim: count.default(32).describe('channels per attention head'),
      labelDropout: fraction.default(0.1).describe('probability of training without the class, for classifier-free guidance'),
      trainOn: trainOn.default('broad'),
      training: training({ steps: 3200, learningRate: 1e-3, emaDecay: 0.999, warmupSteps: 100 }).prefault({}),
    })
    .prefault({}),
  discretiser: discretiserSection(trainOn.default('broad'), training({ steps: 1500, batchSize: 32, learningRate: 2e-3, emaDecay: 0.99, warmupSteps: 100 }).prefault({})).prefault({}).describe('of DAD, see docs/dad.md'),
  student: z
    .strictObject({
      architecture: architecture.prefault({ family: 'cnn', width: 16, stages: 5 }),
      ...normalisation,
      temperature: z.number().positive().default(1).describe('of the soft labels'),
      labelWeight: z.number().min(0).default(0).describe('of a hard-label term beside distillation'),
      training: classifierTraining({ steps: 300, learningRate: 2e-3 }).prefault({}),
    })
    .prefault({}),
  methods: z.array(z.enum(methods).exclude(['teacher', 'edrm'])).refine((rows) => new Set(rows).size === rows.length, 'expected each row once').default(['edrm-longer', 'unguided', 'unguided-selected', 'config']).describe('rows beside teacher and edrm'),
  rounds: z
    .strictObject({
      count: count.default(3).describe('rounds of generation and training'),
      imagesPerRound: count.default(300).describe('generated, before selection'),
      imagesFor: z.enum(['round', 'class', 'image']).default('round').describe('what imagesPerRound is multiplied by: 1, the number of classes, or that of training images; allocation shares out the whole'),
      allocation: z.enum(['balanced', 'hardest']).default('balanced').describe('images per class; hardest: more of the classes on whose images of earlier rounds the student still errs most'),
      training: classifierTraining({ steps: 640, learningRate: 5e-3, emaDecay: 0.98, warmupSteps: 0, jitter: strongJitter, cropPadding: 4 })
        .prefault({})
        .describe('steps are of each round, the schedule spans all rounds'),
      replay: fraction.default(0.75).describe('share of stored images in a batch, the rest is real'),
      teacherProbability: fraction.default(0.8).describe('selection: the teacher prefers the class and gives it at least this'),
      studentWrong: z.boolean().default(false).describe('selection: the current student gives another class'),
      earlyStop: z
        .strictObject({
          studentWrong: fraction.default(0).describe('a row ends after the round in which the student got less than this share of the images wrong that the teacher is sure of; 0 = never'),
        })
        .prefault({}),
    })
    .prefault({}),
  kd: z
    .strictObject({
      temperature: z.number().positive().default(4).describe('of the soft labels'),
      weight: z.number().min(0).default(0.5).describe('of what is learned from them, on images and on their counterparts each'),
      labelWeight: z.number().min(0).default(1).describe('of the labels'),
    })
    .prefault({})
    .describe('of the rows that learn from labels and teacher, see docs/method.md'),
  daFusion: z
    .strictObject({
      steps: count.default(2000).describe('of training of the class embeddings'),
      batchSize: count.default(8).describe('images per step'),
      learningRate: z.number().positive().default(4e-3).describe('constant, of AdamW'),
    })
    .prefault({})
    .describe('of the row da-fusion, see docs/method.md'),
  gap: z
    .strictObject({
      iterations: count.default(50).describe('Adam steps on the class embeddings, in each round'),
      imagesPerClass: count.default(4).describe('images in each of them'),
      steps: count.max(1000).default(5).describe('of the sampler (ddim) through which the student sees them'),
      learningRate: z.number().positive().default(0.04).describe('of Adam'),
    })
    .prefault({})
    .describe('of the row gap, likewise'),
  sampling: z
    .strictObject({
      steps: count.max(1000).default(10).describe('of the sampler'),
      sampler: z.enum(['ddim', 'ddpm', 'dpm-solver++-2m', 'euler']).default('ddim').describe('how the predictions of the generator lead from noise to an image'),
      eta: fraction.default(0).describe('of ddim: 0 is deterministic, 1 has the variance of ddpm'),
      guidanceScale: z.number().min(0).default(1).describe('classifier-free guidance; 1 = off'),
      batchSize: count.default(64).describe('images at once; does not change the images'),
      start: z.discriminatedUnion('kind', [noiseStart, imageStart, inversionStart]).prefault({ kind: 'noise' }),
      guidance: z.discriminatedUnion('kind', [stepGuidance, chainGuidance]).prefault({ kind: 'step' }),
    })
    .prefault({}),
  dad,
  adversarialTraining,
  ood,
  spurious,
  evaluation: z
    .strictObject({
      corruptions: z.boolean().default(false).describe('whether the final classifier of each row is also tested under fifteen common corruptions in five severities, see docs/corruptions.md'),
    })
    .prefault({}),
  checkpoint: z
    .strictObject({
      everySeconds: z.number().positive().default(60).describe('seconds between checkpoints within a stage'),
      keep: count.default(2).describe('newest checkpoints kept per stage'),
    })
    .prefault({}),
});

export type Config = z.infer<typeof configSchema>;
export type ClassifierTrainingConfig = Config['student']['training'];
/** What the training of every network has. */
export type TrainingConfig = Config['generator']['training'];
export type ConfigInput = z.input<typeof configSchema>;
