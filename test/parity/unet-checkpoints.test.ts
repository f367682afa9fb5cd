/** U-Nets as diffusers' checkpoints have them, from their config.json: DDPM's, Stable Diffusion 1.x and 2.x. */
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { unetConfig } from '../../lib/diffusion/unet-config.js';
import type { Precision, UNetSpec } from '../../lib/native/contract.js';
import { relativeError } from '../support/numeric.js';
import { encodeSafetensors, goldenPath, readGolden, readSafetensors } from '../support/safetensors.js';
import { failure, openEngine, temporaryFolder } from '../support/tiny.js';

/** Relative errors of the output and of the gradients by the image and by the text, if there is one. */
type Errors = Record<string, number>;

const engine = await openEngine();

const open = (name: string) => {
  const { config, tensors } = readGolden<Record<string, unknown> & { bf16_errors: Errors }>(`${name}_case`);
  const { bf16_errors: bf16Errors, ...file } = config;
  const floats = (tensor: string) => tensors[tensor].values as Float32Array;
  const gradient = (precision: Precision, { unet = {}, ...more }: { unet?: Partial<UNetSpec>; weights?: string; size?: number } = {}) =>
    engine.run((core) => core.unetGradient({
      unet: { ...unetConfig(file, name).unet, ...unet }, weights: goldenPath(name), size: tensors.x.shape[3], x: floats('x'), timesteps: tensors.timestep.values, classes: null,
      text: tensors.text ? floats('text') : null, direction: floats('cotangent'), precision, ...more,
    }));
  const errors = async (precision: Precision): Promise<Errors> => {
    const { output, gradient: dx, textGradient: dtext } = await gradient(precision);
    const found = Object.entries({ y: output, dx, dtext }).filter((entry): entry is [string, Float32Array] => entry[1] !== null);
    return Object.fromEntries(found.map(([what, values]) => [what, relativeError(values, floats(what))]));
  };
  return { bf16Errors, gradient, errors };
};

for (const [name, compared] of [['unet_ddpm', 'y,dx'], ['unet_sd1', 'y,dx,dtext'], ['unet_sd2', 'y,dx,dtext']]) {
  const { bf16Errors, errors } = open(name);

  test(`${name}: output and gradients with respect to the inputs`, async () => {
    const found = await errors('fp32');
    assert.is(Object.keys(found).join(), compared);
    for (const [what, error] of Object.entries(found)) assert.ok(error < 1e-5, `${what}: ${error}`);
  });

  test(`${name}: bf16 is within twice the error of diffusers in bf16`, async () => {
    for (const [what, error] of Object.entries(await errors('bf16'))) {
      assert.ok(error < 2 * bf16Errors[what], `${what}: ${error}, expected below ${2 * bf16Errors[what]}`);
    }
  });
}

test('options that give no network are refused', async () => {
  const { gradient } = open('unet_sd1');
  const refusals: [Parameters<typeof gradient>[1], RegExp][] = [
    [{ unet: { heads: [3, 4, 4] } }, /heads must divide/],
    [{ unet: { heads: [4, 4] } }, /attention and heads as many/],
    [{ unet: { normGroups: 3 } }, /normGroups must divide/],
    [{ unet: { blockChannels: [] } }, /blockChannels must be 1 to 8/],
    [{ unet: { frequencyShift: 4 } }, /frequencyShift less than half/],
    [{ unet: { normEps: 0 } }, /normEps must be/],
  ];
  for (const [options, message] of refusals) assert.match((await failure(() => gradient('fp32', options), 'config')).message, message);
  assert.match((await failure(() => gradient('fp32', { size: 6 }), 'usage')).message, /size: expected a multiple of 4, found 6/);
});

test('weights of another network are refused', async () => {
  const { gradient } = open('unet_sd1');
  const path = join(temporaryFolder(), 'damaged.safetensors');
  const { 'mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight': left, ...rest } = readSafetensors(goldenPath('unet_sd1')).tensors;
  assert.ok(left);
  writeFileSync(path, encodeSafetensors(rest));
  assert.match((await failure(() => gradient('fp32', { weights: path }), 'weights')).message, /mid_block\.attentions\.0\.transformer_blocks\.0\.attn2\.to_k\.weight/);
  await failure(() => gradient('fp32', { unet: { linearProjection: true } }), 'weights');
});

test.run();
