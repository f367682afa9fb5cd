/** A model on disk of whichever kind: what it is comes from its own description, from a model folder, or from the user. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { describeClassifierFolder } from '../classifiers/folder.js';
import { architectureProblem } from '../config/architectures.js';
import { autoencoderConfig } from '../diffusion/autoencoder-config.js';
import { readJson } from '../config/json.js';
import { SparringError } from '../errors.js';
import type { AutoencoderSpec, ClassifierSpec, WeightsInfo } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Autoencoder, Classifier, Generator } from '../native/models.js';
import { imagenet, networkNamed, type NamedNetwork } from './catalog.js';

/** What the user says of a file that does not say it itself. */
export interface Description {
  /** Name of a network; see `sparring models list`. */
  architecture?: string;
  /** Names of the classes, or how many there are; by default as many as the head of the file has. */
  classes?: readonly string[];
  /** Side of the images in pixels; by default what the weights fit, else what the architecture was trained with. */
  imageSize?: number;
  mean?: readonly [number, number, number];
  std?: readonly [number, number, number];
}

export type Model = Classifier | Autoencoder | Generator;

/** Opens it; null for weights of which nothing says what network they are of. Throws SparringError 'weights' when they do not fit. */
export async function openModel(engine: Engine, path: string, given: Description): Promise<Model | null> {
  if (given.architecture === undefined) {
    const described = await openDescribedFolder(engine, path, given);
    if (described) return described;
  }
  const info = await engine.run((core) => core.inspectWeights(path));
  const kind = info.metadata['sparring.kind'];
  if (kind !== undefined) return openOwn(engine, path, kind, given);
  if (given.architecture === undefined) return null;
  const network = networkNamed(given.architecture);
  if (network.kind === 'generator') throw new SparringError('usage', `--architecture: expected a classifier or an autoencoder, found '${network.name}'.`, 'Generators are opened as docs/pretrained.md says.');
  if (network.kind === 'autoencoder') return Autoencoder.load(engine, path, network.spec);
  const { spec, classes } = classifierOf(network, info, path, given);
  return Classifier.load(engine, path, { spec, classes }, { newHead: headClasses(info) === undefined });
}

async function openOwn(engine: Engine, path: string, kind: string, given: Description): Promise<Model> {
  const [superfluous] = Object.entries(given).filter(([, value]) => value !== undefined);
  if (superfluous) throw new SparringError('usage', `${path}: the file says itself what network it is of, and ${superfluous[0]} was given as well.`, 'Leave out --architecture, --classes, --image-size, --mean and --std.');
  if (kind === 'classifier') return Classifier.load(engine, path);
  if (kind === 'generator') return Generator.load(engine, path);
  return Autoencoder.load(engine, path);
}

// ---------------------------------------------------------------- model folders

const autoencoderFolder = z.object({ _class_name: z.string() });

/** A folder whose config.json says what it is; undefined for anything else. */
async function openDescribedFolder(engine: Engine, path: string, given: Description): Promise<Model | undefined> {
  const config = join(path, 'config.json');
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory() || !existsSync(config)) return undefined;
  const tree = await readJson(config, z.unknown(), '');
  if (autoencoderFolder.safeParse(tree).success) return Autoencoder.load(engine, path, autoencoderConfig(tree, config) satisfies AutoencoderSpec);
  const { weights, spec: described, keyNames, labels } = await describeClassifierFolder(engine, path);
  const info = await engine.run((core) => core.inspectWeights(weights));
  const classes = classesOf(info, path, given.classes ?? labels);
  const { inputSize, ...rest } = described;
  const spec: ClassifierSpec = { ...rest, numClasses: classes.length, imageSize: given.imageSize ?? inputSize, inputSize };
  return Classifier.load(engine, weights, { spec, classes }, { newHead: headClasses(info) === undefined, ...(keyNames && { keyNames }) });
}

// ---------------------------------------------------------------- classifiers in foreign files

const mostClasses = 2 ** 20;

/** What timm, torchvision and transformers call the weights of a head, [classes, channels]. */
const heads = ['fc.weight', 'head.weight', 'head.fc.weight', 'classifier.weight', 'classifier.1.weight', 'cls_classifier.weight'];

/** How many classes the head of a file has; undefined for a file without one. */
function headClasses({ tensors }: WeightsInfo): number | undefined {
  return tensors.find(({ name, shape }) => heads.includes(name) && shape.length === 2)?.shape[0];
}

function classesOf(info: WeightsInfo, path: string, given: readonly string[] | undefined): string[] {
  if (given) return [...given];
  const count = headClasses(info);
  if (count === undefined) throw new SparringError('usage', `${path}: the weights have no head, so nothing says how many classes there are.`, 'Give --classes; the head is then random.');
  if (count < 1 || count > mostClasses) throw new SparringError('weights', `${path}: expected a head of 1 to ${mostClasses} classes, found ${count}.`, 'The file is damaged, or of another network.');
  return Array.from({ length: count }, (_, i) => String(i));
}

function classifierOf({ name, architecture, imageSize }: NamedNetwork & { kind: 'classifier' }, info: WeightsInfo, path: string, given: Description): { spec: ClassifierSpec; classes: string[] } {
  const classes = classesOf(info, path, given.classes);
  const size = given.imageSize ?? fittingSize(architecture, info) ?? imageSize;
  const problem = architectureProblem(architecture, size);
  if (problem) throw new SparringError('usage', `--architecture ${name} with images of ${size} px: ${problem}`, 'Give another --image-size.');
  const { mean, std } = imagenet;
  return { spec: { architecture, numClasses: classes.length, imageSize: size, mean: given.mean ?? mean, std: given.std ?? std }, classes };
}

/** The side that the position embeddings of a vision transformer are made for. */
function fittingSize(architecture: ClassifierSpec['architecture'], { tensors }: WeightsInfo): number | undefined {
  const positions = tensors.find(({ name }) => name === 'pos_embed')?.shape[1];
  if (architecture.family !== 'vit' || positions === undefined) return undefined;
  const prefix = architecture.prefixPositions ? 1 + architecture.registers + (architecture.distilled ? 1 : 0) : 0;
  const side = Math.sqrt(positions - prefix);
  return Number.isInteger(side) && side > 0 ? side * architecture.patch : undefined;
}
