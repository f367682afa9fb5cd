/**
 * Procedural birds: a picture-sized world with one real feature and one shortcut.
 *
 * The species is decided by shape alone: a landbird carries its head on its shoulders, a waterbird on a long
 * neck. Colour, pose, size and place are drawn from the same distributions for both. The background, land or
 * water, is the shortcut: it fills the picture and shows in single pixels, so a small network that may use it
 * learns it first.
 *
 * Everything is computed in unit coordinates (x to the right, y down, both 0..1) from signed distances, so the
 * same seed and index show the same scene at every size, with antialiased edges.
 */

export const birdClasses = ['landbird', 'waterbird'] as const;
export const birdBackgrounds = ['land', 'water'] as const;

export interface BirdOptions {
  /** Index into `birdClasses`. */
  species: 0 | 1;
  /** Index into `birdBackgrounds`. */
  background: 0 | 1;
  /** Chooses the collection; pictures of different seeds are independent. */
  seed: number;
  /** Chooses the picture within the collection. */
  index: number;
  /** Side of the square picture in pixels; 32 and 64 are what the scene is made for. */
  size: number;
}

type Colour = readonly [red: number, green: number, blue: number];
/** Signed distance to a shape's edge, negative inside. */
type Shape = (x: number, y: number) => number;
/** Colour of the scenery at a point; `pixel` is the side of one pixel, the width of an antialiased edge. */
type Scenery = (x: number, y: number, pixel: number) => Colour;

/** Draws one picture: `[size, size, 3]` RGB bytes, row by row. */
export function drawBird({ species, background, seed, index, size }: BirdOptions): Uint8Array {
  // Scenery and bird have generators of their own: whatever one of them draws, the other stays the same.
  const scenery = (background === 0 ? land : water)(new Random(seed, index, 1));
  const bird = birdLayers(species, new Random(seed, index, 2));
  const pixel = 1 / size;
  const picture = new Uint8Array(size * size * 3);
  let offset = 0;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const x = (column + 0.5) * pixel;
      const y = (row + 0.5) * pixel;
      let colour = scenery(x, y, pixel);
      if (bird.reach(x, y) < pixel) {
        for (const layer of bird.layers) colour = mix(colour, layer.colour, coverage(layer.shape(x, y), pixel));
      }
      for (let channel = 0; channel < 3; channel++) {
        picture[offset++] = Math.round(255 * clamp(colour[channel]!));
      }
    }
  }
  return picture;
}

// Scenery ------------------------------------------------------------------------------------------------

/** Sky over a rolling horizon, a row of round trees, and mottled ground from meadow green to dry earth. */
function land(random: Random): Scenery {
  const horizon = random.between(0.3, 0.5);
  const sky = skyColours(random);
  const groundHue = random.between(0.07, 0.36);
  const ground = hsv(groundHue, random.between(0.4, 0.75), random.between(0.4, 0.75));
  const groundDark = mix(ground, hsv(groundHue, 0.8, 0.2), random.between(0.25, 0.5));
  const leaves = hsv(random.between(0.08, 0.38), random.between(0.45, 0.8), random.between(0.25, 0.5));
  const hill = wave(random, 3, 8, 0.045);
  const mottle = [wave(random, 12, 26, 0.5), wave(random, 12, 26, 0.5)] as const;
  const slant = random.between(-0.5, 0.5);
  const trees = Array.from({ length: random.integer(1, 5) }, () => {
    const x = random.between(0, 1);
    const width = random.between(0.05, 0.13);
    return ellipse(x, horizon + hill(x) - 0.6 * width, width, width * random.between(1, 1.7));
  });
  return (x, y, pixel) => {
    const depth = y - horizon - hill(x);
    let colour = mix(sky[0], sky[1], clamp(y / horizon));
    for (const tree of trees) colour = mix(colour, leaves, coverage(tree(x, y), pixel));
    const shade = clamp(0.5 + mottle[0](x + slant * y) + mottle[1](y - slant * x));
    return mix(colour, mix(ground, groundDark, shade), coverage(-depth, pixel));
  };
}

