import { setImmediate as nextTurn } from 'node:timers/promises';

import { throwIfAborted } from '../native/engine.js';

const milliseconds = 20;

/** Lets a long computation in JavaScript give way to timers, signals and progress every few milliseconds, and be cancelled. */
export class Breather {
  #since = performance.now();

  constructor(private readonly signal?: AbortSignal) {}

  /** To be awaited often; a turn passes only when it is due. Throws SparringError 'aborted'. */
  async breathe(): Promise<void> {
    if (performance.now() - this.#since < milliseconds) return;
    await nextTurn();
    throwIfAborted(this.signal);
    this.#since = performance.now();
  }
}
