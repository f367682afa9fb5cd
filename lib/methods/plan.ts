/** What a run would do, checked as far as it can be without doing it. */
import { discretiserSpec, isTrainedDiscretiser } from '../config/discretiser.js';
import type { Config } from '../config/schema.js';
import { groupCounts } from '../data/memory.js';
import { openData } from '../data/open.js';
import { groupName, type Dataset } from '../data/types.js';
import { Engine } from '../native/engine.js';
import { Autoencoder, Classifier, Generator } from '../native/models.js';
import { imagesOfRound } from './allocation.js';
import { checkCaptions } from './captions.js';
import { readyDiscretiser } from './discretiser.js';
import { checkSplits, isTrained, isTrainedGenerator, openGenerator, openTeacher } from './foundation.js';
import { checkTrainable } from './make-discretiser.js';
import { recipes, takesDiscretiser, takesGenerator } from './recipes.js';
import { checkStartImages } from './start-images.js';
import { undefinedRows } from './undefined-rows.js';

/** Lines for people. Opens the data, the engine and every given weights file; throws what the run would throw. */
export async function planOf(config: Config): Promise<string[]> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  const { classes, imageSize } = data.train;
  const size = { numClasses: classes.length, imageSize };
  const generates = takesGenerator(config.methods);
  checkSplits(config, data, { generates });
  checkStartImages(config, data.train);
  if (generates) checkCaptions(config, data.train);
  if (takesDiscretiser(config.methods)) await readyDiscretiser({ config, engine, data });
  const teacher = await openTeacher(engine, config, data.train);
  const generator = generates ? await openGenerator(engine, config, data.train) : null;
  const student = await Classifier.create(engine, { ...size, ...config.student }, classes, config.seed);

  const generatorSource = isTrainedGenerator(config.generator) ? toTrain(config.generator.training, config.generator.start) : `from ${config.generator.weights ?? config.generator.pretrained?.path}`;
  return [
    `device ${engine.device}, precision ${engine.precision}, ${engine.threads} threads`,
    ...describeData('train', data.train),
    ...describeData('test', data.test),
    ...[...(data.warnings ?? []), ...undefinedRows(config.methods, data)].map((warning) => `warning: ${warning}`),
    `teacher    ${await parameters(teacher)} parameters, ${teacherSource(config)}`,
    ...(generator ? [`generator  ${await parameters(generator)} parameters, ${generatorSource}`] : []),
    ...(takesDiscretiser(config.methods) ? [`discretiser ${discretiserSource(config)}`] : []),
    `student    ${await parameters(student)} parameters, ${config.student.training.steps} steps of ${config.student.training.batchSize}`,
    ...roundsOf(config, data.train),
    `seeds ${config.seed} to ${config.seed + config.seeds - 1}`,
  ];
}

/** What the rows do after the student: all are trained alike, but not all generate. */
function roundsOf({ methods, rounds, sampling: { steps, sampler, guidance, start } }: Config, train: Dataset): string[] {
  if (methods.length === 0) return [];
  const generating = methods.filter((method) => recipes[method].images);
  const mayStop = generating.length > 0 && rounds.earlyStop.studentWrong > 0;
  const from = start.kind === 'noise' ? '' : `, from training images (${start.kind}) at strength ${start.strength}`;
  const how = `${steps} ${sampler} steps, ${guidance.kind} guidance${from}`;
  const images = imagesOfRound(rounds, { images: train.length, classes: train.classes.length });
  const also = generating.length === 0 ? '' : generating.length === methods.length ? ` and ${images} images (${how})` : `, with ${images} images each in ${generating.join(', ')} (${how})`;
  return [`then ${methods.join(', ')}: ${mayStop ? 'up to ' : ''}${rounds.count} rounds of ${rounds.training.steps} steps${also}`];
}

/** What `makeDiscretiser` would do, likewise. */
export async function planOfDiscretiser(config: Config): Promise<string[]> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  await checkTrainable({ config, engine, data });
  using teacher = await openTeacher(engine, config, data.train);
  using discretiser = await Autoencoder.create(engine, discretiserSpec(config.discretiser), config.seed);
  const { blockChannels, numCodes, training } = config.discretiser;
  const side = data.train.imageSize / 2 ** (blockChannels.length - 1);
  return [
    `device ${engine.device}, precision ${engine.precision}, ${engine.threads} threads`,
    ...describeData('train', data.train),
    ...describeData('test', data.test),
    `teacher      ${await parameters(teacher)} parameters, ${teacherSource(config)}`,
    `discretiser  ${await parameters(discretiser)} parameters, ${toTrain(training)}; an image is ${side} x ${side} of ${numCodes} codes`,
  ];
}

async function parameters({ engine, handle }: Classifier | Generator | Autoencoder): Promise<string> {
  return (await engine.run((core) => core.parameterCount(handle))).toLocaleString('en');
}

function toTrain({ steps }: { steps: number }, from?: string): string {
  return `to be trained, ${steps} steps${from ? ` from ${from} on` : ''}`;
}

function discretiserSource({ discretiser }: Config): string {
  return isTrainedDiscretiser(discretiser) ? toTrain(discretiser.training) : `from ${discretiser.weights ?? discretiser.pretrained?.path}`;
}

function teacherSource({ teacher }: Config): string {
  return isTrained(teacher) ? toTrain(teacher.training, teacher.start ?? teacher.zeroShot?.clip) : `from ${teacher.weights ?? teacher.zeroShot?.clip}`;
}

function describeData(name: string, dataset: Dataset): string[] {
  const counts = [...groupCounts(dataset)].map((count, group) => `${groupName(dataset, group)} ${count}`);
  return [`${name.padEnd(6)} ${dataset.length} images of ${dataset.imageSize} px: ${counts.join(', ')}`];
}