/** Sky over a level horizon and water from grey-blue to turquoise, with bent horizontal crests. */
function water(random: Random): Scenery {
  const horizon = random.between(0.2, 0.5);
  const sky = skyColours(random);
  const hue = random.between(0.48, 0.66);
  const far = hsv(hue, random.between(0.25, 0.6), random.between(0.6, 0.9));
  const near = hsv(hue + random.between(-0.03, 0.03), random.between(0.5, 0.9), random.between(0.35, 0.75));
  const crest = mix(far, [1, 1, 1], random.between(0.2, 0.5));
  const bend = wave(random, 5, 14, 0.03);
  const rhythm = random.between(30, 60);
  const phase = random.between(0, 2 * Math.PI);
  const strength = random.between(0.3, 0.8);
  return (x, y, pixel) => {
    const depth = y - horizon;
    const surface = mix(far, near, clamp(depth / (1 - horizon)));
    // Crests are spaced as perspective has them: close together at the horizon, where they fade into one tone.
    const swell = Math.sin(phase + rhythm * Math.sqrt(Math.max(depth, 0)) + 12 * bend(x + depth));
    const sea = mix(surface, crest, strength * clamp(swell - 0.2) * clamp(6 * depth));
    return mix(mix(sky[0], sky[1], clamp(y / horizon)), sea, coverage(-depth, pixel));
  };
}

/** The sky's colours, zenith and horizon, come from one range for both backgrounds: it must not tell them apart. */
function skyColours(random: Random): readonly [Colour, Colour] {
  const zenith = hsv(random.between(0.52, 0.66), random.between(0.1, 0.5), random.between(0.65, 0.95));
  const haze = hsv(random.between(0.02, 0.16), random.between(0, 0.35), random.between(0.85, 1));
  return [zenith, mix(zenith, haze, random.between(0.3, 1))];
}

// Bird ---------------------------------------------------------------------------------------------------

interface Layer {
  shape: Shape;
  colour: Colour;
}

/** The bird's layers from back to front, and a shape around all of them outside which nothing is drawn. */
function birdLayers(species: 0 | 1, random: Random): { layers: Layer[]; reach: Shape } {
  const plumage = hsv(random.between(0, 1), random.between(0, 0.9), random.between(0.3, 1));
  const wingColour = mix(plumage, random.chance(0.5) ? [0, 0, 0] : [1, 1, 1], random.between(0.2, 0.5));
  const headColour = random.chance(0.4) ? hsv(random.between(0, 1), random.between(0, 0.9), random.between(0.3, 1)) : plumage;
  const hornColour = hsv(random.between(0, 0.16), random.between(0.5, 1), random.between(0.4, 1));
  const scale = random.between(0.13, 0.175);
  const facing = random.chance(0.5) ? 1 : -1;
  const tilt = random.between(-0.22, 0.22);
  const centreX = 0.5 + random.between(-0.12, 0.12) - facing * 0.05;
  const centreY = random.between(0.54, 0.66);
  const stretch = random.between(0.9, 1.15);
  const depth = random.between(0.52, 0.66);

  // Bird coordinates: the body's half length is one unit, its centre the origin, and the bird looks to the right.
  const cosine = Math.cos(tilt) / scale;
  const sine = Math.sin(tilt) / scale;
  const placed = (shape: Shape): Shape => (x, y) => {
    const dx = facing * (x - centreX);
    const dy = y - centreY;
    return scale * shape(cosine * dx + sine * dy, cosine * dy - sine * dx);
  };

  const legLength = random.between(0.45, 0.85);
  const stride = random.between(0.12, 0.3);
  const legs = union(limb(-stride, depth - 0.2, 0.1, -stride - 0.1, depth + legLength, 0.06),
    limb(stride, depth - 0.2, 0.1, stride - 0.1, depth + legLength, 0.06));
  const body = union(ellipse(0, 0, stretch, depth),
    limb(-0.6, 0, 0.35, -1.1 - random.between(0.2, 0.7), random.between(-0.35, 0.15), 0.1));
  const wing = ellipse(-0.2, -0.05, random.between(0.5, 0.7), depth * random.between(0.45, 0.65));

  // The one difference between the species. The draws are made before it, equally many for both.
  const [reachOut, rise, curve] = [random.between(0, 1), random.between(0, 1), random.between(-1, 1)];
  const short = species === 0;
  const headX = short ? 0.72 + 0.2 * reachOut : 0.75 + 0.5 * reachOut;
  const headY = short ? -0.45 - 0.15 * rise : -1.55 - 0.4 * rise;
  const headRadius = short ? 0.42 : 0.32;
  const bendX = (0.75 + headX) / 2 + 0.3 + 0.15 * curve;
  const neck = short
    ? limb(0.5, -0.1, 0.45, headX, headY, 0.36)
    : union(limb(0.6, -0.1, 0.34, bendX, headY / 2, 0.2), limb(bendX, headY / 2, 0.2, headX, headY, 0.2));
  const head = ellipse(headX, headY, headRadius, headRadius);
  const beak = limb(headX + 0.15, headY, 0.2, headX + headRadius + (short ? 0.35 : 0.6), headY + 0.12, 0.03);
  const eye = ellipse(headX + 0.08, headY - 0.08, 0.1, 0.1);

  // A dark rim keeps a bird visible whose colour is that of the ground.
  const figure = union(union(body, neck), head);
  const rim: Shape = (x, y) => figure(x, y) - 0.09;
  return {
    layers: [
      { shape: legs, colour: hornColour },
      { shape: beak, colour: hornColour },
      { shape: rim, colour: mix(plumage, [0, 0, 0], 0.75) },
      { shape: union(body, neck), colour: plumage },
      { shape: head, colour: headColour },
      { shape: wing, colour: wingColour },
      { shape: eye, colour: [0.05, 0.05, 0.05] },
    ].map(({ shape, colour }) => ({ shape: placed(shape), colour: colour as Colour })),
    reach: placed(ellipse(0.1, -0.3, 2.6, 2.4)),
  };
}

