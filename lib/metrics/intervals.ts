/** The 97.5 % point of the normal distribution: two-sided 95 %. */
const z95 = 1.959963984540054;

/**
 * Wilson's score interval of a proportion, 95 %: unlike the textbook interval it stays within 0..1 and is not of
 * width zero when all or none are correct.
 * @returns [low, high]; [0, 1] when nothing was counted
 */
export function wilsonInterval(correct: number, count: number): [low: number, high: number] {
  if (count === 0) return [0, 1];
  const share = correct / count;
  const z2 = z95 * z95;
  const scale = 1 / (1 + z2 / count);
  const centre = scale * (share + z2 / (2 * count));
  const half = scale * z95 * Math.sqrt((share * (1 - share)) / count + z2 / (4 * count * count));
  return [correct === 0 ? 0 : centre - half, correct === count ? 1 : centre + half];
}
