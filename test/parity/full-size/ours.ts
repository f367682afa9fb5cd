/**
 * Our side of one architecture, in a process of its own: loads the weights as the product does and compares.
 *
 *   node --import tsx test/parity/full-size/ours.ts description.json
 *
 * The description is that of test/parity/full_size.py. The last line printed is JSON, { [part]: { [value]: Errors } }.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { openClip, openTextTower } from '../../../lib/clip/open.js';
import { ClipTextEncoder } from '../../../lib/clip/text-encoder.js';
import { zeroShotClassifier } from '../../../lib/clip/zero-shot.js';
import { architecture as architectureSchema, architectureNamed } from '../../../lib/config/architectures.js';
import { autoencoderKeyNames } from '../../../lib/config/autoencoder-keys.js';
import { autoencoderSpecs } from '../../../lib/config/autoencoders.js';
import { unetConfig } from '../../../lib/diffusion/unet-config.js';
import type { ClassifierHandle, Precision } from '../../../lib/native/contract.js';
import { Engine } from '../../../lib/native/engine.js';
import { Classifier } from '../../../lib/native/models.js';
import { readSafetensors } from '../../support/safetensors.js';
import type { FullSize } from './architectures.js';
import { medianError, type Errors, type Job } from './report.js';

/** What a part gives: values by name, in a precision. */
type Values = Record<string, Float32Array>;
type Parts = Record<string, (precision: Precision) => Promise<Values>>;
type Of<Kind extends FullSize['kind']> = Extract<FullSize, { kind: Kind }> & Job;

const job = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as FullSize & Job;
const engine = await Engine.open({ device: 'cpu', threads: job.threads, precision: 'fp32' });
const { core } = engine;
const { tensors } = readSafetensors(join(job.folder, 'case.safetensors'));
const floats = (name: string): Float32Array => tensors[name].values as Float32Array;
const weights = join(job.folder, 'weights.safetensors');

/** Logits and gradient of a classifier, named as of the reference. */
function classifierPart(handle: ClassifierHandle, part: string): Parts {
  return {
    [part]: async (precision) => {
      const { logits, gradient } = await core.classifierGradient(handle, { x: floats(`${part}.x`), direction: floats(`${part}.cotangent`), precision });
      return { output: logits, gradient };
    },
  };
}

async function classifier({ ours, changed, classes, size }: Of<'classifier'>): Promise<Parts> {
  const architecture = architectureSchema.parse({ ...architectureNamed(ours, 'ours'), ...changed });
  const spec = { architecture, numClasses: classes, imageSize: size, mean: [0, 0, 0], std: [1, 1, 1] } as const; // x is what the network itself takes
  const { handle } = await Classifier.load(engine, weights, { spec, classes: Array.from({ length: classes }, String) });
  return classifierPart(handle, 'logits');
}

const textEmbeddings = async (encoder: ClipTextEncoder, part: string): Promise<Values> => {
  const { embeddings, gradient } = await core.textEncoderGradient(encoder.handle, { tokens: Int32Array.from(tensors[`${part}.tokens`].values), skip: 0, direction: floats(`${part}.cotangent`) });
  return { output: embeddings, gradient };
};

async function clip({ reference, size, classes, prompts, folder }: Of<'clip'>): Promise<Parts> {
  const path = 'openai' in reference ? join(folder, 'model.safetensors') : folder;
  const { handle } = await zeroShotClassifier(engine, { clip: path, prompts, names: {} }, { classes: [...classes], imageSize: size });
  const model = await openClip(engine, path);
  const encoder = await ClipTextEncoder.load(engine, model.weights, model.text, model.keyNames.text);
  return { ...classifierPart(handle, 'zero-shot logits'), 'text embeddings': () => textEmbeddings(encoder, 'text embeddings') };
}

async function text({ folder }: Of<'text'>): Promise<Parts> {
  const model = await openTextTower(engine, folder);
  const encoder = await ClipTextEncoder.load(engine, model.weights, model.text, model.keyNames);
  const states = (part: string, skip: number) => async (): Promise<Values> => {
    const tokens = Int32Array.from(tensors[`${part}.tokens`].values);
    const direction = new Float32Array((tokens.length / model.text.contextLength) * model.text.dim);
    return { output: (await core.textEncoderGradient(encoder.handle, { tokens, skip, direction })).states };
  };
  return {
    states: states('states', 0),
    'states without the last block': states('states without the last block', 1),
    'text embeddings': () => textEmbeddings(encoder, 'text embeddings'),
  };
}

async function unet({ folder, size }: Of<'unet'>): Promise<Parts> {
  const path = join(folder, 'config.json');
  const { unet } = unetConfig(JSON.parse(readFileSync(path, 'utf8')), path);
  return {
    output: async (precision) => {
      const { output, gradient, textGradient } = await engine.run(() => core.unetGradient({
        unet, weights: join(folder, 'diffusion_pytorch_model.safetensors'), size, x: floats('output.x'), timesteps: tensors['output.timestep'].values, classes: null,
        text: unet.textChannels > 0 ? floats('output.text') : null, direction: floats('output.cotangent'), precision,
      }));
      return { output, gradient, ...(textGradient && { 'text gradient': textGradient }) };
    },
  };
}

async function autoencoder({ ours, size }: Of<'autoencoder'>): Promise<Parts> {
  const spec = autoencoderSpecs[ours];
  const model = await core.createAutoencoder({ ...spec, device: 'cpu', seed: 0 });
  const keyNames = autoencoderKeyNames(spec, await core.inspectWeights(weights));
  await engine.run(() => core.loadWeights(model, weights, { newHead: false, keyNames }));
  const given = (part: string) => ({ x: floats(`${part}.x`), direction: floats(`${part}.cotangent`), size });
  return {
    encoder: async (precision) => {
      const { latents, gradient } = await core.encodeGradient(model, { ...given('encoder'), noise: null, precision });
      return { output: latents, gradient };
    },
    decoder: async (precision) => {
      const { images, gradient } = await core.decodeGradient(model, { ...given('decoder'), precision });
      return { output: images, gradient };
    },
    ...(spec.kind === 'vqgan' && { codes: async () => ({ output: (await core.quantise(model, floats('codes.x'), { size })).latents }) }),
  };
}

function open(): Promise<Parts> {
  switch (job.kind) {
    case 'classifier': return classifier(job);
    case 'clip': return clip(job);
    case 'text': return text(job);
    case 'unet': return unet(job);
    case 'autoencoder': return autoencoder(job);
  }
}

const found: Record<string, Record<string, Errors>> = {};
const parts = await open();
for (const [part, { values }] of Object.entries(job.parts!)) {
  const run = parts[part]!;
  const inFp32 = await run('fp32');
  const inBf16 = values.output!.bf16 === undefined ? undefined : await run('bf16');
  const rows = tensors[`${part}.x`]?.shape[0] ?? 1;
  const error = (values: Float32Array, expected: string): number => medianError(values, tensors[expected].values, rows);
  found[part] = Object.fromEntries(Object.entries(values).map(([name, known]) => {
    const key = `${part}.${name}`;
    return [name, {
      fp32: error(inFp32[name]!, key),
      exact: { ours: error(inFp32[name]!, `${key}.fp64`), reference: known.fp32 },
      ...(inBf16 && { bf16: { ours: error(inBf16[name]!, key), reference: known.bf16! } }),
    }];
  }));
}
console.log(JSON.stringify({ parts: found, libtorch: core.info().libtorch }));
