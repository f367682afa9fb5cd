/** The files that a study is given, weights and images, against what they were when it began. */
import type { Study } from '../config/study.js';
import { checkFingerprints, fingerprintsOf, saveFingerprints } from '../methods/given-files.js';
import { checkDataFingerprints, dataFingerprintsOf, saveDataFingerprints } from './given-data.js';

/** Throws SparringError 'weights' or 'data' when something is not what it was. `save` keeps what they are for the next time. */
export async function checkGiven(study: Pick<Study, 'output' | 'cells'>, signal?: AbortSignal): Promise<{ save(): Promise<void> }> {
  const configs = study.cells.map(({ config }) => config);
  const files = await fingerprintsOf(configs);
  checkFingerprints(study.output, configs, files);
  const data = await dataFingerprintsOf(study, signal);
  checkDataFingerprints(study, data);
  return {
    save: async () => {
      await saveFingerprints(study.output, files);
      await saveDataFingerprints(study, data);
    },
  };
}
