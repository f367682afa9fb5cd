import type { Argv, CommandModule } from 'yargs';

import { SparringError } from '../errors.js';
import { listNetworks } from '../models/catalog.js';
import { convertModel } from '../models/convert.js';
import { inspectModel } from '../models/inspect.js';
import type { Description } from '../models/open.js';
import { inspectionText, listText } from '../models/table.js';
import { verifyModel } from '../models/verify.js';
import type { StorageType } from '../native/contract.js';
import { Engine } from '../native/engine.js';
import { interruptible } from './interrupt.js';
import { checkScalars, subcommands } from './options.js';

const json = { json: { type: 'boolean', default: false, describe: 'Print one JSON object instead of text' } } as const;
const description = {
  architecture: { type: 'string', requiresArg: true, describe: 'What the weights are of, as `models list` calls it; not needed for files of sparring and for model folders' },
  'image-size': { type: 'number', requiresArg: true, describe: 'Side of the images in pixels; by default what the weights or the architecture are made for' },
  classes: { type: 'string', requiresArg: true, describe: 'How many, or their names: 10, or cat,dog; by default as many as the head has' },
  mean: { type: 'string', requiresArg: true, describe: 'Normalisation, three numbers: 0.5,0.5,0.5; default that of ImageNet' },
  std: { type: 'string', requiresArg: true, describe: 'Likewise' },
} as const;

interface DescriptionFlags {
  architecture?: string;
  'image-size'?: number;
  classes?: string;
  mean?: string;
  std?: string;
}

interface ModelFlags extends DescriptionFlags {
  model: string;
  json: boolean;
}

const openEngine = (): Promise<Engine> => Engine.open({ device: 'cpu', precision: 'fp32' });

const list: CommandModule<object, { json: boolean }> = {
  command: 'list',
  describe: 'The networks that have a name, their parameters, and whose weights they take',
  builder: (yargs) => yargs.options(json),
  handler: async (flags) => {
    const networks = await listNetworks(await openEngine());
    console.log(flags.json ? JSON.stringify(networks) : listText(networks));
  },
};

const inspect: CommandModule<object, ModelFlags> = {
  command: 'inspect <model>',
  describe: 'What is in a weights file or model folder; layers, FLOPs and memory of a network',
  builder: (yargs) => positional(yargs, 'model', 'File, index of shards, model folder, or name of a network').options({ ...description, ...json }) as never,
  handler: async (flags) => {
    const inspection = await inspectModel(await openEngine(), flags.model, descriptionOf(flags));
    console.log(flags.json ? JSON.stringify(inspection) : inspectionText(inspection));
  },
};

const convert: CommandModule<object, DescriptionFlags & { from: string; to: string; dtype: StorageType }> = {
  command: 'convert <from> <to>',
  describe: 'Write weights of another project, shards or a model folder as one file of sparring',
  builder: (yargs) =>
    positional(positional(yargs, 'from', 'File, index of shards or model folder'), 'to', 'Safetensors file to write')
      .options(description)
      .option('dtype', { choices: ['fp32', 'fp16', 'bf16'] as const, default: 'fp32' as const, requiresArg: true, describe: 'Precision of what is written' }) as never,
  handler: async (flags) => {
    await convertModel(await openEngine(), flags.from, flags.to, { ...descriptionOf(flags), storage: flags.dtype });
    console.log(`Wrote ${flags.to}`);
  },
};

const verify: CommandModule<object, ModelFlags> = {
  command: 'verify <model>',
  describe: 'Read everything: layout, finite values, whether it fits; prints checksums (exit code 1 when something is wrong)',
  builder: (yargs) => positional(yargs, 'model', 'File, index of shards or model folder').options({ ...description, ...json }) as never,
  handler: async (flags) => {
    const engine = await openEngine();
    const result = await interruptible((signal) => verifyModel(engine, flags.model, descriptionOf(flags), { signal }));
    if (flags.json) {
      console.log(JSON.stringify(result));
      return;
    }
    for (const { path, bytes, sha256 } of result.files) console.log(`${sha256}  ${path}  ${bytes} bytes`);
    console.log(`${result.tensors} tensors, all finite; ${result.fits ? `they fit: ${result.fits}` : 'nothing says what they are of (--architecture)'}`);
  },
};

export const command: CommandModule = {
  command: 'models <command>',
  describe: 'List networks; inspect, convert or verify weights',
  builder: (yargs) => subcommands(yargs, 'models', [list, inspect, convert, verify]),
  handler: () => {},
};

function positional(yargs: Argv, name: string, describe: string): Argv {
  return yargs.positional(name, { type: 'string', demandOption: true, describe });
}

function descriptionOf(flags: DescriptionFlags): Description {
  checkScalars(flags);
  const size = flags['image-size'];
  if (size !== undefined && !(Number.isInteger(size) && size >= 1)) throw new SparringError('usage', `--image-size: expected a whole number of pixels, found ${size}.`);
  return {
    ...(flags.architecture !== undefined && { architecture: flags.architecture }),
    ...(size !== undefined && { imageSize: size }),
    ...(flags.classes !== undefined && { classes: classNames(flags.classes) }),
    ...(flags.mean !== undefined && { mean: triple('mean', flags.mean) }),
    ...(flags.std !== undefined && { std: triple('std', flags.std) }),
  };
}

/** A number of classes, which are then called by theirs, or their names. */
function classNames(text: string): string[] {
  if (!/^\d+$/.test(text)) return text.split(',').map((name) => name.trim());
  if (Number(text) < 1 || Number(text) > 2 ** 20) throw new SparringError('usage', `--classes: expected at least 1 class, found ${text}.`);
  return Array.from({ length: Number(text) }, (_, i) => String(i));
}

function triple(flag: string, text: string): readonly [number, number, number] {
  const values = text.split(',').map(Number);
  if (values.length !== 3 || !values.every(Number.isFinite)) throw new SparringError('usage', `--${flag}: expected three numbers such as 0.5,0.5,0.5, found ${text}.`);
  return values as [number, number, number];
}
