/** From a YAML or JSON file and `--set a.b=1` to a complete Config, or one error that says where. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse } from 'yaml';
import type { z } from 'zod';

import { SparringError } from '../errors.js';
import { smallestSide } from '../data/corruptions.js';
import { discretisingRun, recipes } from '../methods/recipes.js';
import { architectureNamed, architectureProblem } from './architectures.js';
import { isTrainedDiscretiser } from './discretiser.js';
import { withoutPreset } from './presets.js';
import { oodFolders } from './ood.js';
import { configSchema, type Config } from './schema.js';
import { nearest } from './suggest.js';

/** What a YAML file with keys and values holds. */
export type Tree = Record<string, unknown>;

/** Keys of weights on disk. */
const weightKeys = ['teacher.weights', 'teacher.start', 'teacher.zeroShot.clip', 'generator.weights', 'generator.start', 'generator.pretrained.path', 'discretiser.weights', 'discretiser.pretrained.path', 'discretiser.lpips', 'sampling.guidance.decoder'];

/** Keys whose relative paths are meant from the folder of the config file. */
const pathKeys = ['data.root', 'data.file', 'dad.stores', ...weightKeys, ...oodFolders.map((key) => `ood.${key}`), 'spurious.root', 'spurious.imageNet'];

/** Reads a config file. Relative paths in it start at its own folder. */
export function readConfigFile(path: string): Tree {
  return absolutePaths(readTree(path), dirname(path));
}

/** Reads a file of keys and values. */
export function readTree(path: string): Tree {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SparringError('config', `${path}: cannot be read (${(error as NodeJS.ErrnoException).code}).`, 'Check the path.', { cause: error });
  }
  let tree: unknown;
  try {
    tree = parse(text) ?? {};
  } catch (error) {
    throw new SparringError('config', `${path}: not valid YAML or JSON: ${firstLine(error)}`, 'Correct that line.', { cause: error });
  }
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) {
    throw new SparringError('config', `${path}: expected keys and values, found ${Array.isArray(tree) ? 'a list' : typeof tree}.`);
  }
  return tree as Tree;
}

/** Makes relative paths of a config start at `folder`, in place. */
export function absolutePaths(tree: Tree, folder: string): Tree {
  for (const keys of pathKeys) {
    const sections = keys.split('.');
    const key = sections.pop()!;
    const section = sectionAt(tree, sections);
    const value = section?.[key];
    if (Array.isArray(value)) section![key] = value.map((one: unknown) => absolute(one, folder));
    else if (value !== undefined) section![key] = absolute(value, folder);
  }
  return tree;
}

/** What is no text is left for the schema to refuse. */
function absolute(path: unknown, folder: string): unknown {
  return typeof path === 'string' && !isAbsolute(path) ? resolve(folder, path) : path;
}

/** The paths of all weights that a config names, but for those at and below the given keys. */
export function weightPaths(config: Config, passedOver: readonly string[] = []): string[] {
  return weightKeys.filter((keys) => !passedOver.some((key) => keys === key || keys.startsWith(`${key}.`))).map((keys): unknown => sectionAt(config, keys.split('.'))).filter((path) => typeof path === 'string');
}

function sectionAt(tree: Tree, keys: readonly string[]): Tree | undefined | null {
  return keys.reduce<Tree | undefined | null>((node, name) => node?.[name] as Tree | undefined | null, tree);
}

/** Applies overrides such as `rounds.count=3`; values are YAML, so `true`, `1e-3` and `[1, 2]` mean what they say. */
export function applyOverrides(tree: Tree, overrides: readonly string[]): Tree {
  const result = structuredClone(tree);
  for (const override of overrides) {
    const equals = override.indexOf('=');
    const path = override.slice(0, equals).split('.');
    if (equals < 1 || path.some((key) => key === '' || key === '__proto__')) {
      throw new SparringError('usage', `--set ${override}: expected path.to.key=value.`, 'For example --set rounds.count=3');
    }
    let node = result;
    for (const key of path.slice(0, -1)) {
      const next = node[key] ?? {};
      if (typeof next !== 'object' || Array.isArray(next)) throw new SparringError('usage', `--set ${override}: ${key} is not a section.`);
      node = (node[key] = next) as Tree;
    }
    try {
      node[path.at(-1)!] = parse(override.slice(equals + 1));
    } catch (error) {
      throw new SparringError('usage', `--set ${override}: the value is not valid YAML: ${firstLine(error)}`, "Put text with special characters in quotes: --set 'data.root=\"a: b\"'", { cause: error });
    }
  }
  return result;
}

