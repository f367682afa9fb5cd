/** LPIPS (arXiv 1801.03924) on the engine: how far apart two images look to people, in the features of VGG16. */
import type { Engine } from './engine.js';
import type { LpipsHandle } from './handles.js';

export class Lpips implements Disposable {
  private constructor(
    readonly engine: Engine,
    readonly handle: LpipsHandle,
  ) {}

  /**
   * Loads a safetensors file with the weights of `lpips.LPIPS(net='vgg')`, of version 0.1, under their own names. Throws SparringError
   * 'io' or 'weights'.
   */
  static async load(engine: Engine, path: string): Promise<Lpips> {
    const { device, precision } = engine;
    return new Lpips(engine, await engine.run((core) => core.loadLpips(path, { device, precision })));
  }

  [Symbol.dispose](): void {
    this.engine.core.dispose(this.handle);
  }
}
