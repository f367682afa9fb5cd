/** Generation alone, with ready weights, into a sample store in the output folder. */
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { openData } from '../data/open.js';
import { pretrainedIdentity, pretrainedOptions, type PretrainedOptions } from '../diffusion/pretrained.js';
import { explainStop, SparringError } from '../errors.js';
import { Engine } from '../native/engine.js';
import { Generator } from '../native/models.js';
import { imageGrid } from '../report/grid.js';
import type { Reporter } from '../report/reporter.js';
import { isCompared } from '../store/record.js';
import { generatorSettingsId } from '../store/settings.js';
import { openStore } from '../store/store.js';
import { writeFileAtomic } from '../training/files.js';
import { evenShares } from './allocation.js';
import { captionProvenance, checkCaptions } from './captions.js';
import { gradientCosine } from './diagnostics.js';
import { fingerprintRead } from './fingerprint.js';
import { loadClassifier, openGenerator } from './foundation.js';
import { generateRound } from './generation.js';
import { checkReadyTeacher, openReadyTeacher } from './ready-teacher.js';
import { startsFromImages } from './start-images.js';

export interface GenerateRequest {
  /** Safetensors or TorchScript file of the student. */
  student: string;
  /** Images, before selection. */
  count: number;
  guided: boolean;
  signal?: AbortSignal;
  onProgress?: Reporter['progress'];
}

export interface GenerateResult {
  folder: string;
  generated: number;
  kept: number;
  /** Of the gradient that guided with the exact one, mean over the images of the first batch; absent where the exact one guided, or none. */
  gradientCosine?: number;
}

/** An interrupted generation goes on when it is started again in the same way; a larger count adds to what is there. */
export async function generateToStore(config: Config, request: GenerateRequest): Promise<GenerateResult> {
  const { count, guided, signal, onProgress } = request;
  const { rounds, sampling } = config;
  const { weights, pretrained } = config.generator;
  checkReadyTeacher(config, 'generate');
  if (!(weights ?? pretrained)) throw new SparringError('config', 'generate: expected generator.weights or generator.pretrained, found neither.', 'Give the file, e.g. the one that `sparring foundation` wrote.');
  if (!Number.isInteger(count) || count < 1) throw new SparringError('usage', `--count: expected a whole number of at least 1, found ${count}.`);
  const folder = config.output ?? join('runs', `${config.name}-images`);
  const engine = await Engine.open(config);
  const fromImages = startsFromImages(sampling.start);
  // A generator of ours knows its classes; a published one draws those of the data.
  const train = fromImages || !weights ? (await openData(config.data)).train : null;
  if (train) checkCaptions(config, train);
  const generator = train ? await openGenerator(engine, config, train) : await Generator.load(engine, weights!);
  const inputs = { classes: generator.classes, imageSize: generator.spec.imageSize };
  const { model: teacher, identity } = await openReadyTeacher(engine, config, inputs, signal);
  const student = await loadClassifier(engine, config.student, request.student, inputs);
  const store = await openStore(folder, { writer: 'main', ...inputs });
  const wanted = { ...sampling, guidance: guided ? sampling.guidance : ({ kind: 'none' } as const) };
  const { teacherProbability, studentWrong } = rounds;
  const selection = { teacherProbability, studentWrong };
  const provenance = {
    seed: config.seed,
    selection,
    teacher: identity,
    generator: weights ? await fingerprintRead(engine, weights) : await publishedGenerator(engine, pretrainedOptions(pretrained!, sampling)),
    student: await fingerprintRead(engine, request.student),
    ...((fromImages || generator.captions) && { data: config.data }),
    ...captionProvenance(generator, train),
  };
  const [known] = store.samples();
  if (known && known.settings !== generatorSettingsId({ ...wanted, ...provenance })) {
    throw new SparringError('usage', `${folder}: the images there were made with other weights, settings or another seed (generators/${known.settings}.json).`, 'Choose another folder with --output.');
  }
  await generateRound(generator, { teacher, student }, store, { seed: config.seed, round: 0, count, shares: evenShares(generator.classes.length), sampling: wanted, train: fromImages ? train : null, captioned: train, selection, provenance }, {
    ...(signal && { signal }),
    ...(onProgress && { onProgress: (done, total) => onProgress('images', done, total) }),
  }).catch((error) => {
    throw explainStop(error, `Stopped with ${store.samples().length} of ${count} images in ${folder}.`, 'The same command goes on from there.');
  });
  const records = store.samples();
  const cosine = gradientCosine(records)['guidance/gradientCosine'];
  const shown = records.filter(isCompared).sort((a, b) => b.disagreement - a.disagreement).slice(0, 48);
  const captions = shown.map(({ class: name, disagreement }) => `${name} ${disagreement.toFixed(2)}`);
  const pixels = await store.readImages(shown.map(({ key }) => key));
  await writeFileAtomic(join(folder, 'grid.png'), await imageGrid({ pixels, imageSize: store.imageSize, columns: 8, captions }));
  return { folder, generated: records.length, kept: records.filter(({ kept }) => kept).length, ...(cosine !== undefined && { gradientCosine: cosine }) };
}

async function publishedGenerator(engine: Engine, options: PretrainedOptions): Promise<object> {
  const { weights, described } = await pretrainedIdentity(engine, options);
  const fingerprints = [];
  for (const path of weights) fingerprints.push(await fingerprintRead(engine, path));
  return { ...options, described, weights: fingerprints };
}
