/** What is in a weights file, and what a network costs. */
import { existsSync } from 'node:fs';

import { SparringError } from '../errors.js';
import type { Profile, WeightsInfo } from '../native/contract.js';
import type { Engine } from '../native/engine.js';
import { Classifier, Generator } from '../native/models.js';
import { buildNetwork, imagenet, networkNamed } from './catalog.js';
import { openModel, type Description, type Model } from './open.js';

/** Tensors of one module. */
export interface WeightsLayer {
  name: string;
  tensors: { name: string; shape: number[]; dtype: string }[];
  elements: number;
  bytes: number;
}

export interface WeightsReport {
  files: string[];
  metadata: Record<string, string>;
  layers: WeightsLayer[];
  /** Of all tensors, buffers such as running means included. */
  elements: number;
  bytes: number;
}

export interface NetworkReport extends Profile {
  kind: 'classifier' | 'generator' | 'autoencoder';
  parameters: number;
  /** Bytes of the parameters in fp32. */
  parameterBytes: number;
}

export interface Inspection {
  weights?: WeightsReport;
  network?: NetworkReport;
}

/** `source`: a file, an index of shards, a model folder, or the name of a network. */
export async function inspectModel(engine: Engine, source: string, given: Description = {}): Promise<Inspection> {
  if (!existsSync(source)) {
    if (given.architecture !== undefined) throw new SparringError('io', `${source}: expected weights of ${given.architecture}, found nothing.`, 'Check the path.');
    using model = await buildNetwork(engine, networkNamed(source), { ...imagenet, ...given }, null);
    return { network: await networkReport(engine, model, given.imageSize ?? networkNamed(source).imageSize) };
  }
  const weights = weightsReport(await engine.run((core) => core.inspectWeights(source)));
  using model = await openModel(engine, source, given);
  return { weights, ...(model && { network: await networkReport(engine, model, given.imageSize ?? 256) }) };
}

const dtypeBytes: Record<string, number> = {
  Long: 8, Double: 8, Float: 4, Int: 4, BFloat16: 2, Half: 2, Short: 2, Float8_e4m3fn: 1, Float8_e5m2: 1, Char: 1, Byte: 1, Bool: 1,
};

function weightsReport({ files, metadata, tensors }: WeightsInfo): WeightsReport {
  const layers = new Map<string, WeightsLayer>();
  for (const tensor of tensors) {
    const name = tensor.name.split('.').slice(0, -1).join('.');
    const layer = layers.get(name) ?? { name, tensors: [], elements: 0, bytes: 0 };
    const elements = tensor.shape.reduce((product, size) => product * size, 1);
    layer.tensors.push({ ...tensor, name: tensor.name.slice(name === '' ? 0 : name.length + 1) });
    layer.elements += elements;
    layer.bytes += elements * dtypeBytes[tensor.dtype]!;
    layers.set(name, layer);
  }
  const all = [...layers.values()].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  const sum = (key: 'elements' | 'bytes'): number => all.reduce((total, layer) => total + layer[key], 0);
  return { files, metadata, layers: all, elements: sum('elements'), bytes: sum('bytes') };
}

/** `size`: side of the images of an autoencoder. */
async function networkReport(engine: Engine, model: Model, size: number): Promise<NetworkReport> {
  if (model instanceof Generator && model.spec.unet.textChannels > 0) await setAnyText(engine, model);
  const profile = await engine.run((core) => core.profile(model.handle, { size }));
  const parameters = await engine.run((core) => core.parameterCount(model.handle));
  return { kind: kindOf(model), parameters, parameterBytes: 4 * parameters, ...profile };
}

export function kindOf(model: Model): NetworkReport['kind'] {
  if (model instanceof Classifier) return 'classifier';
  return model instanceof Generator ? 'generator' : 'autoencoder';
}

/** A text is needed for the pass, which one makes no difference: 77 tokens through an encoder of one block. */
async function setAnyText(engine: Engine, { handle, spec, classes }: Generator): Promise<void> {
  const contextLength = 77, { textChannels: dim } = spec.unet;
  const encoder = await engine.run((core) => core.createTextEncoder({
    vocabSize: 1, contextLength, endToken: 0, dim, depth: 1, heads: 1, mlpDim: 1, projection: 0, logitScale: false, activation: 'gelu', normEps: 1e-5, device: engine.device, seed: 0,
  }));
  await engine.run((core) => core.setTexts(handle, encoder, new Int32Array((classes.length + 1) * contextLength), { skip: 0 }));
  engine.core.dispose(encoder);
}
