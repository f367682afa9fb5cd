/** A classifier in a model folder of timm or transformers: `config.json` beside the weights says what it is. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { triple } from '../clip/description.js';
import { architecture as architectureSchema, architectureProblem, imagenetNormalisation, namedArchitectures } from '../config/architectures.js';
import { readJson } from '../config/json.js';
import { SparringError } from '../errors.js';
import type { ClassifierSpec, KeyNames, WeightsInfo } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { architectureOfTransformers, transformersClassifier, transformersNames } from './transformers.js';

export interface ClassifierFolder {
  /** Path of the weights. */
  weights: string;
  spec: Pick<ClassifierSpec, 'architecture' | 'mean' | 'std'> & { inputSize: number };
  keyNames?: KeyNames;
  /** Names of the classes in the order of the head, where the folder has them. */
  labels?: string[];
}

const readable = 'Of transformers the classifiers ViT, DeiT, DINOv2, ConvNeXt and ResNet are read, of timm the architectures that docs/config.md names.';

const side = z.int().min(1).max(16384);
const positive = triple.refine((values) => values.every((value) => value > 0), 'expected numbers above 0');
/** `size` is a number, or one of several forms of an object; those that say nothing of one side do not count. */
const size = z.union([side, z.object({ height: side, width: side }).refine(({ height, width }) => height === width, 'expected a square').transform(({ height }) => height), z.object({ shortest_edge: side }).transform(({ shortest_edge }) => shortest_edge)]);

const timmConfig = z.object({
  architecture: z.string(),
  global_pool: z.enum(['token', 'avg']).optional(),
  label_names: z.array(z.string()).optional(),
  model_args: z.strictObject({ img_size: z.int().min(1).optional() }).optional(), // anything else would be another network
  pretrained_cfg: z.object({
    input_size: z.tuple([z.literal(3), z.int().min(1), z.int().min(1)]).refine(([, height, width]) => height === width, 'expected a square'),
    mean: triple,
    std: positive,
  }),
});

const preprocessor = z.object({ image_mean: triple.optional(), image_std: positive.optional(), size: size.optional() });

export function isModelFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Throws SparringError 'weights' for a folder that holds no classifier that can be read, 'io' when it cannot be read. */
export async function describeClassifierFolder(engine: Engine, folder: string): Promise<ClassifierFolder> {
  const path = join(folder, 'config.json');
  if (!existsSync(path)) throw new SparringError('weights', `${folder}: expected config.json beside the weights, found none.`, 'Give a model folder of timm or transformers, or a safetensors file.');
  const info = await engine.run((core) => core.inspectWeights(folder));
  const kind = await readJson(path, z.union([z.object({ model_type: z.string() }), z.object({ architecture: z.string() })], 'expected a config of transformers (model_type) or of timm (architecture)'), readable);
  const found = 'model_type' in kind ? await readTransformers(folder, path, info) : await readTimm(path);
  const problem = architectureProblem(found.spec.architecture, found.spec.inputSize);
  if (problem) throw new SparringError('weights', `${path}: ${problem}`, 'The config file is not one that its project wrote.');
  return { weights: info.files[0], ...found }; // the file, or the index of its shards
}

async function readTransformers(folder: string, path: string, { tensors }: WeightsInfo): Promise<Omit<ClassifierFolder, 'weights'>> {
  const config = await readJson(path, transformersClassifier, readable);
  const preprocessing = join(folder, 'preprocessor_config.json');
  const { image_mean: mean, image_std: std, size } = existsSync(preprocessing) ? await readJson(preprocessing, preprocessor, readable) : {};
  const inputSize = 'image_size' in config ? config.image_size : size ?? 224;
  const names = Object.entries(config.id2label ?? {}).sort(([a], [b]) => Number(a) - Number(b)).map(([, name]) => name);
  return {
    spec: { architecture: architectureOfTransformers(config), inputSize, mean: mean ?? imagenetNormalisation.mean, std: std ?? imagenetNormalisation.std },
    keyNames: transformersNames(config, tensors.map(({ name }) => name)),
    ...(names.length > 0 && { labels: names }),
  };
}

async function readTimm(path: string): Promise<Omit<ClassifierFolder, 'weights'>> {
  const { architecture, global_pool: pool, label_names: labels, model_args: changed, pretrained_cfg: trained } = await readJson(path, timmConfig, readable);
  // Ours are named without the size of the input; the plain DeiT is a ViT.
  const isKnown = (name: string): boolean => Object.hasOwn(namedArchitectures, name);
  const name = isKnown(architecture) ? architecture : architecture.replace(/_\d{3}$/, '').replace(/^deit_(?!.*distilled)/, 'vit_');
  if (!isKnown(name)) {
    throw new SparringError('weights', `${path}: architecture: expected one of ${Object.keys(namedArchitectures).join(', ')}, with or without the size of the input; found '${architecture}'.`, 'This network of timm is not supported.');
  }
  const given = architectureSchema.parse(namedArchitectures[name]);
  return {
    spec: {
      architecture: given.family === 'vit' && pool === 'avg' ? { ...given, pool: 'average' } : given,
      inputSize: changed?.img_size ?? trained.input_size[1],
      mean: trained.mean,
      std: trained.std,
    },
    ...(labels && { labels }),
  };
}
