/** The `data` section of the configuration: one kind for each layout that can be read. */
import { z } from 'zod';

import { difficulties } from '../data/spuco-mnist.js';
import { transforms, type Transform } from '../data/transform.js';

const count = z.int().min(1);
/** What the core takes. */
const largestImage = 16_384;
const fraction = z.number().min(0).max(1);
const root = (meaning: string) => z.string().describe(meaning);

/** How photographs become squares; the defaults are those that the dataset's papers evaluate with. */
export function photographTransform(defaults: Transform) {
  return z
    .strictObject({
      crop: z.int().min(0).default(defaults.crop).describe('pixels; side of the centre square of the original that is kept, 0 = all of it'),
      aspect: z.enum(['keep', 'stretch']).default(defaults.aspect).describe('keep fits the shorter side, stretch fits both'),
      resizeRatio: z.number().min(1).max(4).default(defaults.resizeRatio).describe('side after resizing over imageSize, such as 256 / 224; the margin is cropped away'),
      kernel: z.enum(['bilinear', 'bicubic', 'lanczos']).default(defaults.kernel).describe('interpolation, antialiased'),
    })
    .prefault({});
}

/** What every kind of photographs has. */
function photographs(imageSize: number, defaults: Transform) {
  return {
    imageSize: count.max(largestImage).default(imageSize).describe('pixels'),
    transform: photographTransform(defaults),
    dropGroups: z.array(z.string()).default([]).describe("groups 'class/attribute' to leave out of train and val"),
    cacheBytes: z.int().min(0).default(2 ** 30).describe('bytes of decoded images kept in memory'),
  };
}

const birds = z.strictObject({
  kind: z.literal('birds'),
  imageSize: z.union([z.literal(32), z.literal(64)]).default(32).describe('pixels'),
  seed: z.int().min(0).default(0).describe('chooses the pictures'),
  train: count.default(4000).describe('images; majority groups only'),
  test: count.default(2000).describe('images; four groups balanced'),
  broad: count.default(20000).describe('images; what teacher and generator are trained on'),
  minorityShare: fraction.default(0.04).describe('of the two minority groups together in broad'),
});
const spucoMnist = z.strictObject({
  kind: z.literal('spuco-mnist'),
  root: root('folder of the four MNIST files, gzip or plain'),
  difficulty: z.enum(Object.keys(difficulties) as [keyof typeof difficulties]).default('magnitude-large').describe('which pixels behind the digit carry the colour'),
  strength: fraction.gt(0).default(1).describe('share of each class in its own colour in train and validation; 1 leaves the other groups absent'),
  broadStrength: fraction.gt(0).default(0.95).describe('likewise in broad'),
  labelNoise: fraction.default(0).describe('share of train with a random other label'),
  coreNoise: fraction.default(0).describe('share of train of which about 60 % of the digit is erased'),
  seed: z.int().min(0).default(0).describe('chooses colours and noise'),
});
const folder = z.strictObject({
  kind: z.literal('folder'),
  root: root('folder with {train,val,test}/<class>/<attribute>/<image>, or without attributes {train,val,test}/<class>/<image>'),
  ...photographs(64, transforms.cover),
});
const celeba = z.strictObject({
  kind: z.literal('celeba'),
  root: root('folder of img_align_celeba and of the lists, txt or csv, or metadata.csv'),
  target: z.string().default('Blond_Hair').describe('the attribute that is the class'),
  attribute: z.string().default('Male').describe('the attribute that is suspected to be spurious'),
  ...photographs(224, transforms.celeba),
});
const waterbirds = z.strictObject({
  kind: z.literal('waterbirds'),
  root: root('folder of metadata.csv, as of group DRO and WILDS'),
  ...photographs(224, transforms.stretch),
});
const spuco = (['spuco-birds', 'spuco-dogs', 'spuco-animals'] as const).map((kind) =>
  z.strictObject({
    kind: z.literal(kind),
    root: root(kind === 'spuco-animals' ? 'folder that holds spuco_birds and spuco_dogs' : `folder ${kind.replace('-', '_')}, or the one that holds it`),
    ...photographs(224, transforms.stretch),
  }),
);
const manifest = z.strictObject({
  kind: z.literal('manifest'),
  file: z.string().describe('CSV file with the columns path, label, split and, if there are any, attribute and caption; paths start at its folder'),
  classes: z.array(z.string()).default([]).describe('names in the order of the labels; by default the labels in the file'),
  ...photographs(64, transforms.cover),
});
const webdataset = z.strictObject({
  kind: z.literal('webdataset'),
  root: root('folder of the shards'),
  train: z.string().default('train-*.tar').describe('shards: train-{000000..000146}.tar, or with * for any characters'),
  validation: z.string().optional().describe('likewise; there may be none'),
  test: z.string().default('test-*.tar').describe('likewise'),
  classes: z.array(z.string()).default([]).describe('names in the order of the labels; by default the labels that occur'),
  labelKey: z.string().default('label').describe('field of .json members that has the class, where there is no .cls'),
  attributeKey: z.string().default('attribute').describe('likewise for the attribute; without the field it is all'),
  captionKey: z.string().optional().describe('likewise for the caption, where there is no .txt; default caption'),
  ...photographs(64, transforms.cover),
});
const imagenet = z.strictObject({
  kind: z.literal('imagenet'),
  root: root('folder with train/<wnid> and val/<wnid>; val is tested'),
  classes: z.array(z.string()).default([]).describe('WordNet ids to take; empty = all'),
  names: z.record(z.string(), z.string()).default({}).describe('what a class is called, by WordNet id'),
  ...photographs(224, transforms.imagenet),
});

export const data = z.discriminatedUnion('kind', [birds, spucoMnist, folder, celeba, waterbirds, ...spuco, manifest, webdataset, imagenet]).prefault({ kind: 'birds' });