// Shapes -------------------------------------------------------------------------------------------------

/** An axis-parallel ellipse; the distance is exact to first order at the edge, where it is used. */
function ellipse(centreX: number, centreY: number, radiusX: number, radiusY: number): Shape {
  return (x, y) => {
    const u = (x - centreX) / radiusX;
    const v = (y - centreY) / radiusY;
    const radius = Math.sqrt(u * u + v * v);
    const slope = Math.sqrt((u / radiusX) ** 2 + (v / radiusY) ** 2);
    return slope === 0 ? -Math.min(radiusX, radiusY) : (radius * (radius - 1)) / slope;
  };
}

/** A line with round ends whose radius goes from `radiusA` at A to `radiusB` at B. */
function limb(ax: number, ay: number, radiusA: number, bx: number, by: number, radiusB: number): Shape {
  const [alongX, alongY] = [bx - ax, by - ay];
  const square = alongX * alongX + alongY * alongY;
  return (x, y) => {
    const [dx, dy] = [x - ax, y - ay];
    const part = clamp((dx * alongX + dy * alongY) / square);
    const [awayX, awayY] = [dx - part * alongX, dy - part * alongY];
    return Math.sqrt(awayX * awayX + awayY * awayY) - radiusA - part * (radiusB - radiusA);
  };
}

function union(first: Shape, second: Shape): Shape {
  return (x, y) => Math.min(first(x, y), second(x, y));
}

/** The share of a pixel that lies inside, from the distance of its centre to the edge. */
function coverage(distance: number, pixel: number): number {
  return clamp(0.5 - distance / pixel);
}

/** A sine of random frequency and phase. */
function wave(random: Random, lowest: number, highest: number, amplitude: number): (at: number) => number {
  const frequency = random.between(lowest, highest);
  const phase = random.between(0, 2 * Math.PI);
  return (at) => amplitude * Math.sin(frequency * at + phase);
}

// Colours and numbers ------------------------------------------------------------------------------------

function mix(from: Colour, to: Colour, share: number): Colour {
  if (share <= 0) return from;
  return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1]), from[2] + share * (to[2] - from[2])];
}

/** Hue, saturation and value, each 0..1, the hue cyclic. */
function hsv(hue: number, saturation: number, value: number): Colour {
  const channel = (shift: number): number => {
    const sector = (((hue * 6 + shift) % 6) + 6) % 6;
    return value * (1 - saturation * clamp(Math.min(sector, 4 - sector)));
  };
  return [channel(5), channel(3), channel(1)];
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 1 ? 1 : value;
}

/** mulberry32, started from a hash of its key, so that neighbouring keys give unrelated streams. */
class Random {
  #state = 0x9e3779b9;

  constructor(...key: number[]) {
    for (const part of key) this.#state = scramble(this.#state ^ (part | 0)) + 0x6d2b79f5;
  }

  between(low: number, high: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return low + (high - low) * ((scramble(this.#state) >>> 0) / 2 ** 32);
  }

  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return Math.floor(this.between(low, high + 1));
  }

  chance(probability: number): boolean {
    return this.between(0, 1) < probability;
  }
}

function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), value | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return mixed ^ (mixed >>> 14);
}