/** Fills in defaults and checks every value. Throws SparringError 'config' naming path, expected and found. */
export function resolveConfig(given: unknown, source = 'config'): Config {
  const config = checked(configSchema, withoutNames(given, source), source, 'docs/config.md');
  checkTogether(config, source);
  return config;
}

/** What a schema makes of a tree, or a SparringError 'config' for the first thing in it that does not fit. */
export function checked<Schema extends z.ZodType>(schema: Schema, tree: unknown, source: string, docs: string): z.output<Schema> {
  const result = schema.safeParse(tree);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describe(issue, tree, schema, docs));
  throw new SparringError('config', `${source}: ${problems[0].message}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''}`, problems[0].hint);
}

/** The config with `architecture: resnet18`, `preset: fast` and the like written out. */
function withoutNames(tree: unknown, source: string): unknown {
  if (typeof tree !== 'object' || tree === null) return tree;
  const result: Tree = { ...tree };
  for (const section of ['teacher', 'student']) {
    const own = result[section] as Tree | null | undefined;
    if (typeof own?.architecture === 'string') result[section] = { ...own, architecture: architectureNamed(own.architecture, `${source}: ${section}.architecture`) };
  }
  const sampling = result.sampling as Tree | null | undefined;
  if (typeof sampling === 'object' && sampling?.preset !== undefined) result.sampling = withoutPreset(sampling, `${source}: sampling`);
  return result;
}

/** What no single field can know. */
function checkTogether(config: Config, source: string): void {
  const fail = (message: string, hint: string): never => {
    throw new SparringError('config', `${source}: ${message}`, hint);
  };
  const { data, generator, rounds, sampling } = config;
  if (Math.round(rounds.training.batchSize * rounds.replay) === rounds.training.batchSize) fail(`rounds.replay: ${rounds.replay} of ${rounds.training.batchSize} images leaves no real one in a batch.`, 'Lower it; some real images must stay in each batch.');
  if (sampling.guidance.kind === 'step' && sampling.guidance.until > sampling.guidance.from) {
    fail(`sampling.guidance.until: expected at most ${sampling.guidance.from}, the value of from, found ${sampling.guidance.until}.`, 'Time runs from 1 (pure noise) down to 0.');
  }
  checkStarts(config, fail);
  checkChain(config, fail);
  const { augment } = config.rounds.training;
  const paired = config.methods.find((method) => recipes[method].counterparts ?? recipes[method].online);
  if (paired && augment.policy === 'augmix') fail(`rounds.training.augment.policy: expected another one for ${paired}, found augmix.`, 'Adversaries have no mixed versions; leave the row out, or take randaugment.');
  if (sampling.guidance.decoder !== undefined && !generator.pretrained) fail('sampling.guidance.decoder: expected generator.pretrained beside it, found none.', 'A generator of pixels has no latents to decode; leave decoder out.');
  const { lpips, perceptualWeight } = config.discretiser;
  if (lpips !== undefined && !isTrainedDiscretiser(config.discretiser)) fail('discretiser.lpips: expected a discretiser to train beside it, found one that is given.', 'Leave lpips out.');
  if (lpips !== undefined && perceptualWeight === 0) fail('discretiser.lpips: expected discretiser.perceptualWeight above 0 beside it, found 0.', 'Leave one of the two out.');
  for (const role of ['teacher', 'generator'] as const) {
    if (config[role].weights && config[role].start) fail(`${role}: expected weights or start, found both.`, 'With weights it is ready to use; with start it is trained on from them.');
  }
  if (generator.pretrained && (generator.weights ?? generator.start)) fail('generator: expected pretrained, weights or start, found two of them.', 'A published model is used as it is.');
  if (sampling.eta > 0 && sampling.sampler !== 'ddim') fail(`sampling.eta: expected 0, since it belongs to ddim, found ${sampling.eta} with ${sampling.sampler}.`, 'Take sampling.sampler ddim or leave eta out.');
  const { zeroShot } = config.teacher;
  checkGivenAdversaries(config, fail);
  if (zeroShot && (config.teacher.weights ?? config.teacher.start)) fail(`teacher: expected zeroShot, weights or start, found two of them.`, 'For training from a saved zero-shot teacher give its file as start.');
  const size = data.kind === 'spuco-mnist' ? 28 : data.imageSize;
  if (config.evaluation.corruptions && size < smallestSide) fail(`evaluation.corruptions: expected images of at least ${smallestSide} px, found ${size} px.`, 'Leave it out, or raise data.imageSize.');
  for (const role of ['teacher', 'student'] as const) {
    if (role === 'teacher' && (config.teacher.weights || zeroShot)) continue; // a file may say what the network is
    const problem = architectureProblem(config[role].architecture, size);
    if (problem) fail(`${role}.architecture: ${problem}`, 'Choose another architecture or image size.');
  }
  if (generator.weights ?? generator.start ?? generator.pretrained) return; // the file says what the network is
  if (generator.attention.length !== generator.blockChannels.length) {
    fail(`generator.attention: expected ${generator.blockChannels.length} entries, one per level, found ${generator.attention.length}.`, 'Give 0 or 1 for each entry of blockChannels.');
  }
  for (const [level, channels] of generator.blockChannels.entries()) {
    // The lowest resolution always has attention, between the way down and the way up.
    const attends = generator.attention[level] === 1 || level === generator.blockChannels.length - 1;
    if (channels % generator.normGroups !== 0) fail(`generator.normGroups: ${generator.normGroups} does not divide ${channels} channels.`, 'Choose a divisor of every level.');
    if (attends && channels > generator.headDim && channels % generator.headDim !== 0) fail(`generator.headDim: ${generator.headDim} does not divide ${channels} channels.`, 'Choose a divisor of every level with attention, and of the last.');
  }
  const factor = 2 ** (generator.blockChannels.length - 1);
  if (size % factor !== 0) fail(`generator.blockChannels: ${generator.blockChannels.length} levels need an image size divisible by ${factor}, found ${size}.`, 'Use fewer levels or another data.imageSize.');
}

