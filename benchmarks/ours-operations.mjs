/** The operations of the trials on our side. Each loads what it needs and returns: number of runs -> the numbers to compare, Float32Array. */
import { openFolder, transforms } from '../dist/index.js';
import { learningRate, range, trainerOptions } from './ours-models.mjs';

const objective = { form: 'difference', gamma: 1, terms: 'both' };

export function operationsOf(core, models, { trial, precision, weights, device }) {
  const { classifier, images, labels, noise } = models;
  return {
    async guidedStep() {
      const { denoiser, teacher, student } = await models.load();
      const options = { x: noise(), classes: labels(), timestep: trial.timestep, guidanceScale: 1, precision, objective, gradient: 'unet', latentPool: 1, cutouts: { count: 0, leastSide: 1, noise: 0 } };
      return async (repeat) => (await core.guidanceGradient(denoiser, { teacher, student }, { ...options, repeat })).gradient;
    },

    async chain() {
      const { denoiser, teacher, student } = await models.load();
      const { steps } = trial;
      const start = { kind: 'noise' };
      const options = { x: noise(), classes: labels(), steps, sampler: 'ddim', eta: 0, segmentSteps: steps, guidanceScale: 1, precision, start, images: null, objective };
      return async (repeat) => {
        let gradient;
        for (let i = 0; i < repeat; ++i) ({ gradient } = await core.chainGradient(denoiser, { teacher, student }, options));
        return gradient;
      };
    },

    async studentStep() {
      const { teacher, student } = await models.load();
      const options = { ...trainerOptions(precision), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 };
      const trainer = await core.createClassifierTrainer(student, teacher, options);
      const [batch, classes] = [images(), labels()];
      let step = 0;
      return async (repeat) => {
        const values = [];
        for (let i = 0; i < repeat; ++i) {
          const { loss, gradientNorm } = await core.trainStep(trainer, batch, classes, { learningRate, step: step++ });
          values.push(loss, gradientNorm);
        }
        return Float32Array.from(values);
      };
    },

    /** With the way from and to JavaScript, as in use: 8-bit images in, 8-bit images and soft labels out. */
    async discreteAdversary() {
      const { teacher, discretiser } = await models.load();
      const options = { variant: 'adversarial', norm: 'l2', epsilon: trial.epsilon, stepSize: trial.epsilon, steps: 1, randomStart: 0, seeds: range(trial.batch), precision };
      const [batch, classes] = [images(), labels()];
      return drawing(async () => (await core.discreteAdversarial(teacher, discretiser, batch, classes, options)).images, classifier.imageSize);
    },

    async classify() {
      const { teacher } = await models.load();
      const batch = images();
      return async (repeat) => {
        let logits;
        for (let i = 0; i < repeat; ++i) logits = await core.predict(teacher, batch, { precision });
        return logits;
      };
    },

    async sample() {
      const { denoiser } = await models.load();
      const { batch, steps } = trial;
      const options = {
        classes: labels(), seeds: range(batch), steps, sampler: 'ddim', eta: 0, guidanceScale: 1, precision, start: { kind: 'noise' }, images: null, batchSize: batch,
        guidance: { kind: 'none' }, compareGradients: false,
      };
      return drawing(async () => (await core.generate(denoiser, {}, options)).images, classifier.imageSize);
    },

    /** From files to 8-bit pixels, [B, size, size, 3], which is how training takes them; nothing is kept from one time to the next. */
    async readJpegs() {
      const { batch, size } = trial;
      const { train } = await openFolder({ root: models.photographsPath, imageSize: size, transform: transforms.imagenet, cacheBytes: 0 });
      return drawing(() => train.read(range(batch)), size);
    },

    /** Compared by what the network says with the weights. */
    async loadWeights() {
      const loadOnce = async () => {
        const handle = await models.create('teacher', trial.models.teacher, { device, seed: null });
        await core.loadWeights(handle, weights.teacher.path, { newHead: false });
        return handle;
      };
      const run = async (repeat) => {
        for (let i = 0; i < repeat; ++i) core.dispose(await loadOnce());
      };
      return Object.assign(run, { result: async () => core.predict(await loadOnce(), images(), { precision: 'fp32' }) });
    },

    /** What a call costs that does next to nothing: to the engine's thread and back. */
    async emptyCall() {
      const { teacher } = await models.load();
      return async (repeat) => {
        let count;
        for (let i = 0; i < repeat; ++i) count = await core.parameterCount(teacher);
        return Float32Array.of(count);
      };
    },
  };
}

/** `draw` gives 8-bit images; what they are compared in is the order of PyTorch, which no time has. */
function drawing(draw, size) {
  const run = async (repeat) => {
    for (let i = 0; i < repeat; ++i) await draw();
  };
  return Object.assign(run, { result: async () => planes(await draw(), size) });
}

/** [B, size, size, 3] -> [B, 3, size, size] */
function planes(images, size) {
  const plane = size ** 2;
  return Float32Array.from(images, (_, at) => images[at - (at % (3 * plane)) + (at % plane) * 3 + (Math.floor(at / plane) % 3)]);
}
