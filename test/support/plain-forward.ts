/** A small CNN in training mode, written out, for losses that are to be their formulas. */
import { mean, rows } from './numeric.js';
import type { Tensor } from './safetensors.js';
import { pixels, size } from './tiny.js';

/** Logits in training mode of one 3x3 convolution, batch norm over the batch, ReLU, mean, linear; in double precision. */
export function plainForward(weights: Record<string, Tensor>, images: Uint8Array | Float32Array, spec: { mean: readonly number[]; std: readonly number[] }): number[][] {
  const at = (name: string) => weights[name].values;
  const width = weights['fc.weight'].shape[1];
  const inputs = rows(images, pixels).map((image) => Array.from(image, (value, i) => (value / 255 - spec.mean[i % 3]) / spec.std[i % 3]));
  const value = (image: number[], y: number, x: number, c: number) => (y < 0 || x < 0 || y >= size || x >= size ? 0 : image[(y * size + x) * 3 + c]);
  // [width][B][size * size]
  const features = Array.from({ length: width }, (_, out) =>
    inputs.map((image) =>
      Array.from({ length: size * size }, (_, place) => {
        let sum = 0;
        for (let tap = 0; tap < 27; tap++) {
          const c = Math.floor(tap / 9), dy = Math.floor((tap % 9) / 3) - 1, dx = (tap % 3) - 1;
          sum += at('features.0.weight')[out * 27 + tap] * value(image, Math.floor(place / size) + dy, (place % size) + dx, c);
        }
        return sum;
      }),
    ),
  );
  const pooled = features.map((channel, out) => {
    const centre = mean(channel.flat()), variance = mean(channel.flat().map((v) => (v - centre) ** 2));
    const scale = at('features.1.weight')[out] / Math.sqrt(variance + 1e-5), shift = at('features.1.bias')[out];
    return channel.map((image) => mean(image.map((v) => Math.max(0, (v - centre) * scale + shift))));
  });
  return inputs.map((_, b) =>
    Array.from(at('fc.bias'), (bias, k) => pooled.reduce((sum, channel, out) => sum + at('fc.weight')[k * width + out] * channel[b], bias)),
  );
}
