/** The networks that have a name here, what they are made for, and whose published weights they take. */
import { architecture as architectureSchema, imagenetNormalisation, namedArchitectures } from '../config/architectures.js';
import { autoencoderSpecs } from '../config/autoencoders.js';
import { nearest } from '../config/suggest.js';
import { SparringError } from '../errors.js';
import type { Architecture, AutoencoderSpec, DenoiserSpec, UNetSpec } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Autoencoder, Classifier, Generator } from '../native/models.js';

export type NamedNetwork = { name: string; imageSize: number; weights: string } & (
  | { kind: 'classifier'; architecture: Architecture }
  | { kind: 'autoencoder'; spec: AutoencoderSpec }
  | { kind: 'generator'; spec: DenoiserSpec; autoencoder: AutoencoderSpec | null }
);

/** Side in pixels that the published weights were trained with. */
function trainedSize(name: string): number {
  const said = /_(\d{3})$/.exec(name); // tiny_vit_21m_384; but mobilenetv3_small_100 says its width
  if (said && Number(said[1]) >= 224) return Number(said[1]);
  if (name.startsWith('cifar_')) return 32;
  return name.endsWith('_dinov2') ? 518 : 224;
}

const sources: [pattern: RegExp, weights: string][] = [
  [/^cifar_/, 'pytorch-cifar-models (cifar10_*, cifar100_*)'],
  [/^resnet(18|34|50|101)$/, 'timm, torchvision; transformers (ResNetForImageClassification)'],
  [/_dinov2$/, 'timm (no head)'],
  [/_clip/, 'timm (openai, laion2b, ...); a whole CLIP: see docs/clip.md'],
  [/^deit_/, 'timm; transformers (DeiT)'],
  [/^vit_/, 'timm (augreg, dino, mae; deit_*_patch16 too); transformers (ViT)'],
  [/^convnext_/, 'timm; transformers (ConvNextForImageClassification)'],
  [/./, 'timm'],
];

const autoencoderSources: Record<keyof typeof autoencoderSpecs, string> = {
  sd: 'diffusers (vae/ of Stable Diffusion 1 and 2), latent-diffusion, whole checkpoints',
  taesd: 'diffusers (madebyollin/taesd)',
  'vqgan-f16-1024': 'taming-transformers, ImageNet, 1024 codes',
  'vqgan-f16-16384': 'taming-transformers, ImageNet, 16384 codes',
  'vq-f8': 'latent-diffusion, OpenImages',
};

const unet = {
  layersPerBlock: 2, normGroups: 32, normEps: 1e-5, classEmbeddings: 0, textChannels: 0, transformerLayers: 1, linearProjection: false,
  downsampleBothSides: true, cosineFirst: true, frequencyShift: 0,
};
const stableDiffusion = { ...unet, channels: 4, blockChannels: [320, 640, 1280, 1280], attention: [1, 1, 1, 0] } as const;
const ddpm = { ...unet, channels: 3, normEps: 1e-6, downsampleBothSides: false, cosineFirst: false, frequencyShift: 1 } as const;

/** U-Nets of published generators, by the side of their images in pixels. */
const unets: Record<string, { unet: UNetSpec; imageSize: number; latent: boolean; weights: string }> = {
  'stable-diffusion-1': { unet: { ...stableDiffusion, heads: [8, 8, 8, 8], textChannels: 768 }, imageSize: 512, latent: true, weights: 'diffusers, or one file of CompVis (docs/pretrained.md)' },
  'stable-diffusion-2': { unet: { ...stableDiffusion, heads: [5, 10, 20, 20], textChannels: 1024, linearProjection: true }, imageSize: 768, latent: true, weights: 'diffusers, or one file of Stability AI (docs/pretrained.md)' },
  'ddpm-32': { unet: { ...ddpm, blockChannels: [128, 256, 256, 256], attention: [0, 1, 0, 0], heads: [1, 1, 1, 1] }, imageSize: 32, latent: false, weights: 'diffusers (google/ddpm-cifar10-32)' },
  'ddpm-256': { unet: { ...ddpm, blockChannels: [128, 128, 256, 256, 512, 512], attention: [0, 0, 0, 0, 1, 0], heads: [1, 1, 1, 1, 1, 1] }, imageSize: 256, latent: false, weights: 'diffusers (google/ddpm-celebahq-256 and its like)' },
};

