import type { KeyNames, TextEncoderHandle, TextEncoderSpec } from '../native/contract.js';
import type { Engine } from '../native/engine.js';

/** The text tower of a CLIP on the engine. */
export class ClipTextEncoder implements Disposable {
  private constructor(
    readonly engine: Engine,
    readonly handle: TextEncoderHandle,
    readonly spec: TextEncoderSpec,
  ) {}

  /** Throws SparringError 'weights' when the file is damaged or does not fit, 'io' when it cannot be read. */
  static async load(engine: Engine, path: string, spec: TextEncoderSpec, keyNames: KeyNames): Promise<ClipTextEncoder> {
    const handle = await engine.run((core) => core.createTextEncoder({ ...spec, device: engine.device, seed: null }));
    await engine.run((core) => core.loadWeights(handle, path, { newHead: false, keyNames }));
    return new ClipTextEncoder(engine, handle, spec);
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}
