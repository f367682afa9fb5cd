import { escapeHtml } from './escape.js';
import type { MetricsRow } from './metrics-log.js';

const columns: { title: string; cell: (number: (key: string) => string) => string }[] = [
  { title: 'Teacher', cell: (number) => number('generated/teacherProbability') },
  { title: 'Student', cell: (number) => number('generated/studentProbability') },
  { title: 'Teacher wrong', cell: (number) => number('generated/teacherWrong') },
  { title: 'Student wrong', cell: (number) => number('generated/studentWrong') },
  { title: 'of approved', cell: (number) => number('generated/studentWrongOfApproved') },
  { title: 'Kept', cell: (number) => number('generated/kept') },
  { title: 'Teacher, by guidance', cell: (number) => change(number('guidance/teacherBefore'), number('guidance/teacherAfter')) },
  { title: 'Student, by guidance', cell: (number) => change(number('guidance/studentBefore'), number('guidance/studentAfter')) },
  { title: 'Ω, real → mixed', cell: (number) => change(number('omega/real'), number('omega/mixed')) },
  { title: 'Cosine', cell: (number) => number('guidance/gradientCosine') },
];

/** A line for each round in which images were generated; empty when there was none. */
export function generationTable(log: readonly MetricsRow[]): string {
  const rounds = log.filter((row) => 'generated/kept' in row);
  if (rounds.length === 0) return '';
  const lines = rounds.map((row) => {
    const number = (key: string): string => (typeof row[key] === 'number' ? row[key].toFixed(3) : '');
    return `<tr><td>${escapeHtml(row.stage)}</td><td class="number">${escapeHtml(String(row.round))}${row.stopped === true ? ', stopped' : ''}</td>${columns.map(({ cell }) => `<td class="number">${cell(number)}</td>`).join('')}</tr>`;
  });
  const head = columns.map(({ title }) => `<th class="number">${title}</th>`).join('');
  return `<div class="scroll"><table><thead><tr><th>Stage</th><th class="number">Round</th>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>
<p class="note">Teacher and Student: mean probability of the class that was asked for; wrong: share of images for which another class
is preferred; of approved: the same share of the images that the teacher is sure of; Kept: share that is trained on; by guidance: without and with it, from the same noise, over the first images of the round; Ω: estimated
risk on test minus that on training images, after the round, without and with the stored images; Cosine: of the gradient that guided with the exact one, where they differ.</p>`;
}

function change(before: string, after: string): string {
  return before && `${before} → ${after}`;
}
