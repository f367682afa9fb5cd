import sharp from 'sharp';
import { SparringError } from '../errors.js';
import { drawText, glyphHeight, glyphWidth } from './pixel-font.js';

export interface GridOptions {
  /** uint8, [count, imageSize, imageSize, 3]. */
  pixels: Uint8Array;
  imageSize: number;
  /** Images per row. Default: about as many as rows. */
  columns?: number;
  /** Whole-number magnification. Default: the smallest that makes an image at least 96 pixels wide. */
  scale?: number;
  /** One per image, set below it in up to two lines of small capitals. */
  captions?: readonly string[];
  /** Set above the grid. */
  title?: string;
}

const gap = 8;
/** Magnification of the 3 x 5 font. */
const fontScale = 2;
const lineHeight = (glyphHeight + 3) * fontScale;
const advance = (glyphWidth + 1) * fontScale;
const captionLines = 2;
const [paper, ink] = [255, 45];

/** Images side by side as one PNG. */
export async function imageGrid(options: GridOptions): Promise<Buffer> {
  const { pixels, imageSize, captions, title } = options;
  const bytes = imageSize * imageSize * 3;
  const count = pixels.length / bytes;
  if (!Number.isInteger(count) || count < 1 || (captions && captions.length !== count)) {
    throw new SparringError('data', `image grid: expected whole images of ${bytes} bytes and a caption for each or none, found ${pixels.length} bytes and ${captions?.length ?? 0} captions`);
  }
  const columns = Math.min(count, options.columns ?? Math.ceil(Math.sqrt(count)));
  const scale = options.scale ?? Math.max(1, Math.ceil(96 / imageSize));
  const rows = Math.ceil(count / columns);
  const tile = imageSize * scale;
  const strip = captions ? captionLines * lineHeight : 0;
  const top = gap + (title ? lineHeight + gap : 0);
  const canvas = new Canvas(gap + columns * (tile + gap), top + rows * (tile + strip + gap));
  if (title) canvas.text(title, gap, gap);
  for (let index = 0; index < count; index++) {
    const left = gap + (index % columns) * (tile + gap);
    const upper = top + Math.floor(index / columns) * (tile + strip + gap);
    canvas.image(pixels.subarray(index * bytes, (index + 1) * bytes), imageSize, scale, left, upper);
    if (!captions) continue;
    wrap(captions[index]!, Math.floor((tile + gap / 2) / advance)).forEach((line, number) => canvas.text(line, left, upper + tile + 4 + number * lineHeight));
  }
  return canvas.png();
}

/** Breaks at spaces and after slashes where it can, into at most two lines; what does not fit is cut. */
function wrap(caption: string, length: number): string[] {
  const lines = [''];
  for (const word of caption.match(/\s*(?:[^\s/]+\/?|\/)/g) ?? []) {
    const last = lines.length - 1;
    if (lines[last] === '' || lines[last]!.length + word.length <= length) lines[last] += word;
    else lines.push(word);
  }
  return lines.slice(0, captionLines).map((line) => line.trim().slice(0, length));
}

class Canvas {
  readonly #data: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.#data = new Uint8Array(width * height * 3).fill(paper);
  }

  image(pixels: Uint8Array, size: number, scale: number, left: number, top: number): void {
    for (let y = 0; y < size * scale; y++) {
      for (let x = 0; x < size * scale; x++) {
        const from = (Math.floor(y / scale) * size + Math.floor(x / scale)) * 3;
        this.#data.set(pixels.subarray(from, from + 3), ((top + y) * this.width + left + x) * 3);
      }
    }
  }

  text(line: string, left: number, top: number): void {
    drawText(line, (x, y) => this.square(left + x * fontScale, top + y * fontScale));
  }

  png(): Promise<Buffer> {
    return sharp(this.#data, { raw: { width: this.width, height: this.height, channels: 3 } }).png({ compressionLevel: 9 }).toBuffer();
  }

  private square(left: number, top: number): void {
    for (let y = top; y < Math.min(top + fontScale, this.height); y++) {
      for (let x = left; x < Math.min(left + fontScale, this.width); x++) this.#data.fill(ink, (y * this.width + x) * 3, (y * this.width + x) * 3 + 3);
    }
  }
}