/** Discrete adversaries belong to a teacher and a discretiser: to other ones than any that the run would train. */
function checkGivenAdversaries({ dad: { stores }, teacher, discretiser }: Config, fail: (message: string, hint: string) => never): void {
  if (stores.length === 0) return;
  if (!teacher.weights) fail('dad.stores: expected teacher.weights beside it, found none.', 'Give those that sparring discretise was given.');
  if (!discretiser.weights && !discretiser.pretrained) fail('dad.stores: expected discretiser.weights or discretiser.pretrained beside it, found neither.', 'Give what sparring discretise was given.');
}

function checkChain({ sampling: { guidance, sampler, steps, start, guidanceScale } }: Config, fail: (message: string, hint: string) => never): void {
  if (guidance.kind !== 'chain') return;
  if (sampler === 'dpm-solver++-2m') {
    fail('sampling.sampler: expected ddim, ddpm or euler for guidance through the chain, found dpm-solver++-2m.', 'Its steps depend on earlier ones, which cannot be run again by themselves.');
  }
  const taken = start.kind === 'noise' ? steps : Math.floor(steps * start.strength);
  if (guidance.lastPredictions > taken) fail(`sampling.guidance.lastPredictions: expected at most ${taken}, the steps that are taken, found ${guidance.lastPredictions}.`, 'Lower it, or raise sampling.steps.');
  const { moved } = guidance.conditions;
  if ((moved === 'null' || moved === 'both') && guidanceScale === 1) {
    fail(`sampling.guidance.conditions.moved: expected none or class with sampling.guidanceScale 1, found ${moved}.`, 'Without classifier-free guidance the generator is not asked without a class.');
  }
}

