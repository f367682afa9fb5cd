/** JPEGs to decode, in the layout of a dataset: large shapes under fine grain, as bytes of photographs are spread. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import sharp from 'sharp';

/** noise: numbers around 0 with a standard deviation of 1. Files in order below <folder>/train/all/any, one below test. */
export async function writePhotographs(folder, { count, width, height }, noise) {
  const paths = [];
  let at = 0;
  const next = () => noise[(at += 7) % noise.length];
  const bytes = (length, spread) => Uint8ClampedArray.from({ length }, () => 128 + spread * next());
  for (let i = 0; i <= count; ++i) {
    const [across, down] = [20, 15];
    const shapes = await sharp(bytes(across * down * 3, 60), { raw: { width: across, height: down, channels: 3 } })
      .resize(width, height, { fit: 'fill', kernel: 'cubic' }).removeAlpha().raw().toBuffer();
    const grained = Uint8ClampedArray.from(shapes, (value) => value + 6 * next());
    const part = join(folder, i < count ? 'train' : 'test', 'all', 'any');
    mkdirSync(part, { recursive: true });
    const path = join(part, `${String(i).padStart(5, '0')}.jpg`);
    writeFileSync(path, await sharp(grained, { raw: { width, height, channels: 3 } }).jpeg({ quality: 90 }).toBuffer());
    paths.push(path);
  }
  return paths.slice(0, count);
}
