/**
 * What is measured, as data. Model specifications are those of lib/native/contract.ts; both contenders read them.
 *
 *   operation  guidedStep   gradient of the confidence objective at the predicted x0, through the U-Net, to x_t
 *              chain        the same through a whole DDIM chain, to the initial noise
 *              studentStep  EDRM: teacher forward, student forward and backward, fused AdamW; no augmentation
 *              discreteAdversary  DAD: Q, one step of gradient ascent through the teacher, Q, and the soft labels of the 8-bit result
 *   batch      images per run of the operation
 *   repeat     runs per timed call, so that the boundary between the languages is paid once
 *   check      compared with eager fp32 before timing: the result of `runs` runs, in `rows` (images or training steps);
 *              `limit` is the largest relative error (L2) of the median row, by precision
 *
 * Why the median row: ReLU and clamp have kinks. In fp32 nearly every image agrees to 1e-6, but where one value falls on
 * the other side of a kink the gradient of that image differs by some 1e-3. In bf16 many do, on both sides alike; 0.2 is
 * a cosine of 0.98.
 */
import { autoencoderSpecs } from '../dist/config/autoencoders.js';

const pixels = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

const unet = {
  blockChannels: [32, 64, 96],
  attention: [0, 0, 1],
  layersPerBlock: 1,
  normGroups: 8,
  headDim: 32,
  numClasses: 2,
  imageSize: 32,
};
const smallTeacher = {
  architecture: { family: 'resnet', layers: [1, 1, 1], width: 16, bottleneck: false, stem: 'cifar' },
  numClasses: 2,
  imageSize: 32,
  ...pixels,
};
const smallStudent = { architecture: { family: 'cnn', width: 16, stages: 3 }, numClasses: 2, imageSize: 32, ...pixels };

const resnet = (layers) => ({
  architecture: { family: 'resnet', layers, width: 64, bottleneck: false, stem: 'imagenet' },
  numClasses: 10,
  imageSize: 112,
  ...pixels,
});

const resnet50 = { architecture: { family: 'resnet', layers: [3, 4, 6, 3], width: 64, bottleneck: true, stem: 'imagenet' }, numClasses: 10, imageSize: 64, ...pixels };

const guided = { denoiser: unet, teacher: smallTeacher, student: smallStudent };
const gradientCheck = (batch) => ({ runs: 1, rows: batch, limit: { fp32: batch > 1 ? 1e-4 : 1e-2, bf16: 0.2 } });
// Levels of 0 to 255. Where rounding gives another code, a whole part of the image is another one.
const imageCheck = (batch) => ({ runs: 1, rows: batch, limit: { fp32: 1e-2, bf16: 0.3 } });
// Loss and gradient norm of each step. AdamW divides by the size of the gradient, which magnifies differences.
const lossCheck = { runs: 3, rows: 3, limit: { fp32: 1e-3, bf16: 0.02 } };

export const trials = [
  { name: 'guided step, 32 px, batch 32', operation: 'guidedStep', batch: 32, repeat: 4, timestep: 599, models: guided, check: gradientCheck(32) },
  { name: 'guided step, 32 px, batch 1', operation: 'guidedStep', batch: 1, repeat: 32, timestep: 599, models: guided, check: gradientCheck(1) },
  { name: 'chain iteration, 10 DDIM steps, 32 px, batch 16', operation: 'chain', batch: 16, repeat: 1, steps: 10, models: guided, check: gradientCheck(16) },
  { name: 'student step, small CNN, 32 px, batch 64', operation: 'studentStep', batch: 64, repeat: 16, models: { teacher: smallTeacher, student: smallStudent }, check: lossCheck },
  { name: 'student step, ResNet-34 to ResNet-18, 112 px, batch 16', operation: 'studentStep', batch: 16, repeat: 1, models: { teacher: resnet([3, 4, 6, 3]), student: resnet([2, 2, 2, 2]) }, check: lossCheck },
  { name: 'DAD generation, ResNet-50 and vq-f8, 64 px, batch 8', operation: 'discreteAdversary', batch: 8, repeat: 1, epsilon: 0.1, models: { teacher: resnet50, discretiser: autoencoderSpecs['vq-f8'] }, check: imageCheck(8) },
];
