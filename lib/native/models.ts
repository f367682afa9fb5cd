import { SparringError } from '../errors.js';
import { softmax } from '../metrics/softmax.js';
import type { ClassifierHandle, ClassifierSpec, DenoiserHandle, DenoiserSpec, GenerateOptions, Generated, KeyNames, Opponents, StorageType } from './contract.js';
import type { Cancellable, Engine } from './engine.js';

/** Metadata keys under which a weights file says what it is. */
const specKey = 'sparring.spec';
const kindKey = 'sparring.kind';
const classesKey = 'sparring.classes';

interface ModelFile<Spec> {
  spec: Spec;
  classes: string[];
}

interface LoadOptions {
  newHead?: boolean;
  seed?: number;
  keyNames?: KeyNames;
}

/** A classifier on the engine: a network with its normalisation, its input size and its class names. */
export class Classifier implements Disposable {
  constructor(
    readonly engine: Engine,
    readonly handle: ClassifierHandle,
    readonly spec: ClassifierSpec,
    readonly classes: readonly string[],
  ) {}

  /** A new one with random weights from `seed`. */
  static async create(engine: Engine, spec: ClassifierSpec, classes: readonly string[], seed: number): Promise<Classifier> {
    const handle = await engine.run((core) => core.createClassifier({ ...spec, device: engine.device, seed }));
    return new Classifier(engine, handle, spec, classes);
  }

  /**
   * Loads a safetensors file. A file that sparring wrote says what it is; for one of torchvision or timm pass `given`.
   * `keyNames` say what a file of yet another project calls the weights.
   * With `newHead` its head may be missing or made for another number of classes; it is then random, from `seed`.
   * Throws SparringError 'weights' when the file is damaged or does not fit, 'io' when it cannot be read.
   */
  static async load(engine: Engine, path: string, given?: ModelFile<ClassifierSpec>, { newHead = false, seed = 0, keyNames }: LoadOptions = {}): Promise<Classifier> {
    const { spec, classes } = given ?? (await readModelFile<ClassifierSpec>(engine, path, 'classifier'));
    const classifier = await Classifier.create(engine, spec, classes, seed).catch((error) => {
      throw given ? error : damagedDescription(path, error);
    });
    await engine.run((core) => core.loadWeights(classifier.handle, path, { newHead, ...(keyNames && { keyNames }) }));
    return classifier;
  }

  async save(path: string, storage: StorageType = 'fp32', notes: Record<string, string> = {}): Promise<void> {
    await this.engine.run((core) => core.saveWeights(this.handle, path, { ...modelMetadata('classifier', this), ...notes }, storage));
  }

  async clone(): Promise<Classifier> {
    const handle = await this.engine.run((core) => core.cloneClassifier(this.handle));
    return new Classifier(this.engine, handle, this.spec, this.classes);
  }

  /** Logits, [B, classes.length], of uint8 images [B, size, size, 3]. */
  logits(images: Uint8Array, options: Cancellable = {}): Promise<Float32Array> {
    return this.engine.run((core, control) => core.predict(this.handle, images, { precision: this.engine.precision }, control), options);
  }

  /** Probabilities, [B, classes.length]. */
  async probabilities(images: Uint8Array, options: Cancellable = {}): Promise<Float32Array> {
    return softmax(await this.logits(images, options), this.classes.length);
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}

/** A class-conditional diffusion model on the engine. */
export class Generator implements Disposable {
  constructor(
    readonly engine: Engine,
    readonly handle: DenoiserHandle,
    readonly spec: DenoiserSpec,
    readonly classes: readonly string[],
  ) {}

  static async create(engine: Engine, spec: DenoiserSpec, classes: readonly string[], seed: number): Promise<Generator> {
    const handle = await engine.run((core) => core.createDenoiser({ ...spec, device: engine.device, seed }));
    return new Generator(engine, handle, spec, classes);
  }

  /** Loads a generator that sparring wrote. Errors as of `Classifier.load`. */
  static async load(engine: Engine, path: string): Promise<Generator> {
    const { spec, classes } = await readModelFile<DenoiserSpec>(engine, path, 'generator');
    const generator = await Generator.create(engine, spec, classes, 0).catch((error) => {
      throw damagedDescription(path, error);
    });
    await engine.run((core) => core.loadWeights(generator.handle, path, { newHead: false }));
    return generator;
  }

  async save(path: string, storage: StorageType = 'fp32', notes: Record<string, string> = {}): Promise<void> {
    await this.engine.run((core) => core.saveWeights(this.handle, path, { ...modelMetadata('generator', this), ...notes }, storage));
  }

  /** Draws `options.classes.length` images; guided ones need both opponents. */
  generate(
    opponents: { teacher?: Classifier; student?: Classifier },
    options: Omit<GenerateOptions, 'precision'>,
    cancellable: Cancellable = {},
  ): Promise<Generated> {
    const handles: Opponents = { teacher: opponents.teacher?.handle, student: opponents.student?.handle };
    return this.engine.run((core, control) => core.generate(this.handle, handles, { ...options, precision: this.engine.precision }, control), cancellable);
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}

function modelMetadata(kind: string, model: ModelFile<unknown> | Classifier | Generator): Record<string, string> {
  return { [kindKey]: kind, [specKey]: JSON.stringify(model.spec), [classesKey]: JSON.stringify(model.classes) };
}

async function readModelFile<Spec>(engine: Engine, path: string, kind: string): Promise<ModelFile<Spec>> {
  const { metadata } = await engine.run((core) => core.inspectWeights(path));
  if (metadata[kindKey] !== kind) {
    const found = metadata[kindKey] ? `a ${metadata[kindKey]}` : 'a file without a description of its network';
    throw new SparringError('weights', `${path}: expected a ${kind}, found ${found}.`, 'For weights of another project, give the architecture in the config.');
  }
  let spec: Spec & { numClasses: number }, classes: unknown;
  try {
    spec = JSON.parse(metadata[specKey]!);
    classes = JSON.parse(metadata[classesKey]!);
  } catch (error) {
    throw damagedDescription(path, error);
  }
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string') || classes.length !== spec?.numClasses) {
    throw damagedDescription(path, new Error('the class names do not fit the number of classes'));
  }
  return { spec, classes };
}

function damagedDescription(path: string, error: unknown): unknown {
  if (error instanceof SparringError && error.code !== 'config' && error.code !== 'usage') return error;
  return new SparringError('weights', `${path}: the description of its network is damaged: ${(error as Error).message}`, 'Make the file again.', { cause: error });
}
