/**
 * TensorFlow.js, with gradients, in plain JavaScript: the step of a small student. The native backend (tfjs-node) is no rival
 * here, as its installation fetches TensorFlow from outside npm.
 */
import { createRequire } from 'node:module';

import { images, job, range, readWeights } from './node-rival.mjs';
import { serve } from './verbs.mjs';

const tf = createRequire(import.meta.url)('@tensorflow/tfjs');
await tf.setBackend('cpu');
const { batch, models } = job.trial;
const [learningRate, beta1, beta2, weightDecay, epsilon] = [1e-3, 0.9, 0.999, 0.01, 1e-8];
const normEpsilon = 1e-5;

/** Convolutions as tfjs has them, [height, width, in, out]; matrices [in, out]. */
function load(role) {
  return Object.fromEntries(
    Object.entries(readWeights(role)).map(([name, { shape, data }]) => {
      const tensor = tf.tensor(data, shape);
      return [name, shape.length === 4 ? tensor.transpose([2, 3, 1, 0]) : shape.length === 2 ? tensor.transpose() : tensor];
    }),
  );
}

const relu = (x) => tf.relu(x);
const convolve = (x, kernel, stride) => tf.conv2d(x, kernel, stride, kernel.shape[0] >> 1);
const head = (w, x) => tf.add(tf.matMul(tf.mean(x, [1, 2]), w['fc.weight']), w['fc.bias']);
const frozenNorm = (w, name) => (x) => tf.batchNorm(x, w[`${name}.running_mean`], w[`${name}.running_var`], w[`${name}.bias`], w[`${name}.weight`], normEpsilon);
const batchNorm = (w, name) => (x) => {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.batchNorm(x, mean, variance, w[`${name}.bias`], w[`${name}.weight`], normEpsilon);
};

/** The network of eager_classifiers.py; [B, H, W, 3] -> logits [B, K] */
function cnn(w, { stages }, norm, x) {
  for (let stage = 0; stage < stages; ++stage) x = relu(norm(w, `features.${3 * stage + 1}`)(convolve(x, w[`features.${3 * stage}.weight`], stage === 0 ? 1 : 2)));
  return head(w, x);
}

/** Basic blocks after the stem of CIFAR. */
function resnet(w, { layers }, norm, x) {
  x = relu(norm(w, 'bn1')(convolve(x, w['conv1.weight'], 1)));
  layers.forEach((blocks, i) => range(blocks).forEach((j) => {
    const name = `layer${i + 1}.${j}`;
    const stride = i > 0 && j === 0 ? 2 : 1;
    const inner = relu(norm(w, `${name}.bn1`)(convolve(x, w[`${name}.conv1.weight`], stride)));
    const out = norm(w, `${name}.bn2`)(convolve(inner, w[`${name}.conv2.weight`], 1));
    const shortcut = w[`${name}.downsample.0.weight`];
    x = relu(tf.add(out, shortcut ? norm(w, `${name}.downsample.1`)(convolve(x, shortcut, stride)) : x));
  }));
  return head(w, x);
}

const networks = { cnn, resnet };
const logits = ({ architecture, mean, std }, w, norm, pixels) => networks[architecture.family](w, architecture, norm, tf.div(tf.sub(pixels, mean), std));

const teacher = load('teacher');
const loaded = load('student');
const student = Object.fromEntries(Object.entries(loaded).map(([name, tensor]) => [name, name.includes('running_') ? tensor : tf.variable(tensor)]));
const parameters = Object.values(student).filter((one) => one instanceof tf.Variable);
const moments = parameters.map((one) => [tf.variable(tf.zerosLike(one)), tf.variable(tf.zerosLike(one))]);
const { imageSize } = models.student;
const input = tf.tensor(images(), [batch, imageSize, imageSize, 3], 'int32');
let count = 0;

/** Soft labels, gradients, AdamW; loss and norm of the gradient. The student's running statistics are left out. */
function step() {
  ++count;
  return tf.tidy(() => {
    const pixels = tf.div(tf.cast(input, 'float32'), 255);
    const target = tf.softmax(logits(models.teacher, teacher, frozenNorm, pixels));
    const { value, grads } = tf.variableGrads(() => tf.neg(tf.mean(tf.sum(tf.mul(target, tf.logSoftmax(logits(models.student, student, batchNorm, pixels))), 1))), parameters);
    const gradients = parameters.map(({ name }) => grads[name]);
    const norm = tf.sqrt(tf.addN(gradients.map((one) => tf.sum(tf.square(one)))));
    parameters.forEach((parameter, i) => {
      const [first, second] = moments[i];
      first.assign(tf.add(tf.mul(first, beta1), tf.mul(gradients[i], 1 - beta1)));
      second.assign(tf.add(tf.mul(second, beta2), tf.mul(tf.square(gradients[i]), 1 - beta2)));
      const change = tf.div(tf.div(first, 1 - beta1 ** count), tf.add(tf.sqrt(tf.div(second, 1 - beta2 ** count)), epsilon));
      parameter.assign(tf.sub(tf.mul(parameter, 1 - learningRate * weightDecay), tf.mul(change, learningRate)));
    });
    return [value.dataSync()[0], norm.dataSync()[0]];
  });
}

const run = async (repeat) => Float32Array.from(range(repeat).flatMap(step));
await serve(job, { open: () => run, version: tf.version.tfjs });
