/**
 * Continued training of the EDRM student in rounds: generate, select, store, train on real and stored images. The
 * methods differ in where the images come from and which are kept; steps and images are the same for all.
 */
import { join } from 'node:path';

import { stream } from '../data/random.js';
import type { GroupMetrics } from '../metrics/groups.js';
import { Classifier } from '../native/models.js';
import { openStore, type SampleStore } from '../store/store.js';
import { trainLoop } from '../training/loop.js';
import { Trainer, type Batch } from '../training/trainer.js';
import { classShares, imagesOfRound } from './allocation.js';
import { captionProvenance } from './captions.js';
import { openStage, type RunContext } from './context.js';
import { corruptionErrors } from './corruption-errors.js';
import { costOf } from './cost.js';
import type { StudentResult } from './distil.js';
import { learningOf } from './distillation.js';
import { comparedImages, gradientCosine, roundDiagnostics } from './diagnostics.js';
import { isLastRound } from './early-stop.js';
import { evaluate } from './evaluate.js';
import type { Foundation } from './foundation.js';
import { generateRound, reuseRound, type Selection } from './generation.js';
import { hardImages } from './hard-images.js';
import { learnConditions } from './learned-conditions.js';
import { omegaDiagnostics } from './omega.js';
import { classPrototypes } from './prototypes.js';
import { realImages, type RealImages } from './real-images.js';
import { recipes, samplingOf, takesPrototypes, trainingOf, type ContinuedMethod } from './recipes.js';
import { ownGenerator, provenanceOf } from './row-generator.js';
import { startsFromImages } from './start-images.js';

/** Runs one method of one seed from the EDRM student on, or from another one. */
export async function continueStudent(context: RunContext, foundation: Foundation, start: Classifier, method: ContinuedMethod, seed: number): Promise<StudentResult> {
  const learned = recipes[method].images?.conditions === 'learned' ? await learnConditions(context, foundation.generator!) : null;
  const name = `seed-${seed}/${method}`;
  const finished = openStage(context, name).finished<StudentResult>();
  if (finished) return finished;
  const real = await realImages(context, foundation, recipes[method], start, name, seed);
  const stage = openStage(context, name); // whose time begins now

  const { config, data, reporter, signal } = context;
  const { teacher, generator } = foundation;
  const { rounds } = config;
  const perRound = imagesOfRound(rounds, { images: data.train.length, classes: data.train.classes.length });
  const recipe = recipes[method];
  const { images, headOnly = false } = recipe;
  const training = trainingOf(recipe, rounds.training);
  const total = rounds.count * training.steps;
  const selection: Selection | null = images?.selected ? rounds : null;
  const sampling = samplingOf(recipe, config.sampling);

  using trainer = await Trainer.classifier(await start.clone(), recipe.labelsOnly ? null : teacher, training, { seed: seed + 1, ...learningOf(recipe, config, foundation.discretiser), headOnly });
  const student = new Classifier(start.engine, trainer.result(), start.spec, start.classes);
  const first = await stage.resume(trainer);
  const store = images === null ? null : await openStore(join(stage.folder, 'store'), { writer: 'main', imageSize: data.train.imageSize, classes: data.train.classes });
  // Rounds after the checkpoint, which only a damaged folder has, are made again.
  await store?.rewind(Math.floor(first / training.steps) + 1);
  // Unguided images depend on the student by their allocation alone: the second unguided row takes those of the first.
  const pool = method === 'unguided-selected' && rounds.allocation === 'balanced' && config.methods.includes('unguided') ? await openStore(join(context.folder, `seed-${seed}/unguided/store`)) : null;

  let prototypes: Awaited<ReturnType<typeof classPrototypes>> | null = null; // found when the first image is to be made

  let metrics: GroupMetrics | undefined;
  let end = rounds.count;
  for (let round = Math.floor(first / training.steps); round < end; round++) {
    const begin = Math.max(first, round * training.steps);
    if (begin === round * training.steps && store && store.ofRound(round).length < perRound) {
      await stage.checkpoint(trainer, begin); // a kill while images are made costs no training
      await stage.timed('making', async () => {
        // The other row may have stopped before this round.
        if (pool && pool.ofRound(round).length > 0) return reuseRound(pool, student, store, round, selection);
        using own = await ownGenerator(context, images!.conditions, generator!, student, { seed, round, stage });
        const hard = images?.starts === 'hard' ? await hardImages(student, data.train, Math.ceil(perRound / data.train.classes.length), signal ? { signal } : {}) : null;
        if (takesPrototypes(method)) prototypes ??= await classPrototypes(teacher, data.train, seed, signal ? { signal } : {});
        const drawing = own ?? generator!;
        const drawn = generateRound(drawing, { teacher, student }, store, {
          seed, round, count: perRound, shares: await classShares(rounds.allocation, store, student, round), sampling,
          train: startsFromImages(sampling.start) ? data.train : null, captioned: data.train, selection, compared: comparedImages, provenance: { ...provenanceOf(context, images!.conditions), ...captionProvenance(drawing, data.train) },
          ...hard, ...prototypes,
        }, {
          ...(signal && { signal }),
          onProgress: (done, count) => reporter.progress(`${stage.name} images`, round * count + done, rounds.count * count, { round, ...(round === 0 && gradientCosine(store.samples())) }),
        });
        await drawn.catch(async (error) => {
          if (signal?.aborted) await stage.checkpoint(trainer, begin); // keeps the time that the stored images took
          throw error;
        });
      });
      await stage.checkpoint(trainer, begin);
    }
    const stored = store ? await keptImages(store) : null;
    await stage.timed('training', () => trainLoop({
      trainer,
      stage,
      training: { ...training, steps: total }, // one schedule over all rounds: the last ones settle what the first ones moved
      from: begin,
      to: (round + 1) * training.steps,
      total,
      batch: (step) => mixedBatch(context, real, stored, step, seed),
      ...(real.weighing && { weighing: real.weighing }),
      reporter,
      ...(signal && { signal }),
    }));
    metrics = await evaluate(student, data.test, { train: data.train, ...(signal && { signal }) });
    const made = store?.ofRound(round);
    if (made && isLastRound(made, rounds)) end = round + 1;
    await reporter.log({
      stage: stage.name,
      step: (round + 1) * training.steps,
      round: round + 1,
      'test/worstGroupAccuracy': metrics.worstGroupAccuracy,
      'test/meanGroupAccuracy': metrics.meanGroupAccuracy,
      ...(stored && { 'store/kept': stored.labels.length }),
      ...(made && roundDiagnostics(made, rounds.teacherProbability)),
      ...(end < rounds.count && { stopped: true }),
      ...(!recipe.real && (await omegaDiagnostics(student, data, store, storedShare(config), { ...(signal && { signal }) }))),
    });
  }
  await student.save(join(stage.folder, 'student.safetensors'));
  const { seconds, clocks } = stage; // those of evaluation under corruptions are no cost of the method
  const generated = (store ? store.samples().length : 0) + (real.counterparts ?? 0);
  const reused = Array.from({ length: end }, (_, round) => (pool && pool.ofRound(round).length > 0 ? store!.ofRound(round).length : 0)).reduce((sum, count) => sum + count, 0);
  const result: StudentResult = {
    metrics: metrics ?? (await evaluate(student, data.test, { train: data.train })), // a kill after the last step leaves no round to run
    ...(await corruptionErrors(context, student, stage)),
    seconds: real.seconds + seconds + (learned?.seconds ?? 0),
    trainingSteps: end * training.steps,
    generated,
    ...costOf(clocks, { imagesMade: generated - reused, trainingImages: end * training.steps * training.batchSize }, (real.counterparts ? real.seconds : 0) + (learned?.seconds ?? 0)),
    ...(real.upWeighted !== undefined && { upWeighted: real.upWeighted }),
    ...(store && rounds.earlyStop.studentWrong > 0 && { rounds: end }),
  };
  await stage.finish(result);
  return result;
}

