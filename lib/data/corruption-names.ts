/** The common corruptions of Hendrycks & Dietterich (arXiv 1903.12261), by the names of the folders of ImageNet-C. */

/** Those that averages are over. */
export const commonCorruptions = [
  'gaussian_noise', 'shot_noise', 'impulse_noise', 'defocus_blur', 'glass_blur', 'motion_blur', 'zoom_blur', 'snow', 'frost', 'fog',
  'brightness', 'contrast', 'elastic_transform', 'pixelate', 'jpeg_compression',
] as const;
/** Meant for tuning; never averaged. */
export const heldOutCorruptions = ['speckle_noise', 'gaussian_blur', 'spatter', 'saturate'] as const;

export type Corruption = (typeof commonCorruptions)[number] | (typeof heldOutCorruptions)[number];

export const severities = [1, 2, 3, 4, 5] as const;
export type CorruptionSeverity = (typeof severities)[number];
