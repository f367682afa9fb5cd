/**
 * The 16 everyday classes of Geirhos et al. (arXiv 1808.08750, 1811.12231), in order of their names, and the classes of
 * ImageNet-1k that belong to each, as their code has them.
 */
const members = {
  airplane: [404],
  bear: range(294, 297),
  bicycle: [444, 671],
  bird: [8, ...range(10, 16), ...range(18, 20), 22, 23, 24, ...range(80, 83), ...range(87, 96), 98, 99, 100, ...range(127, 133), ...range(135, 145)],
  boat: [472, 554, 625, 814, 914],
  bottle: [440, 720, 737, 898, 899, 901, 907],
  car: [436, 511, 817],
  cat: range(281, 286),
  chair: [423, 559, 765, 857],
  clock: [409, 530, 892],
  dog: [...range(152, 191), ...range(193, 203), ...range(205, 226), ...range(228, 241), ...range(243, 250), ...range(252, 257), 259, 261, 262, 263, ...range(265, 268)],
  elephant: [385, 386],
  keyboard: [508, 878],
  knife: [499],
  oven: [766],
  truck: [555, 569, 656, 675, 717, 734, 864, 867],
} as const satisfies Record<string, readonly number[]>;

export const sixteenClasses: readonly string[] = Object.keys(members);

/** ImageNet-1k class numbers of each of the sixteen. */
export const sixteenClassMembers: readonly (readonly number[])[] = Object.values(members);

/** The one of the sixteen whose classes have the largest mean probability, for each row of [B, 1000]. */
export function sixteenClassDecisions(probabilities: Float32Array): Int32Array {
  return Int32Array.from({ length: probabilities.length / 1000 }, (_, row) => {
    const means = sixteenClassMembers.map((labels) => labels.reduce((sum, label) => sum + probabilities[row * 1000 + label]!, 0) / labels.length);
    return means.indexOf(Math.max(...means));
  });
}

/** First to last, both with them. */
function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, k) => first + k);
}
