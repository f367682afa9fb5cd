import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { decodeImage, ImageCache, inParallel } from '../data/decode.js';
import { SparringError } from '../errors.js';
import { fileError, makeFolder, writeFileAtomic } from '../training/files.js';
import { appendIndex, readIndex, writeIndex } from './index-file.js';
import type { Provenance, Sample, SampleRecord } from './record.js';
import { openSettings, readGeneratorSettings, writeGeneratorSettings } from './settings.js';
import { packShard, readShardEntries, readShardImage } from './shard.js';

export interface StoreOptions {
  /**
   * Name of this process among those that write to the store, `[a-z0-9]+`; no two may have the same at once. Without
   * it the store is opened for reading only and nothing on disk is touched.
   */
  writer?: string;
  /** Needed to make a new store; checked against an existing one. */
  imageSize?: number;
  /** Class names; needed to make a new store; checked against an existing one. */
  classes?: readonly string[];
  /** Bytes of decoded images kept in memory. Default 1 GiB. */
  cacheBytes?: number;
}

/**
 * Opens, or with `writer`, `imageSize` and `classes` makes, a sample store:
 *
 *     settings.json            format version, image size, classes
 *     generators/<id>.json     generator settings that samples refer to
 *     shards/<writer>-000000.tar   images (PNG) with their provenance, never changed
 *     index.jsonl              one line per sample; can be rebuilt from the shards
 *
 * What a kill leaves behind is put right: shards that the index lacks are taken into it, half-written ones removed.
 */
export async function openStore(folder: string, options: StoreOptions = {}): Promise<SampleStore> {
  const { writer, cacheBytes = 2 ** 30 } = options;
  if (writer !== undefined && !/^[a-z0-9]+$/.test(writer)) {
    throw new SparringError('config', `sample store: writer: expected lower-case letters and digits, found ${JSON.stringify(writer)}`);
  }
  const settings = await openSettings(folder, options);
  const store = new SampleStore(folder, settings.imageSize, settings.classes, writer, cacheBytes);
  if (writer !== undefined) {
    try {
      makeFolder(join(folder, 'shards'));
      makeFolder(join(folder, 'generators'));
      for (const name of await readdir(join(folder, 'shards'))) {
        if (name.startsWith(`.${writer}-`)) await rm(join(folder, 'shards', name), { force: true });
      }
    } catch (error) {
      throw fileError(error, 'prepare', folder);
    }
  }
  await store.refresh();
  return store;
}

export class SampleStore {
  #records = new Map<string, SampleRecord>();
  #nextShard = 0;
  #cache: ImageCache<string>;
  /** Changes by one process follow each other. */
  #queue: Promise<unknown> = Promise.resolve();

  /** Use `openStore`. */
  constructor(
    readonly folder: string,
    readonly imageSize: number,
    readonly classes: readonly string[],
    readonly writer: string | undefined,
    private readonly cacheBytes: number,
  ) {
    this.#cache = new ImageCache(cacheBytes);
  }

