/** What a run would do, checked as far as it can be without doing it. */
import type { Config } from '../config/schema.js';
import { groupCounts } from '../data/memory.js';
import { openData } from '../data/open.js';
import { groupName, type Dataset } from '../data/types.js';
import { Engine } from '../native/engine.js';
import { Classifier, Generator } from '../native/models.js';
import { checkSplits, isTrained, isTrainedGenerator, openGenerator, openTeacher } from './foundation.js';
import { checkStartImages } from './start-images.js';
import { undefinedRows } from './undefined-rows.js';

/** Lines for people. Opens the data, the engine and every given weights file; throws what the run would throw. */
export async function planOf(config: Config): Promise<string[]> {
  const engine = await Engine.open(config);
  const data = await openData(config.data);
  const { classes, imageSize } = data.train;
  const size = { numClasses: classes.length, imageSize };
  const count = async (model: Classifier | Generator): Promise<string> => (await engine.run((core) => core.parameterCount(model.handle))).toLocaleString('en');
  checkSplits(config, data);
  checkStartImages(config, data.train);
  const teacher = await openTeacher(engine, config, data.train);
  const generator = await openGenerator(engine, config, data.train);
  const student = await Classifier.create(engine, { ...size, ...config.student }, classes, config.seed);

  const { rounds, sampling } = config;
  const trained = (training: { steps: number }, from: string | undefined): string => `to be trained, ${training.steps} steps${from ? ` from ${from} on` : ''}`;
  const teacherSource = isTrained(config.teacher) ? trained(config.teacher.training, config.teacher.start ?? config.teacher.zeroShot?.clip) : `from ${config.teacher.weights ?? config.teacher.zeroShot?.clip}`;
  const generatorSource = isTrainedGenerator(config.generator) ? trained(config.generator.training, config.generator.start) : `from ${config.generator.weights ?? config.generator.pretrained?.path}`;
  return [
    `device ${engine.device}, precision ${engine.precision}, ${engine.threads} threads`,
    ...describeData('train', data.train),
    ...describeData('test', data.test),
    ...[...(data.warnings ?? []), ...undefinedRows(config.methods, data)].map((warning) => `warning: ${warning}`),
    `teacher    ${await count(teacher)} parameters, ${teacherSource}`,
    `generator  ${await count(generator)} parameters, ${generatorSource}`,
    `student    ${await count(student)} parameters, ${config.student.training.steps} steps of ${config.student.training.batchSize}`,
    `then ${config.methods.join(', ')}: ${rounds.earlyStop.studentWrong > 0 ? 'up to ' : ''}${rounds.count} rounds of ${rounds.training.steps} steps and ${rounds.imagesPerRound} images (${sampling.steps} ${sampling.sampler} steps, ${sampling.guidance.kind} guidance${sampling.start.kind === 'noise' ? '' : `, from training images (${sampling.start.kind}) at strength ${sampling.start.strength}`})`,
    `seeds ${config.seed} to ${config.seed + config.seeds - 1}`,
  ];
}

function describeData(name: string, dataset: Dataset): string[] {
  const counts = [...groupCounts(dataset)].map((count, group) => `${groupName(dataset, group)} ${count}`);
  return [`${name.padEnd(6)} ${dataset.length} images of ${dataset.imageSize} px: ${counts.join(', ')}`];
}
