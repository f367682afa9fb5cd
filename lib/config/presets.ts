/**
 * Named trades of exactness for time in guidance per step: `sampling.preset`. A preset stands for some of the settings of
 * `sampling`; those that are given stay. What is lost is measured: see `guidance/gradientCosine` in docs/run-folder.md.
 */
import { SparringError } from '../errors.js';
import { nearest } from './suggest.js';

type Tree = Record<string, unknown>;

const presets: Record<string, { guidance: Tree; sampler?: string }> = {
  exact: { guidance: { gradient: 'unet', latentPool: 1 } },
  // Half the side of the decoded image, a quarter of its cost; the steps near the image, where guidance only sharpens, are left out.
  fast: { guidance: { gradient: 'unet', latentPool: 2, until: 0.5 } },
  // A solver of second order, for runs of few steps.
  turbo: { guidance: { gradient: 'x0', latentPool: 2, until: 0.5 }, sampler: 'dpm-solver++-2m' },
};

/** `sampling` with its preset written out. Throws SparringError 'config' for a name that there is not, or guidance that is not per step. */
export function withoutPreset(sampling: Tree, where: string): Tree {
  const { preset: name, ...given } = sampling;
  if (name === undefined) return sampling;
  const preset = typeof name === 'string' && Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (!preset) {
    const guess = typeof name === 'string' ? nearest(name, Object.keys(presets)) : undefined;
    throw new SparringError('config', `${where}.preset: expected one of ${Object.keys(presets).join(', ')}, found ${JSON.stringify(name)}.`, guess && `Did you mean ${guess}?`);
  }
  const guidance = given.guidance === undefined ? {} : (given.guidance as Tree);
  if (typeof guidance !== 'object' || guidance === null || Array.isArray(guidance)) return given; // the schema says what is wrong with it
  if (guidance.kind !== undefined && guidance.kind !== 'step') throw new SparringError('config', `${where}.preset: expected guidance of kind step, found ${JSON.stringify(guidance.kind)}.`, 'Presets are of guidance per step; leave preset out.');
  const { start, eta } = given as { start?: Tree; eta?: number };
  const needsDdim = start?.kind === 'inversion' || (eta ?? 0) > 0;
  // A small decoder costs so little that averaging the latents would only lose what it sees.
  const pooling = guidance.decoder === undefined ? {} : { latentPool: 1 };
  return { ...(preset.sampler && !needsDdim && { sampler: preset.sampler }), ...given, guidance: { kind: 'step', ...preset.guidance, ...pooling, ...guidance } };
}
