/**
 * Matplotlib's colour map `hsv`, whose values SpuCoMNIST uses. It is no plain hue circle: each channel is piecewise
 * linear through the points below, and it is sampled at 256 places.
 */
type Points = readonly (readonly [position: number, value: number])[];

const red: Points = [
  [0, 1], [0.15873, 1], [0.174603, 0.96875], [0.333333, 0.03125], [0.349206, 0],
  [0.666667, 0], [0.68254, 0.03125], [0.84127, 0.96875], [0.857143, 1], [1, 1],
];
const green: Points = [[0, 0], [0.15873, 0.9375], [0.174603, 1], [0.507937, 1], [0.666667, 0.0625], [0.68254, 0], [1, 0]];
const blue: Points = [[0, 0], [0.333333, 0], [0.349206, 0.0625], [0.507937, 1], [0.84127, 1], [0.857143, 0.9375], [1, 0.09375]];

/** The colour at `position` in 0..1, each channel 0..1. */
export function hsvColour(position: number): [red: number, green: number, blue: number] {
  const entry = Math.min(255, Math.floor(position * 256));
  return [interpolate(red, entry / 255), interpolate(green, entry / 255), interpolate(blue, entry / 255)];
}

function interpolate(points: Points, position: number): number {
  let right = 1;
  while (right < points.length - 1 && points[right]![0] < position) right++;
  const [x0, y0] = points[right - 1]!;
  const [x1, y1] = points[right]!;
  return y0 + ((position - x0) / (x1 - x0)) * (y1 - y0);
}