function generatorSpec({ unet, imageSize }: (typeof unets)[string]): DenoiserSpec {
  return {
    unet, imageSize, drawSize: imageSize, numClasses: 1, prediction: 'epsilon', spacing: 'leading', variance: 'fixed-small', clip: 0,
    schedule: { trainTimesteps: 1000, betas: 'scaled-linear', betaStart: 0.00085, betaEnd: 0.012, setAlphaToOne: false, stepsOffset: 1 },
  };
}

/** All of them, in the order in which they are listed. */
export const namedNetworks: readonly NamedNetwork[] = [
  ...Object.entries(namedArchitectures).map(([name, given]): NamedNetwork => ({
    kind: 'classifier', name, imageSize: trainedSize(name), weights: sources.find(([pattern]) => pattern.test(name))![1], architecture: architectureSchema.parse(given),
  })),
  ...Object.entries(autoencoderSpecs).map(([name, spec]): NamedNetwork => ({ kind: 'autoencoder', name, imageSize: 256, weights: autoencoderSources[name as keyof typeof autoencoderSpecs], spec })),
  ...Object.entries(unets).map(([name, known]): NamedNetwork => ({
    kind: 'generator', name, imageSize: known.imageSize, weights: known.weights, spec: generatorSpec(known), autoencoder: known.latent ? autoencoderSpecs.sd : null,
  })),
];

/** Throws SparringError 'usage' when there is no such name. */
export function networkNamed(name: string): NamedNetwork {
  const found = namedNetworks.find((network) => network.name === name);
  if (found) return found;
  const guess = nearest(name, namedNetworks.map((network) => network.name));
  throw new SparringError('usage', `Expected a weights file, a model folder or the name of a network, found '${name}'.`, guess ? `Did you mean '${guess}'?` : 'See `sparring models list`.');
}

export interface ClassifierOptions {
  /** Names of the classes. */
  classes: readonly string[];
  imageSize?: number;
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** One of them with random weights from `seed`, or with none (null; see Placement). */
export async function buildNetwork(engine: Engine, network: NamedNetwork, { imageSize = network.imageSize, ...classifier }: ClassifierOptions, seed: number | null): Promise<Classifier | Autoencoder | Generator> {
  if (network.kind === 'classifier') {
    const { classes, mean, std } = classifier;
    return Classifier.create(engine, { architecture: network.architecture, numClasses: classes.length, imageSize, mean, std }, classes, seed);
  }
  if (network.kind === 'autoencoder') return Autoencoder.create(engine, network.spec, seed);
  using autoencoder = network.autoencoder && (await Autoencoder.create(engine, network.autoencoder, seed));
  return Generator.create(engine, { ...network.spec, imageSize, drawSize: imageSize }, ['image'], seed, autoencoder);
}

export interface ListedNetwork {
  kind: NamedNetwork['kind'];
  name: string;
  /** Side in pixels that the published weights were made for. */
  imageSize: number;
  /** Of a classifier with 1000 classes; of a generator those of its U-Net. */
  parameters: number;
  weights: string;
}

/** Counts the parameters of each by building it. */
export async function listNetworks(engine: Engine): Promise<ListedNetwork[]> {
  const listed: ListedNetwork[] = [];
  for (const network of namedNetworks) {
    const { kind, name, imageSize, weights } = network;
    using model = await buildNetwork(engine, network, imagenet, null);
    listed.push({ kind, name, imageSize, parameters: await engine.run((core) => core.parameterCount(model.handle)), weights });
  }
  return listed;
}

/** 1000 classes with the normalisation that most published classifiers have. */
export const imagenet: ClassifierOptions = {
  classes: Array.from({ length: 1000 }, (_, i) => String(i)),
  ...imagenetNormalisation,
};