  /** All samples, by round and key: the same order whoever wrote when. */
  samples(): SampleRecord[] {
    const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
    return [...this.#records.values()].sort((a, b) => a.round - b.round || text(a.key, b.key));
  }

  /** Those of one round. */
  ofRound(round: number): SampleRecord[] {
    return this.samples().filter((record) => record.round === round);
  }

  /**
   * Stores samples as one new shard: all of them or, after a failure or a kill, none. Call it with a batch, not with
   * single images.
   * @param round the round in which all of them were made
   * @param settings of the generator; equal settings share an id
   */
  append(round: number, samples: readonly Sample[], settings: Record<string, unknown> = {}): Promise<SampleRecord[]> {
    return this.inTurn(() => this.write(round, samples, settings));
  }

  /** Pixels of the given samples, uint8, [keys.length, imageSize, imageSize, 3]. */
  async readImages(keys: readonly string[]): Promise<Uint8Array> {
    const bytes = this.imageSize * this.imageSize * 3;
    const batch = new Uint8Array(keys.length * bytes);
    await inParallel(keys.length, async (slot) => {
      const key = keys[slot]!;
      const record = this.#records.get(key);
      if (!record) throw new SparringError('data', `${this.folder}: no sample ${key}`, 'samples() lists the keys.');
      const image = await this.#cache.get(key, async () => {
        const png = await readShardImage(this.shardPath(record.shard), record);
        return decodeImage(png, this.imageSize, `${this.shardPath(record.shard)}: ${key}`);
      });
      batch.set(image, slot * bytes);
    });
    return batch;
  }

  /** The generator settings with the given id. */
  generatorSettings(id: string): Promise<Record<string, unknown>> {
    return readGeneratorSettings(this.folder, id);
  }

  /** Takes in what other processes have written since. */
  async refresh(): Promise<void> {
    const indexed = await readIndex(this.indexPath);
    const shards = await this.shardNames();
    const records = new Map<string, SampleRecord>();
    for (const shard of indexed.shards.keys()) {
      if (!shards.includes(shard)) {
        throw new SparringError(
          'data',
          `${this.indexPath}: expected the shard ${shard}, which it lists, found none`,
          'Restore the shard, or delete index.jsonl: it is rebuilt from the shards that are there.',
        );
      }
    }
    const adopted: SampleRecord[] = [];
    for (const shard of shards) {
      let entries = indexed.shards.get(shard);
      // Its writer was stopped, or is just about to write its lines; lines that come twice do no harm.
      if (!entries || entries.length < entries[0]!.shardLength) {
        entries = await readShardEntries(this.shardPath(shard), shard);
        adopted.push(...entries);
      }
      for (const entry of entries) records.set(entry.key, entry);
    }
    this.#records = records;
    if (this.writer === undefined) return;
    const own = shards.filter((shard) => shard.startsWith(`${this.writer}-`)).map((shard) => Number(shard.slice(this.writer!.length + 1, -4)));
    this.#nextShard = Math.max(-1, ...own) + 1;
    if (indexed.torn) await writeIndex(this.indexPath, [...records.values()]);
    else if (adopted.length > 0) await appendIndex(this.indexPath, adopted);
  }

  /**
   * Removes everything made in `round` or later: what a run resumed from before that round will make again. No other
   * process may be writing.
   */
  rewind(round: number): Promise<void> {
    return this.inTurn(async () => {
      this.requireWriter();
      const stale = new Set(this.samples().filter((record) => record.round >= round).map((record) => record.shard));
      if (stale.size === 0) return;
      // The index goes first: a kill in between leaves shards to adopt and to remove again, never lines without a shard.
      await writeIndex(this.indexPath, this.samples().filter((record) => !stale.has(record.shard)));
      for (const shard of stale) await rm(this.shardPath(shard), { force: true });
      // Names of removed shards are given again.
      this.#cache = new ImageCache(this.cacheBytes);
      await this.refresh();
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }

  private async write(round: number, samples: readonly Sample[], settings: Record<string, unknown>): Promise<SampleRecord[]> {
    const writer = this.requireWriter();
    if (samples.length === 0) return [];
    samples.forEach((sample, number) => this.check(sample, number, round));
    const settingsId = await writeGeneratorSettings(this.folder, settings);
    const images = new Array<{ png: Buffer; provenance: Provenance }>(samples.length);
    await inParallel(samples.length, async (number) => {
      const { pixels, ...known } = samples[number]!;
      const raw = { width: this.imageSize, height: this.imageSize, channels: 3 as const };
      const png = await sharp(pixels, { raw }).png().toBuffer();
      images[number] = { png, provenance: { ...known, class: this.classes[known.label]!, round, settings: settingsId } };
    });
    const shard = `${writer}-${String(this.#nextShard).padStart(6, '0')}.tar`;
    if ((await this.shardNames()).includes(shard)) {
      throw new SparringError('io', `${this.shardPath(shard)}: another process writes under the name ${writer}`, 'Give each process its own writer name.');
    }
    const { data, entries } = await packShard(shard, images);
    await writeFileAtomic(this.shardPath(shard), data);
    this.#nextShard++;
    for (const entry of entries) this.#records.set(entry.key, entry);
    await appendIndex(this.indexPath, entries);
    return entries;
  }

  private check(sample: Sample, number: number, round: number): void {
    const bytes = this.imageSize * this.imageSize * 3;
    const { pixels, label, teacherProbabilities, studentProbability, disagreement, seed } = sample;
    const inUnit = (value: number): boolean => value >= 0 && value <= 1;
    const problem =
      pixels.length !== bytes ? `pixels: expected ${bytes} bytes, found ${pixels.length}`
      : !Number.isInteger(label) || label < 0 || label >= this.classes.length ? `label: expected 0..${this.classes.length - 1}, found ${label}`
      : teacherProbabilities.length !== this.classes.length || !teacherProbabilities.every(inUnit)
        ? `teacherProbabilities: expected ${this.classes.length} numbers in 0..1, found ${teacherProbabilities.join(', ')}`
      : studentProbability !== undefined && !inUnit(studentProbability) ? `studentProbability: expected a number in 0..1, found ${studentProbability}`
      : disagreement !== undefined && !Number.isFinite(disagreement) ? `disagreement: expected a finite number, found ${disagreement}`
      : !Number.isSafeInteger(seed) || seed < 0 ? `seed: expected an integer in 0..2^53-1, found ${seed}`
      : !Number.isInteger(round) || round < 0 ? `round: expected an integer of at least 0, found ${round}`
      : undefined;
    if (problem) throw new SparringError('data', `${this.folder}: sample ${number}: ${problem}`);
  }

  private async shardNames(): Promise<string[]> {
    const folder = join(this.folder, 'shards');
    const names = await readdir(folder).catch((error) => {
      throw fileError(error, 'read', folder);
    });
    return names.filter((name) => /^[a-z0-9]+-\d{6,}\.tar$/.test(name)).sort();
  }

  private requireWriter(): string {
    if (this.writer === undefined) throw new SparringError('usage', `${this.folder}: the sample store was opened for reading`, 'Pass `writer` to openStore.');
    return this.writer;
  }

  private shardPath(shard: string): string {
    return join(this.folder, 'shards', shard);
  }

  private get indexPath(): string {
    return join(this.folder, 'index.jsonl');
  }
}
