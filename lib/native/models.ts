import { autoencoderKeyNames } from '../config/autoencoder-keys.js';
import { SparringError } from '../errors.js';
import { softmax } from '../metrics/softmax.js';
import type {
  AutoencoderHandle, AutoencoderSpec, ClassifierHandle, ClassifierSpec, DenoiserHandle, DenoiserSpec, DiscreteAdversaries, DiscreteAttack, DiscretiserHandle, EvaluationAttack, GenerateOptions, Generated, KeyNames, Opponents, OpposeOptions, SamplingOptions,
  StorageType,
} from './contract.js';
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

function checkClasses({ numClasses }: { numClasses: number }, classes: readonly string[]): void {
  if (classes.length !== numClasses) throw new SparringError('usage', `classes: expected ${numClasses} names, as numClasses says, found ${classes.length}.`);
}

/** A classifier on the engine: a network with its normalisation, its input size and its class names. */
export class Classifier implements Disposable {
  constructor(
    readonly engine: Engine,
    readonly handle: ClassifierHandle,
    readonly spec: ClassifierSpec,
    readonly classes: readonly string[],
  ) {}

  /** A new one with random weights from `seed`; null: see Placement. */
  static async create(engine: Engine, spec: ClassifierSpec, classes: readonly string[], seed: number | null): Promise<Classifier> {
    checkClasses(spec, classes);
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
    const { spec, classes } = given ?? (await Classifier.describe(engine, path));
    const classifier = await Classifier.create(engine, spec, classes, newHead ? seed : null).catch((error) => {
      throw given ? error : damagedDescription(path, error);
    });
    await engine.run((core) => core.loadWeights(classifier.handle, path, { newHead, ...(keyNames && { keyNames }) }));
    return classifier;
  }

  /** What a file that sparring wrote says it is. Throws SparringError 'weights'. */
  static describe(engine: Engine, path: string): Promise<ModelFile<ClassifierSpec>> {
    return readModelFile<ClassifierSpec>(engine, path, 'classifier');
  }

