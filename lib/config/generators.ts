/** The generators that sparring trains: class-conditional U-Nets on pixels. */
import type { DenoiserSpec } from '../native/contract.js';

export interface PixelGeneratorOptions {
  /** Channels per level; each but the first halves the resolution. */
  blockChannels: readonly number[];
  /** Self-attention per level; the lowest resolution always has it. */
  attention: readonly (0 | 1)[];
  layersPerBlock: number;
  normGroups: number;
  /** Channels per attention head. */
  headDim: number;
}

/** Shape, schedule and prediction of docs/method.md; the last class embedding is the null class. */
export function pixelGenerator(options: PixelGeneratorOptions, numClasses: number, imageSize: number): DenoiserSpec {
  const { blockChannels, attention, layersPerBlock, normGroups, headDim } = options;
  return {
    unet: {
      channels: 3, blockChannels, attention, layersPerBlock, normGroups,
      heads: blockChannels.map((channels) => Math.max(1, Math.floor(channels / headDim))),
      normEps: 1e-5, classEmbeddings: numClasses + 1, textChannels: 0, transformerLayers: 1, linearProjection: false,
      downsampleBothSides: true, cosineFirst: true, frequencyShift: 0,
    },
    schedule: { trainTimesteps: 1000, betas: 'cosine', betaStart: 1e-4, betaEnd: 0.02, setAlphaToOne: true, stepsOffset: 0 },
    prediction: 'v', spacing: 'trailing', variance: 'fixed-small', clip: 1,
    numClasses, imageSize, drawSize: imageSize,
  };
}
