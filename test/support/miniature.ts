/** The main job in miniature: birds of 32 px, one thread, seconds. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const seed = 3;

// 33 and 45 steps: the training metrics have a row every 20 steps, and one shorter one at the end.
export const miniature = `
name: miniature
seed: ${seed}
threads: 1
data: { kind: birds, train: 64, test: 40, broad: 64 }
teacher: { trainOn: broad, architecture: { family: cnn, width: 8, stages: 3 }, training: { steps: 45, batchSize: 8 } }
generator: { blockChannels: [16, 32], attention: [0, 1], normGroups: 8, headDim: 16, training: { steps: 33, batchSize: 8 } }
student: { training: { steps: 33, batchSize: 8 } }
rounds: { count: 2, imagesPerRound: 8, training: { steps: 4, batchSize: 8 }, teacherProbability: 0.4, studentWrong: false }
sampling: { steps: 3, batchSize: 8 }
checkpoint: { everySeconds: 0.1 } # most steps have none, some do
`;

/** What the student of a finished stage of its seed is. */
export function studentWeights(run: string, stage: string): Buffer {
  return readFileSync(join(run, `seed-${seed}`, stage, 'student.safetensors'));
}