/** Runs from images take a share of the steps, which must leave one, and one that is guided. */
function checkStarts({ methods, sampling, dad }: Config, fail: (message: string, hint: string) => never): void {
  const { start, steps, guidance, sampler, eta, guidanceScale } = sampling;
  if (start.kind === 'inversion' && (sampler !== 'ddim' || eta !== 0)) {
    fail(`sampling.start: expected sampling.sampler ddim with eta 0 for inversion, found ${sampler}${sampler === 'ddim' ? ` with eta ${eta}` : ''}.`, 'It finds the noise from which that one gives the image.');
  }
  if (start.kind === 'inversion' && start.nullText.iterations > 0 && guidanceScale === 1) {
    fail('sampling.start.nullText: expected a sampling.guidanceScale other than 1, found 1.', 'Without classifier-free guidance the image comes back as it is; leave nullText out.');
  }
  if (start.kind !== 'noise' && guidance.kind === 'step' && guidance.until > start.strength) {
    fail(`sampling.guidance.until: expected at most ${start.strength}, where runs from images begin, found ${guidance.until}.`, 'Lower it, or raise sampling.start.strength.');
  }
  const rows = methods.map((method) => ({ where: `methods: ${method}`, start: recipes[method].images?.start }));
  const discretising = methods.filter((method) => recipes[method].counterparts === 'generator').map(() => ({ where: 'dad.generatorStrength', start: discretisingRun({ sampling, dad }).start }));
  for (const { where, start: given } of [{ where: 'sampling.start.strength', start }, ...rows, ...discretising]) {
    if (!given || given.kind === 'noise') continue;
    const least = 'strengths' in given ? Math.min(...given.strengths) : given.strength;
    if (Math.floor(steps * least) < 1) fail(`${where}: a strength of ${least} takes none of ${steps} steps.`, 'Raise sampling.steps.');
  }
}

function describe(issue: z.core.$ZodIssue, tree: unknown, schema: z.ZodType, docs: string): { message: string; hint?: string } {
  const path = issue.path.join('.');
  const where = path ? `${path}: ` : '';
  const found = JSON.stringify(issue.path.reduce<unknown>((node, key) => (node as Tree | undefined)?.[key as string], tree)) ?? 'nothing';
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0];
    const known = knownKeys(schema, issue.path.map(String));
    const guess = nearest(key, known);
    // Where a section has several kinds, the key may be right for another of them.
    const hint = known.includes(key) ? `Another kind of '${path}' has it; see ${docs}.` : guess ? `Did you mean '${guess}'?` : `See ${docs} for the keys.`;
    return { message: `unknown key '${[...issue.path, key].join('.')}'.`, hint };
  }
  if (issue.code === 'invalid_key') { // what is wrong is the name, not what it names
    const [section, name] = [issue.path.slice(0, -1).join('.'), issue.path.at(-1)];
    return { message: `${section}: ${issue.issues[0].message}, in a name, found ${JSON.stringify(name)}.`, hint: 'The name is that of a folder too; choose another.' };
  }
  const allowed = allowedValues(issue);
  const expected = allowed.length > 0 ? `expected one of ${allowed.join(', ')}` : issue.message.replace(/^(Invalid input|Too small|Too big): /, '').replace(/, received .*$/, '');
  return { message: `${where}${expected}, found ${found}.`, hint: `See ${docs} for the keys and their units.` };
}

/** The values that a field takes, when it takes only certain ones. */
function allowedValues(issue: z.core.$ZodIssue): unknown[] {
  if (issue.code === 'invalid_value') return issue.values;
  if (issue.code !== 'invalid_union') return [];
  return 'options' in issue && Array.isArray(issue.options) ? issue.options : issue.errors.flat().flatMap(allowedValues);
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n')[0];
}

/** Keys that may stand below a path of a schema. */
function knownKeys(schema: z.ZodType, path: string[]): string[] {
  let node: unknown = schema.toJSONSchema({ io: 'input', unrepresentable: 'any' });
  for (const key of path) node = properties(node)[key];
  return Object.keys(properties(node));
}

function properties(node: unknown): Tree {
  const { properties: own = {}, anyOf = [], oneOf = [], allOf = [] } = (node ?? {}) as { properties?: Tree; anyOf?: unknown[]; oneOf?: unknown[]; allOf?: unknown[] };
  return Object.assign({}, ...[...anyOf, ...oneOf, ...allOf].map(properties), own);
}
