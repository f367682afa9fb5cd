import sharp from 'sharp';

/**
 * From a photograph to the square that the networks see. The published evaluation transforms of the datasets are
 * values of these four fields, and the pixels are those of Pillow and torchvision up to rounding: the same sizes, the
 * same crops, the same places at which the image is sampled.
 */
export interface Transform {
  /** Side in pixels of the square at the centre of the original that is kept; 0 keeps all of it. */
  crop: number;
  /** `keep` fits the shorter side, `stretch` fits both and changes the aspect. */
  aspect: 'keep' | 'stretch';
  /** Side after resizing over the side of the result, at least 1: of 256 / 224 the centre is kept, the margin cropped. */
  resizeRatio: number;
  /** Interpolation; antialiased where the image becomes smaller. */
  kernel: 'bilinear' | 'bicubic' | 'lanczos';
}

export const transforms = {
  /** The largest square at the centre. */
  cover: { crop: 0, aspect: 'keep', resizeRatio: 1, kernel: 'lanczos' },
  /** group DRO, JTT and DFR: CenterCrop(178), Resize(224). */
  celeba: { crop: 178, aspect: 'keep', resizeRatio: 1, kernel: 'bilinear' },
  /** SpuCo, and group DRO and WILDS for Waterbirds: Resize((256, 256)), CenterCrop(224). */
  stretch: { crop: 0, aspect: 'stretch', resizeRatio: 256 / 224, kernel: 'bilinear' },
  /** torchvision: Resize(256), CenterCrop(224). */
  imagenet: { crop: 0, aspect: 'keep', resizeRatio: 256 / 224, kernel: 'bilinear' },
  /** For images that are stored as they are seen, such as those of ImageNet-C: at their own size they are left as they are. */
  stored: { crop: 0, aspect: 'keep', resizeRatio: 1, kernel: 'bilinear' },
} as const satisfies Record<string, Transform>;

const kernels = { bilinear: 'linear', bicubic: 'cubic', lanczos: 'lanczos3' } as const;

/**
 * Decodes a JPEG, PNG or WebP, upright (EXIF orientation applied), sRGB without alpha.
 * @returns uint8, [size, size, 3]
 * @throws Error saying what is wrong with the image
 */
export async function decodeSquare(encoded: Uint8Array, size: number, { crop, aspect, resizeRatio, kernel }: Transform): Promise<Uint8Array> {
  const image = sharp(encoded, { failOn: 'error' });
  const original = (await image.metadata()).autoOrient;
  image.autoOrient();
  let [width, height] = [original.width, original.height];
  if (crop > 0) {
    if (width < crop || height < crop) throw new Error(`${width} x ${height} pixels, too small for a crop of ${crop}`);
    image.extract({ left: centred(width, crop), top: centred(height, crop), width: crop, height: crop });
    width = height = crop;
  }
  const side = Math.floor(size * resizeRatio + 1e-9); // rounded down, as the reference code of Spurious ImageNet has it
  const [fitWidth, fitHeight] = aspect === 'stretch' ? [side, side] : fitShorter(width, height, side);
  // libvips samples an enlarged image half a target pixel too far up and left: of one that is enlarged twice as
  // much, the odd pixels are exactly those wanted.
  const [stepX, stepY] = [fitWidth > width ? 2 : 1, fitHeight > height ? 2 : 1];
  const [left, top] = [centred(fitWidth, size), centred(fitHeight, size)];
  const { data, info } = await image
    .resize(fitWidth * stepX, fitHeight * stepY, { fit: 'fill', kernel: kernels[kernel] })
    .extract({ left: left * stepX, top: top * stepY, width: size * stepX, height: size * stepY }) // the rest is never computed
    .removeAlpha()
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`);
  return stepX === 1 && stepY === 1 ? new Uint8Array(data.buffer, data.byteOffset, data.length) : lastOfEach(data, size, stepX, stepY);
}

/** As torchvision's Resize(side): the longer side is rounded down. */
function fitShorter(width: number, height: number, side: number): [width: number, height: number] {
  return width <= height ? [side, Math.floor((side * height) / width)] : [Math.floor((side * width) / height), side];
}

/** Where a centred part begins, as torchvision's CenterCrop has it: halves are rounded to even. */
function centred(whole: number, part: number): number {
  const half = (whole - part) / 2;
  return half % 1 === 0 ? half : 2 * Math.round(half / 2);
}

/** The last pixel of each cell of stepX x stepY. */
function lastOfEach(pixels: Uint8Array, size: number, stepX: number, stepY: number): Uint8Array {
  const square = new Uint8Array(size * size * 3);
  let to = 0;
  for (let y = stepY - 1; y < size * stepY; y += stepY) {
    for (let x = stepX - 1; x < size * stepX; x += stepX) {
      const from = (y * size * stepX + x) * 3;
      for (let c = 0; c < 3; c++) square[to++] = pixels[from + c]!;
    }
  }
  return square;
}
