/**
 * A stage is a part of a run with a folder of its own. It ends with `result.json`; until then `state.json` names the
 * newest checkpoint. A killed run finds finished stages done and continues the others from their last checkpoint.
 * All randomness is a function of seed and step, so the step is all the state that random numbers have.
 */
import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import type { ModelHandle } from '../native/contract.js';
import { fileError, keepNewest, makeFolder, readSavedJson, writeFileAtomic } from './files.js';
import type { Trainer } from './trainer.js';

const checkpointName = /^step-(\d+)\.safetensors$/;

interface StageState {
  /** Steps done. */
  step: number;
  /** File of the trainer's state in the stage's folder. */
  checkpoint: string;
  /** Wall time spent so far, over all sessions. */
  seconds: number;
  /** What the next row of the training metrics has gathered so far. */
  window: Window;
  carried?: number[];
  /** Absent from the state of a version that did not measure them. */
  clocks?: Clocks;
}

/** Wall time in seconds, over all sessions, of the parts of a stage whose cost is told by image; what else a stage does is in neither. */
export interface Clocks {
  /** Making images: generation, judging, selection, storing. */
  making: number;
  training: number;
}

/** Sums over the steps since the last row of the training metrics. */
export interface Window {
  loss: number;
  correct: number;
  images: number;
  steps: number;
}

export const emptyWindow: Readonly<Window> = { loss: 0, correct: 0, images: 0, steps: 0 };

export class Stage {
  readonly folder: string;
  #startedAt = performance.now();
  #savedAt = performance.now();
  #secondsBefore: number;
  readonly #state: StageState | undefined;
  /** Saved with each checkpoint, so that a resumed run logs the same rows as an uninterrupted one. */
  window: Window;
  /** Likewise saved: numbers that training carries from step to step beside the trainer's state. */
  carried: number[] | undefined;
  #clocks: Clocks | undefined;
  #running: { clock: keyof Clocks; since: number } | undefined;

  /** @param name path of the stage within the run, e.g. `seed-0/config` */
  constructor(
    runFolder: string,
    readonly name: string,
    private readonly checkpoints: { everySeconds: number; keep: number },
  ) {
    this.folder = join(runFolder, name);
    try {
      makeFolder(this.folder);
    } catch (error) {
      throw fileError(error, 'create', this.folder);
    }
    this.#state = readOwn<StageState>(join(this.folder, 'state.json'));
    this.#secondsBefore = this.#state?.seconds ?? 0;
    this.window = { ...emptyWindow, ...this.#state?.window };
    this.carried = this.#state?.carried;
    this.#clocks = this.#state ? this.#state.clocks : { making: 0, training: 0 };
  }

  /** The result of a finished stage. */
  finished<Result>(): Result | undefined {
    return readOwn<Result>(join(this.folder, 'result.json'));
  }

  /** Writes the result; checkpoints are of no more use and are deleted. */
  async finish(result: object): Promise<void> {
    await writeFileAtomic(join(this.folder, 'result.json'), `${JSON.stringify(result)}\n`);
    const checkpoints = readdirSync(this.folder).filter((name) => checkpointName.test(name));
    await Promise.all(checkpoints.map((name) => rm(join(this.folder, name), { force: true })));
  }

  /** Wall time of this stage in seconds, over all sessions. */
  get seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#startedAt) / 1000;
  }

  /** Undefined where the stage was begun by a version that did not measure them. */
  get clocks(): Clocks | undefined {
    if (!this.#clocks || !this.#running) return this.#clocks;
    const { clock, since } = this.#running;
    return { ...this.#clocks, [clock]: this.#clocks[clock] + (performance.now() - since) / 1000 };
  }

  /** Does work whose time a clock counts; one piece of work at a time. */
  async timed<Result>(clock: keyof Clocks, work: () => Promise<Result>): Promise<Result> {
    this.#running = { clock, since: performance.now() };
    try {
      return await work();
    } finally {
      this.#clocks = this.clocks;
      this.#running = undefined;
    }
  }

  /** Puts the trainer into the state of the last checkpoint; returns the steps done, 0 without one. */
  async resume(trainer: Trainer<ModelHandle>): Promise<number> {
    // What a kill left behind: files half written, and a checkpoint that no state came to name, which would pass for the newest.
    const stale = readdirSync(this.folder).filter((name) => name.endsWith('.tmp') || Number(checkpointName.exec(name)?.[1]) > (this.#state?.step ?? -1));
    await Promise.all(stale.map((name) => rm(join(this.folder, name), { force: true })));
    if (!this.#state) return 0;
    await trainer.load(join(this.folder, this.#state.checkpoint));
    return this.#state.step;
  }

  async checkpoint(trainer: Trainer<ModelHandle>, step: number): Promise<void> {
    const checkpoint = `step-${step}.safetensors`;
    await trainer.save(join(this.folder, checkpoint));
    // The state names a file that is complete: a kill between the two leaves the older pair.
    await writeFileAtomic(join(this.folder, 'state.json'), `${JSON.stringify({ step, checkpoint, seconds: this.seconds, window: this.window, ...(this.carried && { carried: this.carried }), ...(this.clocks && { clocks: this.clocks }) } satisfies StageState)}\n`);
    await keepNewest(this.folder, checkpointName, this.checkpoints.keep);
    this.#savedAt = performance.now();
  }

  /** Keeps the time of a stage that trains nothing, whose work is elsewhere; `resume` is not for such a one. */
  async saveTime(): Promise<void> {
    await writeFileAtomic(join(this.folder, 'state.json'), `${JSON.stringify({ step: 0, checkpoint: '', seconds: this.seconds, window: this.window } satisfies StageState)}\n`);
  }

  /** Saves when the interval has passed. */
  async maybeCheckpoint(trainer: Trainer<ModelHandle>, step: number): Promise<void> {
    if (performance.now() - this.#savedAt >= this.checkpoints.everySeconds * 1000) await this.checkpoint(trainer, step);
  }
}

/** Steps that a stage has behind it according to its files: Infinity when finished, 0 before its first checkpoint. */
export function stepsDone(runFolder: string, stage: string): number {
  const folder = join(runFolder, stage);
  if (existsSync(join(folder, 'result.json'))) return Infinity;
  return readOwn<StageState>(join(folder, 'state.json'))?.step ?? 0;
}

/** Whether a folder is missing or holds nothing but the temporary file of a write that a kill cut short. */
export function isEmptyFolder(folder: string): boolean {
  return !existsSync(folder) || readdirSync(folder).every((name) => name === '.lock' || /^\..*\.tmp$/.test(name));
}

function readOwn<Content>(path: string): Content | undefined {
  return readSavedJson(path, 'The file is damaged; delete its folder to run that stage again.');
}
