import type { DataCheck } from '../data/check.js';
import { count } from './table.js';

const shownUnreadable = 20;

/** What `sparring data check` prints for people. */
export function dataCheckText({ layout, root, splits, captions, imageSizes, unreadable, findings, ok }: DataCheck): string {
  const lines = [`${layout}${root && ` in ${root}`}`];
  const width = Math.max(...splits.flatMap(({ groups }) => groups.map(({ name }) => name.length)), 5);
  for (const { name, images, groups } of splits) {
    lines.push('', `${name.padEnd(width + 2)} ${count(images).padStart(9)} images`);
    for (const group of groups) {
      if (group.images === 0 && !group.published && groups.length > 12) continue; // many pairs never occur
      const published = group.published === null ? '' : group.published === group.images ? '  as published' : `  published: ${count(group.published)}`;
      lines.push(`  ${group.name.padEnd(width)} ${count(group.images).padStart(9)}${published}`);
    }
  }
  if (captions > 0) lines.push('', `captions: ${count(captions)} of ${count(splits.find(({ name }) => name === 'train')!.images)} training images have one`);
  const size = ([w, h]: [number, number]): string => `${w} x ${h}`;
  if (imageSizes) lines.push('', `image sizes, of ${imageSizes.sampled}: ${size(imageSizes.smallest)} to ${size(imageSizes.largest)}, most often ${size(imageSizes.commonest)}`);
  if (findings.length > 0) lines.push('', ...findings.map(({ severity, text }) => `${severity === 'problem' ? 'PROBLEM' : 'note'}: ${text}`));
  if (unreadable.length > 0) {
    lines.push('', `PROBLEM: ${count(unreadable.length)} images cannot be read:`, ...unreadable.slice(0, shownUnreadable).map(({ reason }) => `  ${reason}`));
    if (unreadable.length > shownUnreadable) lines.push(`  ... ${count(unreadable.length - shownUnreadable)} more; --json lists them all`);
  }
  return [...lines, '', ok ? 'Nothing is wrong.' : 'Something is wrong, see above.'].join('\n');
}
