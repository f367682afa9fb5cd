/** A small Stable Diffusion in a model folder of its own, put together from the golden files. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';

import { goldenPath } from './safetensors.js';
import { temporaryFolder } from './tiny.js';

/** `version`: Stable Diffusion 1 predicts epsilon, 2 v. */
export function pipelineFolder(version: 1 | 2 = 1): string {
  const folder = join(temporaryFolder(), 'pipeline');
  cpSync(new URL(`../parity/goldens/pipeline${version === 1 ? '' : '_2'}`, import.meta.url), folder, { recursive: true });
  cpSync(goldenPath(`unet_sd${version}`), join(folder, 'unet/diffusion_pytorch_model.safetensors'));
  cpSync(goldenPath('autoencoder_kl'), join(folder, 'vae/diffusion_pytorch_model.safetensors'));
  return folder;
}
