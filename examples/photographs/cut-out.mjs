// Cuts a garment out of a photograph whose border shows the background: what is unlike the colours of the border is the
// garment. Made for things photographed alone on a floor, a bed or a wall; where that fails, the cut-out is refused.
import sharp from 'sharp';

const side = 128; // pixels of the longer side on which the mask is made
const clusters = 6; // colours of the border

/**
 * The garment of a photograph with transparent surroundings, cropped to it, or undefined where the mask cannot be right.
 * @param {string | Buffer} photograph
 * @returns {Promise<{ data: Buffer, width: number, height: number } | undefined>} RGBA pixels
 */
export async function cutOut(photograph) {
  const { data, info } = await sharp(photograph).rotate().removeAlpha().toColourspace('srgb').resize(side, side, { fit: 'inside' }).raw().toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const colours = opponentColours(data);
  const distance = distanceTo(borderColours(colours, width, height), colours);
  const threshold = otsu(distance);
  let mask = Uint8Array.from(distance, (d) => Number(d > threshold));
  for (let pass = 0; pass < 3; pass++) mask = majority(mask, width, height);
  mask = withoutHoles(largestPart(mask, width, height), width, height);
  const box = boundingBox(mask, width, height);
  if (!plausible(mask, box, width, height)) return undefined;
  const rgba = Buffer.alloc(box.width * box.height * 4);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) {
      const from = (y + box.top) * width + x + box.left;
      const to = (y * box.width + x) * 4;
      data.copy(rgba, to, from * 3, from * 3 + 3);
      rgba[to + 3] = 255 * mask[from];
    }
  }
  return { data: rgba, width: box.width, height: box.height };
}

/** Brightness, and two differences of colour that count double: shadows are grey, garments often are not. [pixels * 3] */
function opponentColours(rgb) {
  const result = new Float32Array(rgb.length);
  for (let i = 0; i < rgb.length; i += 3) {
    const [r, g, b] = [rgb[i], rgb[i + 1], rgb[i + 2]];
    result[i] = (r + g + b) / 3;
    result[i + 1] = 2 * (r - g);
    result[i + 2] = 2 * ((r + g) / 2 - b);
  }
  return result;
}

/** Means of the colours along the border, by k-means from evenly spaced starts. */
function borderColours(colours, width, height) {
  const margin = Math.max(2, Math.round(0.04 * Math.min(width, height)));
  const border = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x < margin || x >= width - margin || y < margin || y >= height - margin) border.push(colours.subarray((y * width + x) * 3, (y * width + x) * 3 + 3));
    }
  }
  const byBrightness = [...border].sort((a, b) => a[0] - b[0]);
  let means = Array.from({ length: clusters }, (_, k) => [...byBrightness[Math.floor(((k + 0.5) / clusters) * border.length)]]);
  let counts = [];
  for (let iteration = 0; iteration < 10; iteration++) {
    const sums = means.map(() => [0, 0, 0, 0]);
    for (const colour of border) {
      const sum = sums[nearest(means, colour).index];
      for (let c = 0; c < 3; c++) sum[c] += colour[c];
      sum[3]++;
    }
    counts = sums.map((sum) => sum[3]);
    means = means.map((mean, k) => (sums[k][3] ? sums[k].slice(0, 3).map((value) => value / sums[k][3]) : mean));
  }
  // A colour that is rare at the border may be a sleeve or a leg that leaves the picture.
  return means.filter((_, k) => counts[k] > 0.06 * border.length);
}

function nearest(means, colour) {
  let [index, squared] = [0, Infinity];
  means.forEach((mean, k) => {
    const d = (mean[0] - colour[0]) ** 2 + (mean[1] - colour[1]) ** 2 + (mean[2] - colour[2]) ** 2;
    if (d < squared) [index, squared] = [k, d];
  });
  return { index, squared };
}

function distanceTo(means, colours) {
  return Float32Array.from({ length: colours.length / 3 }, (_, i) => Math.min(255, Math.sqrt(nearest(means, colours.subarray(i * 3, i * 3 + 3)).squared)));
}

/** The threshold that parts the values into two classes with the greatest variance between them (Otsu). */
function otsu(values) {
  const histogram = new Array(256).fill(0);
  for (const value of values) histogram[Math.floor(value)]++;
  const total = histogram.reduce((sum, count, value) => sum + count * value, 0);
  let [best, threshold, below, sumBelow] = [-1, 0, 0, 0];
  for (let value = 0; value < 256; value++) {
    below += histogram[value];
    sumBelow += value * histogram[value];
    const above = values.length - below;
    if (!below || !above) continue;
    const between = below * above * (sumBelow / below - (total - sumBelow) / above) ** 2;
    if (between > best) [best, threshold] = [between, value + 1];
  }
  return threshold;
}

/** Each pixel as most of the 5x5 around it: specks go, edges stay. */
function majority(mask, width, height) {
  return mask.map((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    let [inside, all] = [0, 0];
    for (let v = Math.max(0, y - 2); v <= Math.min(height - 1, y + 2); v++) {
      for (let u = Math.max(0, x - 2); u <= Math.min(width - 1, x + 2); u++) {
        inside += mask[v * width + u];
        all++;
      }
    }
    return Number(inside * 2 > all);
  });
}

/** Connected parts (4 neighbours) of the pixels with this value: lists of indices. */
function parts(mask, value, width, height) {
  const seen = new Uint8Array(mask.length);
  const found = [];
  for (let start = 0; start < mask.length; start++) {
    if (seen[start] || mask[start] !== value) continue;
    const part = [start];
    seen[start] = 1;
    for (let next = 0; next < part.length; next++) {
      const [x, y] = [part[next] % width, Math.floor(part[next] / width)];
      for (const [u, v] of [[x - 1, y], [x + 1, y], [x, y - 1], [x, y + 1]]) {
        const at = v * width + u;
        if (u < 0 || v < 0 || u >= width || v >= height || seen[at] || mask[at] !== value) continue;
        seen[at] = 1;
        part.push(at);
      }
    }
    found.push(part);
  }
  return found;
}

function largestPart(mask, width, height) {
  const result = new Uint8Array(mask.length);
  const [largest = []] = parts(mask, 1, width, height).sort((a, b) => b.length - a.length);
  for (const i of largest) result[i] = 1;
  return result;
}

/** What is enclosed by the mask belongs to it: prints on a shirt, buttons. */
function withoutHoles(mask, width, height) {
  const atBorder = (i) => i % width === 0 || i % width === width - 1 || i < width || i >= mask.length - width;
  for (const part of parts(mask, 0, width, height)) if (!part.some(atBorder)) for (const i of part) mask[i] = 1;
  return mask;
}

function boundingBox(mask, width, height) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  mask.forEach((inside, i) => {
    if (!inside) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  });
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Neither a scrap nor the floor: a tenth to two thirds of the picture, around its middle, hardly at its border. */
function plausible(mask, box, width, height) {
  const area = mask.reduce((sum, inside) => sum + inside, 0);
  if (area < 0.1 * mask.length || area > 0.67 * mask.length) return false;
  if (area < 0.4 * box.width * box.height) return false;
  let [touching, all] = [0, 0];
  mask.forEach((inside, i) => {
    if (i % width !== 0 && i % width !== width - 1 && i >= width && i < mask.length - width) return;
    all++;
    touching += inside;
  });
  const middle = Math.abs(box.left + box.width / 2 - width / 2) < 0.15 * width && Math.abs(box.top + box.height / 2 - height / 2) < 0.15 * height;
  return touching < 0.12 * all && middle;
}
