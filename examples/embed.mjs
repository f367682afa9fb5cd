// sparring inside a plain Node script: a dataset in memory, a teacher trained from labels, a student distilled from it
// step by step, and both measured by group. Takes a few seconds.
//
//   node examples/embed.mjs
import { Classifier, Engine, evaluate, MemoryDataset, resolveConfig, Trainer } from 'sparring';

const size = 16; // pixels
let state = 1;
const random = () => (state = (state * 48271) % 2147483647) / 2147483647; // the same pictures every time

// Two shapes on two backgrounds. The student's training data never show a disc on bright or a square on dark ground.
const classes = ['disc', 'square'];
const attributes = ['dark', 'bright'];
const everything = draw('everything', 400, (i) => [i % 2, (i >> 1) % 2]);
const biased = draw('biased', 400, (i) => [i % 2, i % 2]);
const test = draw('test', 200, (i) => [i % 2, (i >> 1) % 2]);

const engine = await Engine.open({ device: 'cpu' });
const spec = { architecture: { family: 'cnn', width: 8, stages: 2 }, numClasses: 2, imageSize: size, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
// The training options with their defaults; any of docs/config.md's may be given.
const { training } = resolveConfig({ student: { training: { steps: 300, batchSize: 32, learningRate: 5e-3, augment: { cropPadding: 1 } } } }).student;

const teacher = await train(null, everything, 0);
const student = await train(teacher, biased, 1);

for (const [name, model] of Object.entries({ teacher, student })) {
  const { groups, worstGroup, worstGroupAccuracy } = await evaluate(model, test);
  console.log(`${name}: worst group ${worstGroup} ${worstGroupAccuracy.toFixed(2)}`);
  for (const group of groups) console.log(`  ${group.name.padEnd(14)} ${group.correct} of ${group.count}`);
}

/** Trains from labels or, with a teacher, on its soft labels (EDRM). */
async function train(from, dataset, seed) {
  const model = await Classifier.create(engine, spec, classes, seed);
  const trainer = await Trainer.classifier(model, from, training, { seed });
  for (let step = 0; step < training.steps; step++) {
    const indices = Array.from({ length: training.batchSize }, (_, i) => (step * training.batchSize + i) % dataset.length);
    const batch = { images: await dataset.read(indices), labels: Int32Array.from(indices, (index) => dataset.labels[index]) };
    const { loss } = await trainer.step(batch, training.learningRate, step);
    if (step % 100 === 99) console.log(`${from ? 'student' : 'teacher'} step ${step + 1}, loss ${loss.toFixed(3)}`);
  }
  trainer[Symbol.dispose](); // frees the optimizer's memory at once
  return model;
}

/** `count` pictures; `kindOf` gives class and attribute of each. */
function draw(name, count, kindOf) {
  const pixels = new Uint8Array(count * size * size * 3);
  const labels = new Int32Array(count);
  const attributeOf = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    [labels[i], attributeOf[i]] = kindOf(i);
    const centre = [5 + random() * 6, 5 + random() * 6];
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const [dx, dy] = [Math.abs(x - centre[0]), Math.abs(y - centre[1])];
        const inside = labels[i] === 0 ? Math.hypot(dx, dy) < 4.5 : Math.max(dx, dy) < 4;
        const value = (inside ? 128 : attributeOf[i] === 0 ? 40 : 215) + random() * 24;
        pixels.fill(value, 3 * ((i * size + y) * size + x), 3 * ((i * size + y) * size + x + 1));
      }
    }
  }
  return new MemoryDataset({ name, classes, attributes, imageSize: size, labels, attributeOf, pixels });
}
