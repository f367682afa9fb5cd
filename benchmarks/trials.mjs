/**
 * What is measured, as data. Model specifications are those of lib/native/specs.ts; all contenders read them.
 *
 *   operation  guidedStep   gradient of the confidence objective at the predicted x0, through the U-Net, to x_t; of a latent
 *                           generator through the decoder as well
 *              chain        the same through a whole DDIM chain, to the initial noise
 *              studentStep  EDRM: teacher forward, student forward and backward, fused AdamW; no augmentation
 *              discreteAdversary  DAD: Q, one step of gradient ascent through the teacher, Q, and the soft labels of the 8-bit result
 *              classify     logits of 8-bit images
 *              sample       DDIM without guidance, from noise to 8-bit images
 *              readJpegs    photographs from files to a batch of 8-bit pixels: decode, resize, crop
 *              loadWeights  a safetensors file into a network
 *              emptyCall    a call that does next to nothing
 *   unit       what a time is of; default image
 *   batch      images per run of the operation
 *   repeat     runs per timed call, so that the boundary between the languages is paid once
 *   devices    where it is run; default everywhere
 *   precisions that are timed; default both
 *   untrained  its weights stay random, where they are only moved
 *   fewest     runs of a warm-up and of a measurement, where one takes seconds; default 2 and 3
 *   check      compared with eager fp32 before timing: the result of `runs` runs, in `rows` (images or training steps);
 *              `limit` is the largest relative error (L2) of the median row, by precision
 *
 * Why the median row: ReLU and clamp have kinks. In fp32 nearly every image agrees to 1e-6, but where one value falls on
 * the other side of a kink the gradient of that image differs by some 1e-3. In bf16 many do, on both sides alike; 0.2 is
 * a cosine of 0.98.
 */
import { architecture, namedArchitectures } from '../dist/config/architectures.js';
import { autoencoderSpecs } from '../dist/config/autoencoders.js';
import { pixelGenerator } from '../dist/config/generators.js';
import { networkNamed } from '../dist/models/catalog.js';

const pixels = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

const unet = pixelGenerator({ blockChannels: [32, 64, 96], attention: [0, 0, 1], layersPerBlock: 1, normGroups: 8, headDim: 32 }, 2, 32);
const smallTeacher = {
  architecture: { family: 'resnet', layers: [1, 1, 1], width: 16, bottleneck: false, stem: 'cifar' },
  numClasses: 2,
  imageSize: 32,
  ...pixels,
};
const smallStudent = { architecture: { family: 'cnn', width: 16, stages: 3 }, numClasses: 2, imageSize: 32, ...pixels };

/** A classifier of ten classes by its name; what it takes is `inputSize`, to which images are resized. */
const named = (name, imageSize, inputSize = imageSize) => ({
  architecture: architecture.parse(namedArchitectures[name]), numClasses: 10, imageSize, ...(inputSize !== imageSize && { inputSize }), ...pixels,
});

/** Stable Diffusion 1's U-Net and decoder under a ResNet-50 and a ResNet-18 of 224 px. */
const stableDiffusion = (size) => latent(networkNamed('stable-diffusion-1').spec, autoencoderSpecs.sd, size, named('resnet50', size, 224), named('resnet18', size, 224));
const latent = (denoiser, autoencoder, size, teacher, student) => ({
  denoiser: { ...denoiser, numClasses: teacher.numClasses, imageSize: size, drawSize: size }, autoencoder, teacher, student,
});
/** The same at a fifth of the width, told less. */
const narrow = () => {
  const { spec } = networkNamed('stable-diffusion-1');
  return latent({ ...spec, unet: { ...spec.unet, blockChannels: [64, 128, 256, 256], heads: [4, 4, 4, 4], textChannels: 128 } }, { ...autoencoderSpecs.sd, blockChannels: [32, 64, 128, 128] }, 256,
    named('resnet18', 256, 112), named('resnet18', 256, 112));
};

const guided = { denoiser: unet, teacher: smallTeacher, student: smallStudent };
const gradientCheck = (batch) => ({ runs: 1, rows: batch, limit: { fp32: batch > 1 ? 1e-4 : 1e-2, bf16: 0.2 } });
// Through a decoder of many layers too, which has random weights.
const latentCheck = (rows) => ({ runs: 1, rows, limit: { fp32: 1e-2, bf16: 0.5 } });
// Levels of 0 to 255. Where rounding gives another code, a whole part of the image is another one.
const imageCheck = (batch) => ({ runs: 1, rows: batch, limit: { fp32: 1e-2, bf16: 0.3 } });
// Loss and gradient norm of each step. AdamW divides by the size of the gradient, which magnifies differences.
const lossCheck = { runs: 3, rows: 3, limit: { fp32: 1e-3, bf16: 0.02 } };
// Of many batch norms over few positions, whose bf16 is a few percent off on both sides.
const roughLossCheck = { ...lossCheck, limit: { fp32: 1e-3, bf16: 0.05 } };

