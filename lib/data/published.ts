import type { GroupCounts } from './records.js';

/** Images per group as published, y-major: class 0 with each attribute, then class 1, ... */

/** Non-blond female, non-blond male, blond female, blond male. */
export const celebaCounts: GroupCounts = {
  train: [71629, 66874, 22880, 1387],
  validation: [8535, 8276, 2874, 182],
  test: [9767, 7535, 2480, 180],
};

/** Landbird on land and on water, waterbird on land and on water. */
export const waterbirdsCounts: GroupCounts = {
  train: [3498, 184, 56, 1057],
  validation: [467, 466, 133, 133],
  test: [2255, 2255, 642, 642],
};

/** SpuCoBirds and SpuCoDogs alike: the majority groups are the first and the last. */
export const spucoCounts: GroupCounts = {
  train: [10000, 500, 500, 10000],
  validation: [500, 25, 25, 500],
  test: [500, 500, 500, 500],
};

/** SpuCoMNIST, of all ten digits and all colours together. */
export const spucoMnistTotals = { train: 48_004, validation: 11_996, test: 10_000 } as const;

/** Birds, then dogs with their own two attributes: eight of the sixteen pairs never occur. */
export const spucoAnimalsCounts: GroupCounts = Object.fromEntries(
  Object.entries(spucoCounts).map(([split, [a, b, c, d]]) => [split, [a, b, 0, 0, c, d, 0, 0, 0, 0, a, b, 0, 0, c, d]]),
);

/** Class folders of Spurious ImageNet, images in each, and images of a class in ImageNet's val. */
export const spuriousImageNetCounts = { classes: 100, spurious: 75, validation: 50 } as const;
