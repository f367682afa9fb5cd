/** Generation alone, with ready weights, into a sample store in the output folder. */
import { join } from 'node:path';

import type { Config } from '../config/schema.js';
import { explainStop, SparringError } from '../errors.js';
import { Engine } from '../native/engine.js';
import { Classifier, Generator } from '../native/models.js';
import { imageGrid } from '../report/grid.js';
import type { Reporter } from '../report/reporter.js';
import { openStore } from '../store/store.js';
import { writeFileAtomic } from '../training/files.js';
import { checkInputs, loadTeacher } from './foundation.js';
import { generateRound } from './generation.js';

export interface GenerateRequest {
  /** Safetensors file of the student. */
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
}

/** An interrupted generation goes on when it is started again with the same output folder. */
export async function generateToStore(config: Config, request: GenerateRequest): Promise<GenerateResult> {
  const { count, guided, signal, onProgress } = request;
  const { teacher: teacherConfig, generator: generatorConfig, rounds, sampling } = config;
  if (!teacherConfig.weights || !generatorConfig.weights) {
    throw new SparringError('config', `generate: expected teacher.weights and generator.weights, found ${teacherConfig.weights ? 'no generator.weights' : 'no teacher.weights'}.`, 'Give the files, e.g. those that `sparring foundation` wrote.');
  }
  if (!Number.isInteger(count) || count < 1) throw new SparringError('usage', `--count: expected a whole number of at least 1, found ${count}.`);
  const folder = config.output ?? join('runs', config.name);
  const engine = await Engine.open(config);
  const generator = await Generator.load(engine, generatorConfig.weights);
  const inputs = { classes: generator.classes, imageSize: generator.spec.imageSize };
  const teacher = await loadTeacher(engine, teacherConfig, teacherConfig.weights, inputs);
  const student = checkInputs(await Classifier.load(engine, request.student), inputs, request.student);
  const store = await openStore(folder, { writer: 'main', ...inputs });
  await generateRound(
    generator,
    { teacher, student },
    store,
    { seed: config.seed, round: 0, count, sampling: { ...sampling, guidance: guided ? sampling.guidance : { kind: 'none' } }, selection: rounds },
    { ...(signal && { signal }), ...(onProgress && { onProgress: (done, total) => onProgress('images', done, total) }) },
  ).catch((error) => {
    throw explainStop(error, `Stopped with ${store.samples().length} of ${count} images in ${folder}.`, 'The same command goes on from there.');
  });
  const records = store.samples();
  const shown = [...records].sort((a, b) => b.disagreement - a.disagreement).slice(0, 48);
  const captions = shown.map(({ class: name, disagreement }) => `${name} ${disagreement.toFixed(2)}`);
  const pixels = await store.readImages(shown.map(({ key }) => key));
  await writeFileAtomic(join(folder, 'grid.png'), await imageGrid({ pixels, imageSize: store.imageSize, columns: 8, captions }));
  return { folder, generated: records.length, kept: records.filter(({ kept }) => kept).length };
}
