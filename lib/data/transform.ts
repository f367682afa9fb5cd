import sharp, { type Sharp } from 'sharp';

import { resample, type ResampledAxis, type Resampling } from '../native/resample.js';

/**
 * From a photograph to the square that the networks see. The published evaluation transforms of the datasets are
 * values of these four fields, and they are resized to the bit as by Pillow, but for large files (see reduce).
 */
export interface Transform {
  /** Side in pixels of the square at the centre of the original that is kept; 0 keeps all of it. */
  crop: number;
  /** `keep` fits the shorter side, `stretch` fits both and changes the aspect. */
  aspect: 'keep' | 'stretch';
  /** Side after resizing over the side of the result, at least 1: of 256 / 224 the centre is kept, the margin cropped. */
  resizeRatio: number;
  /** Interpolation; antialiased where the image becomes smaller. */
  kernel: Resampling['kernel'];
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

/** Files of as many bytes are mostly small images, of which it is not worth to look at the header first. */
const smallFile = 2 ** 17;

/**
 * Decodes a JPEG, PNG or WebP, upright (EXIF orientation applied), sRGB without alpha.
 * @returns uint8, [size, size, 3]
 * @throws Error saying what is wrong with the image
 */
export async function decodeSquare(encoded: Uint8Array, size: number, transform: Transform): Promise<Uint8Array> {
  const image = sharp(encoded, { failOn: 'error' }).autoOrient();
  if (encoded.length > smallFile && transform.crop === 0) await reduce(image, size, transform);
  const { data, info } = await image.removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  if (info.channels !== 3) throw new Error(`decoded to ${info.channels} channels instead of 3`);
  const { width, height } = info;
  const [croppedWidth, croppedHeight] = transform.crop > 0 ? [transform.crop, transform.crop] : [width, height];
  if (croppedWidth > width || croppedHeight > height) throw new Error(`${width} x ${height} pixels, too small for a crop of ${transform.crop}`);
  const [fittedWidth, fittedHeight] = fitted(croppedWidth, croppedHeight, size, transform);
  if ([width, height, croppedWidth, croppedHeight, fittedWidth, fittedHeight].every((side) => side === size)) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const axis = (length: number, from: number, to: number): ResampledAxis => ({ length, start: centred(length, from), from, to, first: centred(to, size), count: size });
  return resample(data, { down: axis(height, croppedHeight, fittedHeight), across: axis(width, croppedWidth, fittedWidth), kernel: transform.kernel });
}

/**
 * JPEG and WebP can be decoded at half the size and less, which takes a fraction of the time; libvips does the rest of the way, and of the
 * transform the crop is left. Below a third of the size libvips does so; above it, it would decode a JPEG whole.
 */
async function reduce(image: Sharp, size: number, transform: Transform): Promise<void> {
  const { format, hasAlpha, autoOrient: { width, height } } = await image.metadata();
  const [fittedWidth, fittedHeight] = fitted(width, height, size, transform);
  if ((format !== 'jpeg' && format !== 'webp') || hasAlpha || Math.min(width / fittedWidth, height / fittedHeight) < 3) return;
  image.resize(fittedWidth, fittedHeight, { fit: 'fill', kernel: kernels[transform.kernel] });
}

/** As torchvision's Resize(side): the shorter side is fitted and the longer one rounded down, or both are fitted. */
function fitted(width: number, height: number, size: number, { aspect, resizeRatio }: Transform): [width: number, height: number] {
  const side = Math.floor(size * resizeRatio + 1e-9); // rounded down, as the reference code of Spurious ImageNet has it
  if (aspect === 'stretch') return [side, side];
  return width <= height ? [side, Math.floor((side * height) / width)] : [Math.floor((side * width) / height), side];
}

/** Where a centred part begins, as torchvision's CenterCrop has it: halves are rounded to even. */
function centred(whole: number, part: number): number {
  const half = (whole - part) / 2;
  return half % 1 === 0 ? half : 2 * Math.round(half / 2);
}
