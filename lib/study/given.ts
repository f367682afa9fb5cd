/** The files that a study is given, weights and images, against what they were when it began. */
import type { Study } from '../config/study.js';
import { checkDataFingerprints, dataFingerprintsOf, saveDataFingerprints } from './given-data.js';
import { checkFingerprints, fingerprintsOf, saveFingerprints } from './given-weights.js';

/** Throws SparringError 'weights' or 'data' when something is not what it was. `save` keeps what they are for the next time. */
export async function checkGiven(study: Pick<Study, 'output' | 'cells'>, signal?: AbortSignal): Promise<{ save(): Promise<void> }> {
  const weights = await fingerprintsOf(study);
  checkFingerprints(study, weights);
  const data = await dataFingerprintsOf(study, signal);
  checkDataFingerprints(study, data);
  return {
    save: async () => {
      await saveFingerprints(study, weights);
      await saveDataFingerprints(study, data);
    },
  };
}