  /**
   * The network of a TorchScript file as classifier, with gradients to its images; it can be neither trained nor saved.
   * Throws SparringError 'weights' when the file is damaged, or its network does not take images of `spec.imageSize` or
   * has not one output for each class.
   */
  static async openTorchScript(engine: Engine, path: string, spec: Omit<ClassifierSpec, 'architecture'>, classes: readonly string[]): Promise<Classifier> {
    const handle = await engine.run((core) => core.openTorchScript(path, { ...spec, device: engine.device }));
    return new Classifier(engine, handle, { ...spec, architecture: { family: 'torchscript' } }, classes);
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

  /** What the head takes, [B, D]. Throws SparringError 'weights' for a TorchScript network, whose head is unknown. */
  features(images: Uint8Array, options: Cancellable = {}): Promise<Float32Array> {
    return this.engine.run((core, control) => core.features(this.handle, images, { precision: this.engine.precision }, control), options);
  }

  /** Logits, [B, classes.length], of images that are moved so that it takes them for another class than their labels, [B]. */
  attack(images: Uint8Array, labels: Int32Array, options: EvaluationAttack & { seeds: ArrayLike<number> }, cancellable: Cancellable = {}): Promise<Float32Array> {
    return this.engine.run((core, control) => core.attack(this.handle, images, labels, { ...options, precision: this.engine.precision }, control), cancellable);
  }

  /** Discrete adversaries of images by their labels, [B]. */
  discreteAdversaries(discretiser: Discretiser, images: Uint8Array, labels: Int32Array, options: DiscreteAttack & { seeds: ArrayLike<number> }, cancellable: Cancellable = {}): Promise<DiscreteAdversaries> {
    return this.engine.run((core, control) => core.discreteAdversarial(this.handle, discretiser.handle, images, labels, { ...options, precision: this.engine.precision }, control), cancellable);
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}

/** What an image goes through to become a discrete one: an `Autoencoder` of kind `vqgan`, or `Generator.asDiscretiser()`. */
export interface Discretiser {
  readonly handle: DiscretiserHandle;
}

/** Makes what a generator is told of images from their captions. */
export interface CaptionEncoder extends Disposable {
  /** Of images of these classes, [N]: for `conditions` of `Generator.generate`. */
  conditionsOf(labels: readonly number[], captions: readonly string[]): Promise<Float32Array>;
}

/** A diffusion model on the engine, which draws images of a class. */
export class Generator implements Disposable {
  /** Of one whose prompt has a place for the caption of an image. */
  captions: CaptionEncoder | null = null;

  constructor(
    readonly engine: Engine,
    readonly handle: DenoiserHandle,
    readonly spec: DenoiserSpec,
    readonly classes: readonly string[],
  ) {}

  /** A new one with random weights from `seed`, null as above; with `autoencoder` it works on the latents of that. */
  static async create(engine: Engine, spec: DenoiserSpec, classes: readonly string[], seed: number | null, autoencoder: Autoencoder | null = null): Promise<Generator> {
    checkClasses(spec, classes);
    const handle = await engine.run((core) => core.createDenoiser({ ...spec, device: engine.device, seed }, autoencoder?.handle ?? null));
    return new Generator(engine, handle, spec, classes);
  }

  /** Loads a generator that sparring wrote. Errors as of `Classifier.load`. */
  static async load(engine: Engine, path: string): Promise<Generator> {
    const { spec, classes } = await readModelFile<DenoiserSpec>(engine, path, 'generator');
    const generator = await Generator.create(engine, spec, classes, null).catch((error) => {
      throw damagedDescription(path, error);
    });
    await engine.run((core) => core.loadWeights(generator.handle, path, { newHead: false }));
    return generator;
  }

  /** Throws SparringError 'usage' for one that a file alone cannot describe: it needs texts or an autoencoder. */
  async save(path: string, storage: StorageType = 'fp32', notes: Record<string, string> = {}): Promise<void> {
    const { channels, textChannels } = this.spec.unet;
    if (channels !== 3 || textChannels > 0) throw new SparringError('usage', 'Saving a generator: expected one of images without a text, found another.', 'Published generators are used as they are.');
    await this.engine.run((core) => core.saveWeights(this.handle, path, { ...modelMetadata('generator', this), ...notes }, storage));
  }

  /** One with the same weights, which must not be trained further, and conditions of its own: what it is told of the classes, not of captions. */
  async withOwnConditions(): Promise<Generator> {
    return new Generator(this.engine, await this.engine.run((core) => core.ownConditions(this.handle)), this.spec, this.classes);
  }

  /** Guidance with `decoder` takes its gradient through this one, made for the same latents. */
  setGuidanceDecoder(decoder: Autoencoder): Promise<void> {
    return this.engine.run((core) => core.setGuidanceDecoder(this.handle, decoder.handle));
  }

  saveConditions(path: string): Promise<void> {
    return this.engine.run((core) => core.saveConditions(this.handle, path));
  }

  loadConditions(path: string): Promise<void> {
    return this.engine.run((core) => core.loadConditions(this.handle, path));
  }

  /** Moves its own conditions so that the student fails on its images. */
  oppose(student: Classifier, options: Omit<OpposeOptions, 'precision'>, cancellable: Cancellable = {}): Promise<void> {
    return this.engine.run((core, control) => core.opposeClassifier(this.handle, student.handle, { ...options, precision: this.engine.precision }, control), cancellable);
  }

  /** In the place of a VQGAN: images are drawn anew from `sampling.start` on. */
  asDiscretiser(sampling: Omit<SamplingOptions, 'precision'>): Discretiser {
    return { handle: { generator: this.handle, sampling: { ...sampling, precision: this.engine.precision } } };
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
    this.captions?.[Symbol.dispose]();
    this.engine.core.dispose(this.handle);
  }
}

/**
 * An image autoencoder on the engine: between images, uint8 [B, size, size, 3], and latents, [B, C, size / f, size / f],
 * where f is 2 to the number of levels but one and divides the size. The latents of a `kl` and of `taesd` are those that
 * diffusion works on.
 */
export class Autoencoder implements Disposable {
  constructor(
    readonly engine: Engine,
    readonly handle: AutoencoderHandle,
    readonly spec: AutoencoderSpec,
  ) {}

  static async create(engine: Engine, spec: AutoencoderSpec, seed: number | null): Promise<Autoencoder> {
    const handle = await engine.run((core) => core.createAutoencoder({ ...spec, device: engine.device, seed }));
    return new Autoencoder(engine, handle, spec);
  }

  /**
   * Loads a safetensors file. One that sparring wrote says what it is; for one with the names of diffusers, latent-diffusion
   * or taming-transformers pass `given`, such as `autoencoderSpecs.sd`. Errors as of `Classifier.load`.
   */
  static async load(engine: Engine, path: string, given?: AutoencoderSpec): Promise<Autoencoder> {
    const spec = given ?? parseDescription<AutoencoderSpec>(path, await readMetadata(engine, path, 'autoencoder'), specKey);
    const autoencoder = await Autoencoder.create(engine, spec, null).catch((error) => {
      throw given ? error : damagedDescription(path, error);
    });
    const keyNames = given && autoencoderKeyNames(given, await engine.run((core) => core.inspectWeights(path)));
    await engine.run((core) => core.loadWeights(autoencoder.handle, path, { newHead: false, ...(keyNames && { keyNames }) }));
    return autoencoder;
  }

  async save(path: string, storage: StorageType = 'fp32', notes: Record<string, string> = {}): Promise<void> {
    const metadata = { [kindKey]: 'autoencoder', [specKey]: JSON.stringify(this.spec), ...notes };
    await this.engine.run((core) => core.saveWeights(this.handle, path, metadata, storage));
  }

  /** Latents; of a `kl` the mode of the posterior or, with one seed per image, a draw from it; of a `vqgan` not yet quantised. */
  encode(images: Uint8Array, size: number, { seeds = null, ...cancellable }: { seeds?: ArrayLike<number> | null } & Cancellable = {}): Promise<Float32Array> {
    const { precision } = this.engine;
    return this.engine.run((core, control) => core.encodeImages(this.handle, images, { size, seeds, precision }, control), cancellable);
  }

  /** Images of side `size` of latents. */
  decode(latents: Float32Array, size: number, cancellable: Cancellable = {}): Promise<Uint8Array> {
    const { precision } = this.engine;
    return this.engine.run((core, control) => core.decodeLatents(this.handle, latents, { size, precision }, control), cancellable);
  }

  /** Of a `vqgan`: the nearest code at each position, as its latents and as its index, [B, size / f, size / f]. */
  async quantise(latents: Float32Array, size: number, cancellable: Cancellable = {}): Promise<{ latents: Float32Array; indices: Int32Array }> {
    const found = await this.engine.run((core, control) => core.quantise(this.handle, latents, { size }, control), cancellable);
    return { latents: found.latents, indices: Int32Array.from(found.indices) };
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}

function modelMetadata(kind: string, model: ModelFile<unknown> | Classifier | Generator): Record<string, string> {
  return { [kindKey]: kind, [specKey]: JSON.stringify(model.spec), [classesKey]: JSON.stringify(model.classes) };
}

async function readMetadata(engine: Engine, path: string, kind: string): Promise<Record<string, string>> {
  const { metadata } = await engine.run((core) => core.inspectWeights(path));
  if (metadata[kindKey] !== kind) {
    const found = metadata[kindKey] ? withArticle(metadata[kindKey]) : 'a file without a description of its network';
    throw new SparringError('weights', `${path}: expected ${withArticle(kind)}, found ${found}.`, 'For weights of another project, give the architecture in the config.');
  }
  return metadata;
}

function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

function parseDescription<Value>(path: string, metadata: Record<string, string>, key: string): Value {
  try {
    return JSON.parse(metadata[key]!);
  } catch (error) {
    throw damagedDescription(path, error);
  }
}

async function readModelFile<Spec>(engine: Engine, path: string, kind: string): Promise<ModelFile<Spec>> {
  const metadata = await readMetadata(engine, path, kind);
  const spec = parseDescription<Spec & { numClasses: number }>(path, metadata, specKey);
  const classes = parseDescription<unknown>(path, metadata, classesKey);
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string') || classes.length !== spec?.numClasses) {
    throw damagedDescription(path, new Error('the class names do not fit the number of classes'));
  }
  return { spec, classes };
}

function damagedDescription(path: string, error: unknown): unknown {
  if (error instanceof SparringError && error.code !== 'config' && error.code !== 'usage') return error;
  return new SparringError('weights', `${path}: the description of its network is damaged: ${(error as Error).message}`, 'Make the file again.', { cause: error });
}