/** The images of a store that are for training. */
async function keptImages(store: SampleStore): Promise<Batch> {
  const kept = store.samples().filter((record) => record.kept);
  return { images: await store.readImages(kept.map((record) => record.key)), labels: Int32Array.from(kept, (record) => record.label) };
}

/** Of stored images in a batch, as soon as there are any. */
function storedShare({ rounds: { replay, training } }: RunContext['config']): number {
  return Math.round(training.batchSize * replay) / training.batchSize;
}

/** Real images of the row and, in the share that `replay` says, stored ones drawn at random. */
async function mixedBatch({ config, data }: RunContext, source: RealImages, stored: Batch | null, step: number, seed: number): Promise<Batch> {
  const { training } = config.rounds;
  const storedCount = stored && stored.labels.length > 0 ? Math.round(training.batchSize * storedShare(config)) : 0;
  const real = await source.batch(training.batchSize - storedCount, step);
  if (!stored || storedCount === 0) return real;

  const bytes = data.train.imageSize ** 2 * 3;
  const images = new Uint8Array((real.labels.length + storedCount) * bytes);
  const labels = new Int32Array(real.labels.length + storedCount);
  images.set(real.images);
  labels.set(real.labels);
  const random = stream(seed, 'replay', step);
  for (let slot = real.labels.length; slot < labels.length; slot++) {
    const pick = random.integer(stored.labels.length);
    images.set(stored.images.subarray(pick * bytes, (pick + 1) * bytes), slot * bytes);
    labels[slot] = stored.labels[pick];
  }
  return { images, labels, ...(real.counterparts && { counterparts: real.counterparts }) };
}
