/** A study: which datasets, variants, methods and seeds are compared, each as a config laid over a common one. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';

import { SparringError } from '../errors.js';
import { methods } from '../report/rows.js';
import { folderName } from './folder-name.js';
import { absolutePaths, applyOverrides, checked, readConfigFile, readTree, resolveConfig, type Tree } from './load.js';
import { overlay } from './overlay.js';
import { configSchema, type Config } from './schema.js';

const layer = z.record(z.string(), z.unknown());
const layers = z.record(folderName, layer).refine((named) => Object.keys(named).length > 0, 'expected at least one');

/** Keys of a config that a study sets for each of its runs; a dataset or variant may still choose its `methods`. */
const ownKeys: readonly string[] = ['name', 'output', 'seed', 'seeds', 'threads'];
const baseKeys: readonly string[] = [...ownKeys, 'methods'];

export const studySchema = z.strictObject({
  name: folderName.default('study').describe('title of the report'),
  output: z.string().optional().describe('folder of the study; default runs/<name>'),
  base: z.union([z.string(), layer]).default({}).describe('config of all runs, or the path of one'),
  datasets: layers.describe('by name, what each dataset lays over the base'),
  variants: layers.default({ base: {} }).describe('by name, what each variant (a budget, an objective) lays over that'),
  quick: layer.default({}).describe('laid over all with --quick'),
  methods: configSchema.shape.methods.describe('rows beside teacher and edrm'),
  reference: z.enum(methods).default('edrm').describe('row that the others are compared with'),
  seeds: z.array(z.int().min(0).max(2 ** 31)).min(1).refine((seeds) => new Set(seeds).size === seeds.length, 'expected each seed once').default([0, 1, 2]).describe('one run for each; teacher, generator and discretiser are trained once, with the first one at that time'),
  processes: z.int().min(1).max(256).default(1).describe('runs at the same time'),
  threads: z.int().min(0).max(1024).default(0).describe('CPU threads of each process; 0 = the cores shared out among them'),
});

/** One dataset in one variant. */
export interface Cell {
  dataset: string;
  variant: string;
  /** Without what differs between its runs: seed, output, threads. */
  config: Config;
}

export interface Study extends Omit<z.output<typeof studySchema>, 'base' | 'datasets' | 'variants' | 'quick' | 'output'> {
  output: string;
  cells: Cell[];
}

export interface StudyOptions {
  /** Overrides such as `seeds=[0, 1]` or `datasets.mnist.data.root=mnist`, applied to the file. */
  set?: readonly string[];
  /** Lays `quick` over every config and works in a folder of its own, `<output>-quick`. */
  quick?: boolean;
  /** Over those of the file. */
  output?: string;
  processes?: number;
  threads?: number;
}

/** Reads a study from a YAML or JSON file; relative paths in its configs start at its folder. Throws SparringError 'config'. */
export function readStudy(path: string, options: StudyOptions = {}): Study {
  const tree = readTree(path);
  const folder = dirname(path);
  for (const layer of layersOf(tree)) absolutePaths(layer, folder);
  if (typeof tree.base === 'string' && !isAbsolute(tree.base)) tree.base = resolve(folder, tree.base);
  return resolveStudy(applyOverrides(tree, options.set ?? []), options, path);
}

/** Fills in defaults, lays the configs over one another and checks each. Throws SparringError 'config'. */
export function resolveStudy(given: unknown, { quick = false, output, processes, threads }: Omit<StudyOptions, 'set'> = {}, source = 'study'): Study {
  const flags = { ...(output !== undefined && { output }), ...(processes !== undefined && { processes }), ...(threads !== undefined && { threads }) };
  const study = checked(studySchema, isTree(given) ? { ...given, ...flags } : given, source, 'docs/study.md');
  checkTogether(study, source);
  const base = typeof study.base === 'string' ? withoutOwnKeys(readConfigFile(study.base)) : study.base;
  const cells = Object.entries(study.datasets).flatMap(([dataset, lower]) =>
    Object.entries(study.variants).map(([variant, upper]): Cell => {
      const tree = [lower, upper, ...(quick ? [study.quick] : [])].reduce(overlay, base);
      return { dataset, variant, config: resolveConfig({ methods: study.methods, ...tree }, `${source}, dataset ${dataset}, variant ${variant}`) };
    }),
  );
  const { base: _base, datasets: _datasets, variants: _variants, quick: _quick, ...rest } = study;
  const folder = study.output ?? join('runs', study.name);
  return { ...rest, output: quick ? `${folder}-quick` : folder, cells };
}

/** What the schema cannot know. */
function checkTogether(study: z.output<typeof studySchema>, source: string): void {
  const { base, datasets, variants, quick, reference, methods: wanted } = study;
  const refuse = (where: string, tree: Tree, keys: readonly string[]): void => {
    const key = keys.find((one) => one in tree);
    if (key !== undefined) throw new SparringError('config', `${source}: ${where}.${key}: expected no such key, since the study sets it for each run, found ${JSON.stringify(tree[key])}.`, `Give '${key === 'seed' ? 'seeds' : key}' at the top of the study.`);
  };
  if (typeof base !== 'string') refuse('base', base, baseKeys);
  refuse('quick', quick, baseKeys);
  for (const [section, named] of Object.entries({ datasets, variants })) {
    for (const [key, tree] of Object.entries(named)) refuse(`${section}.${key}`, tree, ownKeys);
  }
  const rows = ['teacher', 'edrm', ...wanted];
  if (!rows.includes(reference)) throw new SparringError('config', `${source}: reference: expected one of ${rows.join(', ')}, found "${reference}".`, 'Add it to methods, or compare with another row.');
}

/** A config file is one of a single run too: what the study says instead is passed over. */
function withoutOwnKeys(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([key]) => !baseKeys.includes(key)));
}

/** The configs in a study that was not checked yet. */
function layersOf({ base, datasets, variants, quick }: Tree): Tree[] {
  const named = [datasets, variants].flatMap((group) => (isTree(group) ? Object.values(group) : []));
  return [base, quick, ...named].filter(isTree);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
