import type { OodConfig, OodFolder } from '../../config/ood.js';
import { SparringError } from '../../errors.js';
import { listCueConflict, type CueConflict } from './cue-conflict.js';
import { listImageNetC, type ImageNetC } from './imagenet-c.js';
import { listImageNetV2 } from './imagenet-v2.js';
import type { OodSet } from './ood-set.js';
import { listWordNetSet, titleOf, type WordNetSetName } from './wordnet-sets.js';

/** The sets of a config whose layout was looked at; none of their images was opened. */
export interface OodSuite {
  /** Those measured by accuracy, in the order of the table. */
  sets: OodSet[];
  imageNetC: ImageNetC | null;
  cueConflict: CueConflict | null;
  /** Those without a folder, a sentence each. */
  skipped: string[];
}

/** Throws SparringError 'config' when no folder is given, 'data' when one does not fit. */
export async function listOodSuite(ood: OodConfig): Promise<OodSuite> {
  const skipped: string[] = [];
  const list = async <T>(key: OodFolder, title: string, read: (root: string) => Promise<T>): Promise<T | null> => {
    const root = ood[key];
    if (root !== undefined) return read(root);
    skipped.push(`${title} is skipped: ood.${key} is not set.`);
    return null;
  };
  const wordNet = (name: WordNetSetName): Promise<OodSet | null> => list(name, titleOf(name), (root) => listWordNetSet(name, root));
  const sets = [await wordNet('val'), ...((await list('v2', 'ImageNet-V2', listImageNetV2)) ?? []), await wordNet('a'), await wordNet('r'), await wordNet('sketch'), await wordNet('stylized')];
  const imageNetC = await list('c', 'ImageNet-C', listImageNetC);
  const cueConflict = await list('cueConflict', 'Cue conflict', listCueConflict);
  const found = sets.filter((set) => set !== null);
  if (found.length === 0 && !imageNetC && !cueConflict) throw new SparringError('config', 'ood: expected the folder of at least one set, found none.', 'Set ood.val, ood.v2, ood.a, ood.r, ood.sketch, ood.stylized, ood.c or ood.cueConflict; see docs/ood.md.');
  return { sets: found, imageNetC, cueConflict, skipped };
}