const teachStudent = (teacher, student, size) => ({ operation: 'studentStep', models: { teacher: named(teacher, size), student: named(student, size) }, check: lossCheck });
const forwardCheck = (rows) => ({ runs: 1, rows, limit: { fp32: 1e-2, bf16: 0.1 } });
const processor = { devices: ['cpu'] };
const cuda = { devices: ['cuda'], precisions: ['bf16'] };

export const trials = [
  { name: 'guided step, 32 px, batch 32', operation: 'guidedStep', batch: 32, repeat: 4, timestep: 599, models: guided, check: gradientCheck(32) },
  { name: 'guided step, 32 px, batch 1', operation: 'guidedStep', batch: 1, repeat: 32, timestep: 599, models: guided, check: gradientCheck(1) },
  { name: 'latent guided step, Stable Diffusion 1, 256 px, batch 1', operation: 'guidedStep', batch: 1, repeat: 1, timestep: 599, models: stableDiffusion(256), check: latentCheck(1), fewest: { warmup: 1, measured: 2 } },
  { name: 'latent guided step, reduced width, 256 px, batch 8', operation: 'guidedStep', batch: 8, repeat: 1, timestep: 599, models: narrow(), check: latentCheck(8) },
  { name: 'latent guided step, Stable Diffusion 1, 512 px, batch 16', ...cuda, operation: 'guidedStep', batch: 16, repeat: 1, timestep: 599, models: stableDiffusion(512), check: latentCheck(2) },
  { name: 'chain iteration, 10 DDIM steps, 32 px, batch 16', operation: 'chain', batch: 16, repeat: 1, steps: 10, models: guided, check: gradientCheck(16) },
  { name: 'student step, small CNN, 32 px, batch 64', operation: 'studentStep', batch: 64, repeat: 16, models: { teacher: smallTeacher, student: smallStudent }, check: lossCheck },
  { name: 'student step, ResNet-34 to ResNet-18, 112 px, batch 16', batch: 16, repeat: 1, ...teachStudent('resnet34', 'resnet18', 112) },
  { name: 'student step, ResNet-34 to MobileNetV3-S, 112 px, batch 16', batch: 16, repeat: 1, ...teachStudent('resnet34', 'mobilenetv3_small_100', 112), check: roughLossCheck },
  { name: 'student step, ResNet-34 to ViT-Ti, 112 px, batch 16', batch: 16, repeat: 1, ...teachStudent('resnet34', 'vit_tiny_patch16', 112) },
  { name: 'student step, ResNet-34 to ResNet-18, 112 px, batch 64', ...cuda, batch: 64, repeat: 8, ...teachStudent('resnet34', 'resnet18', 112) },
  { name: 'student step, ResNet-50 to ResNet-50, 224 px, batch 128', ...cuda, batch: 128, repeat: 2, ...teachStudent('resnet50', 'resnet50', 224) },
  { name: 'DAD generation, ResNet-50 and vq-f8, 64 px, batch 8', operation: 'discreteAdversary', batch: 8, repeat: 1, epsilon: 0.1, models: { teacher: named('resnet50', 64), discretiser: autoencoderSpecs['vq-f8'] }, check: imageCheck(8) },
  { name: 'DAD generation, ResNet-50 and vq-f8, 224 px, batch 32', ...cuda, operation: 'discreteAdversary', batch: 32, repeat: 1, epsilon: 0.1, models: { teacher: named('resnet50', 224), discretiser: autoencoderSpecs['vq-f8'] }, check: imageCheck(4) },
  { name: 'forward, ResNet-18, 112 px, batch 16', operation: 'classify', batch: 16, repeat: 2, models: { teacher: named('resnet18', 112) }, check: forwardCheck(16) },
  { name: 'forward, U-Net, 10 DDIM steps, 32 px, batch 16', operation: 'sample', batch: 16, repeat: 1, steps: 10, models: guided, check: forwardCheck(16) },
  { name: 'JPEG to batch, 500x375 to 224 px, batch 64', ...processor, operation: 'readJpegs', batch: 64, repeat: 4, fewest: { warmup: 1, measured: 2 }, size: 224, photographs: { count: 64, width: 500, height: 375 }, models: {}, check: { runs: 1, rows: 64, limit: { fp32: 0.02 } } },
  { name: 'loading safetensors, ViT-B/16, 0.34 GB', ...processor, unit: 'file', operation: 'loadWeights', batch: 1, repeat: 1, untrained: true, models: { teacher: named('vit_base_patch16', 224) }, check: forwardCheck(1) },
  { name: 'Node boundary, a call', ...processor, unit: 'call', operation: 'emptyCall', batch: 1, repeat: 1000, models: { teacher: smallTeacher }, check: forwardCheck(1) },
];
