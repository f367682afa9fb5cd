/** What guidance did to the images of a round, from what the store knows of them. */
import { isCompared, type SampleRecord } from '../store/record.js';
import { wrongOfApproved } from './early-stop.js';
import { gives } from './generation.js';

/** Images of a guided round that are drawn without guidance as well, from the same noise. */
export const comparedImages = 16;

/** How near the gradient that guided is to the exact one, where they were compared: once in a run, where they are not the same. */
export function gradientCosine(images: readonly Pick<SampleRecord, 'gradientCosine'>[]): Record<string, number> {
  const cosines = images.flatMap((image) => image.gradientCosine ?? []);
  return cosines.length > 0 ? { 'guidance/gradientCosine': cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length } : {};
}

/** Metrics of one round; means and shares over its images. `teacherProbability`: that of the selection. */
export function roundDiagnostics(images: readonly SampleRecord[], teacherProbability: number): Record<string, number> {
  const mean = (values: readonly (number | boolean)[]): number => values.reduce<number>((sum, value) => sum + Number(value), 0) / values.length;
  const teacher = ({ teacherProbabilities, label }: SampleRecord): number => teacherProbabilities[label];
  const judged = images.filter(isCompared);
  const wrong = wrongOfApproved(judged, teacherProbability);
  const compared = judged.flatMap((image) => (image.unguided ? [{ image, before: image.unguided }] : []));
  return {
    'generated/teacherProbability': mean(images.map(teacher)),
    'generated/studentProbability': mean(judged.map(({ studentProbability }) => studentProbability)),
    'generated/teacherWrong': mean(images.map(({ teacherProbabilities, label }) => !gives(teacherProbabilities, label))),
    'generated/studentWrong': mean(judged.map(({ studentWrong }) => studentWrong)),
    ...(wrong !== undefined && { 'generated/studentWrongOfApproved': wrong }),
    'generated/kept': mean(images.map(({ kept }) => kept)),
    ...(compared.length > 0 && {
      'guidance/teacherBefore': mean(compared.map(({ before }) => before.teacherProbability)),
      'guidance/teacherAfter': mean(compared.map(({ image }) => teacher(image))),
      'guidance/studentBefore': mean(compared.map(({ before }) => before.studentProbability)),
      'guidance/studentAfter': mean(compared.map(({ image }) => image.studentProbability)),
    }),
    ...gradientCosine(images),
  };
}
