/** Loading does not draw random weights first, and takes the memory of the weights once. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { architecture, namedArchitectures } from '../../lib/config/architectures.js';
import type { ClassifierSpec } from '../../lib/native/contract.js';
import { Classifier, Generator } from '../../lib/native/models.js';
import { classes as two, denoiserSpec, device, generateOptions, openEngine, temporaryFolder, tinyClassifier, tinyGenerator } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const spec: ClassifierSpec = { architecture: architecture.parse(namedArchitectures.vit_base_patch16), numClasses: 2, imageSize: 224, mean: [0, 0, 0], std: [1, 1, 1] };
const classes = ['a', 'b'];

test('weights are drawn with a seed and only with one', async () => {
  const saved = async (name: string, seed: number | null, path?: string): Promise<Buffer> => {
    using model = await Classifier.create(engine, { ...spec, architecture: architecture.parse({ family: 'resnet', width: 8, layers: [1, 1] }), imageSize: 32 }, classes, seed);
    if (path) await engine.run((core) => core.loadWeights(model.handle, path, { newHead: false }));
    await model.save(at(name));
    return readFileSync(at(name));
  };
  const first = await saved('first.safetensors', 1);
  assert.equal(await saved('again.safetensors', 1), first);
  assert.not.equal(await saved('other.safetensors', 2), first);
  assert.equal(await saved('loaded.safetensors', null, at('first.safetensors')), first);
  assert.equal(await saved('over.safetensors', 2, at('first.safetensors')), first);
  assert.equal(await saved('after.safetensors', 1), first, 'drawing goes on after a network without');
});

test('a new head is drawn from its seed', async () => {
  using source = await tinyClassifier(engine, 1);
  await source.save(at('two.safetensors'));
  const heads: Buffer[] = [];
  for (const seed of [5, 5, 6]) {
    using model = await Classifier.load(engine, at('two.safetensors'), { spec: { ...source.spec, numClasses: 3 }, classes: ['a', 'b', 'c'] }, { newHead: true, seed });
    await model.save(at('three.safetensors'));
    heads.push(readFileSync(at('three.safetensors')));
  }
  assert.equal(heads[0], heads[1]);
  assert.not.equal(heads[0], heads[2]);
});

/** Bytes of memory, mapped files included, by which a fresh process on the CPU grows at most when it builds or loads the network. */
function growth(task: 'build' | 'load', path: string): number {
  const script = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { Classifier } from ${JSON.stringify(new URL('../../lib/native/models.ts', import.meta.url).href)};
    import { openEngine } from ${JSON.stringify(new URL('../support/tiny.ts', import.meta.url).href)};
    const status = (key) => 1024 * Number(new RegExp(key + ':[^0-9]*([0-9]+)').exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const engine = await openEngine();
    writeFileSync('/proc/self/clear_refs', '5'); // the peak starts anew
    const before = status('VmRSS');
    const model = ${task === 'load' ? `await Classifier.load(engine, ${JSON.stringify(path)})` : `await Classifier.create(engine, ${JSON.stringify(spec)}, ${JSON.stringify(classes)}, null)`};
    console.log(status('VmHWM') - before);
    model[Symbol.dispose]();`;
  return Number(execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { encoding: 'utf8', env: { ...process.env, SPARRING_TEST_DEVICE: 'cpu' } }));
}

test('loading takes little more memory than the file is long, building without weights next to none', async () => {
  const path = at('large.safetensors');
  using model = await Classifier.create(engine, spec, classes, 0);
  await model.save(path);
  const size = statSync(path).size; // 343 MB
  const loaded = growth('load', path), built = growth('build', path);
  assert.ok(loaded > 0.9 * size && loaded <= 1.2 * size, `loading: ${(loaded / 1e6).toFixed(0)} MB for a file of ${(size / 1e6).toFixed(0)} MB`);
  assert.ok(built < 30e6, `building: ${(built / 1e6).toFixed(0)} MB`);
});

test('a generator that is loaded in the precision in which it is frozen draws as one that is converted', async () => {
  using saved = await tinyGenerator(engine, 1);
  await saved.save(at('generator.safetensors'));
  const drawn: Uint8Array[] = [];
  for (const weights of ['fp32', 'bf16'] as const) {
    const handle = await engine.run((core) => core.createDenoiser({ ...denoiserSpec, device, seed: null, weights }, null));
    using generator = new Generator(engine, handle, denoiserSpec, two);
    await engine.run((core) => core.loadWeights(handle, at('generator.safetensors'), { newHead: false }));
    await engine.run((core) => core.freezeDenoiser(handle, { precision: 'bf16' }));
    drawn.push((await generator.generate({}, generateOptions({ precision: 'bf16' }))).images);
  }
  const [converted, loaded] = drawn;
  const differences = converted.map((value, i) => Math.abs(value - loaded[i]));
  assert.ok(Math.max(...differences) <= 8 && differences.reduce((a, b) => a + b, 0) / differences.length < 1, `up to ${Math.max(...differences)} of 255`);
  assert.ok(new Set(converted).size > 50, 'images of one colour would show nothing');
});

test.run();
