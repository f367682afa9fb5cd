// Garments on textures: a dataset of real photographs whose background goes along with the class.
//
//   node examples/photographs/make.mjs --clothing <folder> --textures <folder> --out runs/photographs
//
// clothing: {train,validation,test}/<class>/<image>, the clothing-dataset-small of Alexey Grigorev (CC0).
// textures: brick.png, grass.png, gravel.png, those of scikit-image (CC0); grey, and tinted here.
//
// Garments are cut out of their photographs (cut-out.mjs) and laid on random parts of the textures:
//
//   <out>/train/<class>/<texture>/    each class on its own texture alone: pants brick, shoes gravel, t-shirt grass
//   <out>/test/<class>/<texture>/     all nine groups, equally many, of photographs that nothing else is made of
//   <out>/broad/<class>/<texture>/    all nine groups, one image in twenty on another texture than its class's own
//   <out>/broad.csv                   a manifest of broad (as train) and test, for teacher and generator
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import sharp from 'sharp';

import { cutOut } from './cut-out.mjs';
import { plan, randomNumbers } from './plan.mjs';

const classes = [
  { class: 'pants', texture: 'brick' },
  { class: 'shoes', texture: 'gravel' },
  { class: 't-shirt', texture: 'grass' },
];

/** What the grey of a texture is multiplied with: red, green, blue. */
const tints = { brick: [1.35, 0.8, 0.65], grass: [0.8, 1.2, 0.45], gravel: [0.9, 1, 1.15] };

/**
 * Writes the dataset and returns the number of images by 'split/class/texture'.
 * @param {{ clothing: string, textures: string, out: string, seed?: number | string, size?: number, train?: number, broad?: number, views?: number, off?: number }} options
 *   size in pixels; train and broad are images per class; views of each test photograph on each texture; off is a share of broad
 */
export async function makePhotographs({ clothing, textures, out, seed = 0, size = 64, train = 400, broad = 3000, views = 2, off = 0.05 }) {
  if (existsSync(out) && readdirSync(out).length) throw new Error(`${out}: expected an empty folder or none, found files. Remove it or choose another with --out.`);
  const cutOuts = new Map();
  const accepted = async (splits, name) => {
    const paths = splits.flatMap((split) => images(join(clothing, split, name)));
    const kept = [];
    for (const path of paths) {
      const cut = await cutOut(path);
      if (!cut) continue;
      cutOuts.set(path, cut);
      kept.push(path);
    }
    if (!kept.length) throw new Error(`${join(clothing, splits[0], name)}: expected photographs of garments on a plain background, found none.`);
    return kept;
  };
  const grounds = Object.fromEntries(await Promise.all(classes.map(async ({ texture }) => [texture, await ground(join(textures, `${texture}.png`), tints[texture])])));
  const sources = [];
  for (const entry of classes) sources.push({ ...entry, learn: await accepted(['train'], entry.class), test: await accepted(['validation', 'test'], entry.class) });

  const counts = {};
  const manifest = ['path,label,attribute,split'];
  for (const item of plan(sources, { train, broad, views, off, seed })) {
    const group = `${item.class}/${item.texture}`;
    const path = `${item.split}/${group}/${String(item.number).padStart(5, '0')}.png`;
    mkdirSync(dirname(join(out, path)), { recursive: true });
    const random = randomNumbers(seed, item.split, group, item.number);
    await (await laidOn(grounds[item.texture], cutOuts.get(item.photograph), size, random)).toFile(join(out, path));
    counts[`${item.split}/${group}`] = (counts[`${item.split}/${group}`] ?? 0) + 1;
    if (item.split !== 'train') manifest.push(`${path},${item.class},${item.texture},${item.split === 'broad' ? 'train' : 'test'}`);
  }
  writeFileSync(join(out, 'broad.csv'), `${manifest.join('\n')}\n`);
  return counts;
}

function images(folder) {
  if (!existsSync(folder)) throw new Error(`${folder}: expected a folder of photographs, found none. --clothing names the folder of train, validation and test.`);
  return readdirSync(folder).filter((name) => /\.(jpe?g|png)$/i.test(name)).sort().map((name) => join(folder, name));
}

/** A texture in its tint: raw pixels. */
async function ground(path, tint) {
  if (!existsSync(path)) throw new Error(`${path}: expected a photograph of the texture, found none. --textures names the folder.`);
  const { data, info } = await sharp(await sharp(path).removeAlpha().toColourspace('srgb').png().toBuffer()).linear(tint, [0, 0, 0]).raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

/** A random part of the ground, and on it the garment, mirrored or not, about its middle and nearly as large. */
async function laidOn(texture, garment, size, random) {
  const between = (low, high) => low + random() * (high - low);
  const side = Math.round(between(0.3, 0.5) * Math.min(texture.width, texture.height));
  const part = { left: Math.floor(random() * (texture.width - side + 1)), top: Math.floor(random() * (texture.height - side + 1)), width: side, height: side };
  const raw = ({ data, ...info }, channels) => sharp(data, { raw: { width: info.width, height: info.height, channels } });
  const background = await raw(texture, 3).extract(part).resize(size, size).flop(random() < 0.5).png().toBuffer();
  const longer = Math.round(between(0.75, 0.95) * size);
  const { data, info } = await raw(garment, 4).resize(longer, longer, { fit: 'inside' }).flop(random() < 0.5).png().toBuffer({ resolveWithObject: true });
  const place = (free) => Math.round(free * between(0.25, 0.75));
  return sharp(background).composite([{ input: data, left: place(size - info.width), top: place(size - info.height) }]);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = { type: 'string' };
  try {
    const { values } = parseArgs({ options: { clothing: text, textures: text, out: text, seed: { ...text, default: '0' } } });
    const missing = ['clothing', 'textures', 'out'].filter((name) => !values[name]);
    if (missing.length) throw new Error(`expected ${missing.map((name) => `--${name} <folder>`).join(' ')}, found none.`);
    for (const [group, count] of Object.entries(await makePhotographs(values))) console.log(`${group.padEnd(24)} ${count}`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
