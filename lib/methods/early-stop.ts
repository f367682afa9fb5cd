/**
 * When a row has nothing left to learn: of the images of a round that the teacher is sure of, the student got next to none wrong
 * before it trained on them. Neither groups nor the test split have a say.
 */
import type { Config } from '../config/schema.js';
import type { SampleRecord } from '../store/record.js';
import { gives } from './generation.js';

type Judged = Pick<SampleRecord, 'label' | 'teacherProbabilities' | 'studentWrong'>;

/**
 * Share of the images that selection by the teacher alone would keep for which the student prefers another class; undefined where
 * there is no such image.
 */
export function wrongOfApproved(images: readonly Judged[], teacherProbability: number): number | undefined {
  const approved = images.filter(({ label, teacherProbabilities }) => gives(teacherProbabilities, label) && teacherProbabilities[label] >= teacherProbability);
  return approved.length > 0 ? approved.filter(({ studentWrong }) => studentWrong).length / approved.length : undefined;
}

/** Whether a round with these images is the last one of its row. Images that the teacher doubts tell nothing, so none but such do not end it. */
export function isLastRound(images: readonly Judged[], { teacherProbability, earlyStop }: Config['rounds']): boolean {
  const share = wrongOfApproved(images, teacherProbability);
  return share !== undefined && share < earlyStop.studentWrong;
}
