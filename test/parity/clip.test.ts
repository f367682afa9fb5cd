/** CLIP against transformers and open_clip: text towers, and zero-shot classifiers from model folders and files. */
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { openClip, openTextTower } from '../../lib/clip/open.js';
import { ClipTextEncoder } from '../../lib/clip/text-encoder.js';
import { zeroShotClassifier } from '../../lib/clip/zero-shot.js';
import { Classifier } from '../../lib/native/models.js';
import { relativeError } from '../support/numeric.js';
import { encodeSafetensors, readGolden, readSafetensors } from '../support/safetensors.js';
import { failure, openEngine, temporaryFolder, trainerOptions } from '../support/tiny.js';

const engine = await openEngine();
const { core } = engine;
const golden = (name: string): string => new URL(`./goldens/${name}`, import.meta.url).pathname;
const floats = (values: ArrayLike<number>): Float32Array => Float32Array.from(values);

interface ZeroShotCase {
  classes: string[];
  prompts: string[];
  /** Errors of the reference itself in bf16. */
  bf16: { logits: number; gradient: number };
}

const models = { transformers: golden('clip_transformers'), open_clip: golden('clip_open_clip'), openai: golden('clip_openai/model.safetensors') };

for (const [name, path] of Object.entries(models)) {
  test(`${name}: text embeddings, and their gradient`, async () => {
    const { weights, keyNames, text } = await openClip(engine, path);
    await compareText(await ClipTextEncoder.load(engine, weights, text, keyNames.text), `clip_${name}_text`);
  });

  test(`${name}: a zero-shot classifier has the logits and gradients of the reference`, async () => {
    const { config, tensors } = readGolden<ZeroShotCase>(`clip_${name}_case`);
    const classifier = await zeroShotClassifier(engine, { clip: path, prompts: config.prompts, names: {} }, { classes: config.classes, imageSize: tensors.x.shape[3] });
    const errors = async (precision: 'fp32' | 'bf16') => {
      const { logits, gradient } = await core.classifierGradient(classifier.handle, { x: floats(tensors.x.values), direction: floats(tensors.cotangent.values), precision });
      return { logits: relativeError(logits, tensors.y.values), gradient: relativeError(gradient, tensors.dx.values) };
    };
    const exact = await errors('fp32');
    assert.ok(exact.logits < 1e-5 && exact.gradient < 1e-5, JSON.stringify(exact));
    const half = await errors('bf16');
    assert.ok(half.logits < 2 * config.bf16.logits && half.gradient < 2 * config.bf16.gradient, `${JSON.stringify(half)}, reference ${JSON.stringify(config.bf16)}`);
  });
}

test('a table of names that cannot be is refused', async () => {
  const { weights, keyNames, text } = await openClip(engine, models.openai);
  for (const theirs of [[], ['logit_scale', 'logit_scale']]) {
    const rules = [{ ours: 'logit_scale', theirs, layout: 'same' as const }, ...keyNames.text.rules];
    const error = await failure(() => ClipTextEncoder.load(engine, weights, text, { ...keyNames.text, rules }), 'weights');
    assert.match(error.message, `not the sum of ${theirs.length} equal parts`);
  }
});

for (const name of ['clip_text_projection', 'clip_text_plain']) {
  test(`${name}: a text tower in a folder of its own`, async () => {
    const { weights, keyNames, text } = await openTextTower(engine, golden(name));
    await compareText(await ClipTextEncoder.load(engine, weights, text, keyNames), `${name}_case`);
  });
}

async function compareText(encoder: ClipTextEncoder, name: string): Promise<void> {
  const { tensors } = readGolden(name);
  const tokens = Int32Array.from(tensors.tokens.values);
  for (const [skip, states] of [[0, tensors.states], [1, tensors.states_skip]] as const) {
    const found = await core.textEncoderGradient(encoder.handle, { tokens, skip, direction: floats(tensors.cotangent.values) });
    const errors = [relativeError(found.embeddings, tensors.embeddings.values), relativeError(found.gradient, tensors.gradient.values)];
    if (states) errors.push(relativeError(found.states, states.values));
    assert.ok(errors.every((error) => error < 1e-5), `${errors}`);
  }
}

test("one prompt for each class gives CLIPModel's logits_per_image", async () => {
  const { config, tensors } = readGolden<ZeroShotCase>('clip_transformers_logits');
  const classifier = await zeroShotClassifier(engine, { clip: models.transformers, prompts: config.prompts, names: {} }, { classes: config.classes, imageSize: tensors.x.shape[3] });
  const direction = new Float32Array(tensors.y.values.length);
  const { logits } = await core.classifierGradient(classifier.handle, { x: floats(tensors.x.values), direction, precision: 'fp32' });
  assert.ok(relativeError(logits, tensors.y.values) < 1e-5);
});

for (const side of [20, 45]) {
  test(`images of ${side} px are resized to the input of the model, bicubic with antialias`, async () => {
    const { config, tensors } = readGolden<ZeroShotCase>(`clip_transformers_${side}px`);
    const classifier = await zeroShotClassifier(engine, { clip: models.transformers, prompts: config.prompts, names: {} }, { classes: config.classes, imageSize: side });
    const { logits, gradient } = await core.classifierGradient(classifier.handle, { x: floats(tensors.x.values), direction: floats(tensors.cotangent.values), precision: 'fp32' });
    const errors = [relativeError(logits, tensors.y.values), relativeError(gradient, tensors.dx.values)];
    assert.ok(errors.every((error) => error < 1e-5), `${errors}`);
  });
}

test('a zero-shot classifier is saved and read like any other', async () => {
  const classifier = await zeroShotClassifier(engine, { clip: models.open_clip, prompts: ['a {}'], names: { cat: 'tabby cat' } }, { classes: ['cat', 'dog'], imageSize: 32 });
  const path = join(temporaryFolder(), 'teacher.safetensors');
  await classifier.save(path);
  const images = Uint8Array.from({ length: 2 * 32 * 32 * 3 }, (_, i) => (i * 31) % 256);
  const again = await Classifier.load(engine, path);
  assert.equal([again.classes, again.spec], [['cat', 'dog'], classifier.spec]);
  assert.equal(await again.logits(images), await classifier.logits(images));
});

test('a zero-shot classifier is trained on, head and all, in bf16', async () => {
  const images = Uint8Array.from({ length: 8 * 32 * 32 * 3 }, (_, i) => (i * 97) % 251);
  const labels = Int32Array.from({ length: 8 }, (_, i) => i % 2);
  const classifier = await zeroShotClassifier(engine, { clip: models.open_clip, prompts: ['a {}'], names: {} }, { classes: ['cat', 'dog'], imageSize: 32 });
  const trainer = await core.createClassifierTrainer(classifier.handle, null, { ...trainerOptions({ precision: 'bf16', emaDecay: 0.5 }), mixing: { cutMix: 0, mixUp: 0 }, temperature: 1, labelWeight: 0 });
  const losses: number[] = [];
  for (let step = 0; step < 20; step++) losses.push((await core.trainStep(trainer, images, labels, { learningRate: 2e-3, step })).loss);
  assert.ok(losses.at(-1)! < 0.8 * losses[0]!, `${losses}`);
});

test('what a class is called in the prompts: its own name, or another', async () => {
  const make = async (names: Record<string, string>, classes: string[]) => {
    const path = join(temporaryFolder(), 'teacher.safetensors');
    await (await zeroShotClassifier(engine, { clip: models.openai, prompts: ['a {}'], names }, { classes, imageSize: 32 })).save(path);
    return readSafetensors(path).tensors['head.weight'].values;
  };
  const [plain, named] = [await make({}, ['water_bird', 'tench']), await make({ x: 'water bird', y: 'tench' }, ['x', 'y'])];
  assert.equal(plain, named);
  assert.not.equal(plain, await make({}, ['waterbird', 'tench']));
  const { message } = await failure(() => make({ dog: 'hound' }, ['cat']), 'config');
  assert.match(message, /expected classes of the data \(cat\), found 'dog'/);
});

test("missing, unexpected and misshapen weights are listed under the file's own names", async () => {
  const folder = join(temporaryFolder(), 'clip');
  cpSync(models.transformers, folder, { recursive: true });
  const file = join(folder, 'model.safetensors');
  const { tensors } = readSafetensors(file);
  const attention = 'vision_model.encoder.layers.1.self_attn';
  delete tensors[`${attention}.k_proj.weight`];
  tensors[`${attention}.q_proj.weight`] = { dtype: 'F32', shape: [48, 4], values: new Float32Array(192) };
  tensors['vision_model.surplus'] = { dtype: 'F32', shape: [1], values: new Float32Array(1) };
  writeFileSync(file, encodeSafetensors(tensors));
  const { message } = await failure(() => zeroShotClassifier(engine, { clip: folder, prompts: ['{}'], names: {} }, { classes: ['cat'], imageSize: 32 }), 'weights');
  assert.match(message, /missing \(1\):\n  vision_model\.encoder\.layers\.1\.self_attn\.k_proj\.weight: Float \[48, 48\]/);
  assert.match(message, /wrong shape or type \(1\):\n  vision_model\.encoder\.layers\.1\.self_attn\.q_proj\.weight: expected Float \[48, 48\], found Float \[48, 4\]/);
  assert.match(message, /unexpected \(1\):\n  vision_model\.surplus: Float \[1\]/);
});

test('what is no CLIP gives one error that says where', async () => {
  const complaint = async (path: string, code: 'weights' | 'io') => (await failure(() => openClip(engine, path), code)).message;
  const parent = temporaryFolder();
  const folder = join(parent, 'clip');
  const change = (name: string, edit: (config: any) => void) => {
    const config = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    edit(config);
    writeFileSync(join(folder, name), JSON.stringify(config));
  };
  assert.match(await complaint(join(parent, 'absent'), 'io'), /absent: expected the folder or the safetensors file of a CLIP model, found nothing/);
  assert.match(await complaint(parent, 'weights'), /expected one of model\.safetensors, .*open_clip_model\.safetensors.*, found none/);
  assert.match(await complaint(golden('unet.safetensors'), 'weights'), /expected a tensor text_projection/);

  cpSync(models.transformers, folder, { recursive: true });
  change('config.json', (config) => (config.vision_config.num_attention_heads = 5));
  assert.match(await complaint(folder, 'weights'), /clip: 5 heads do not divide 48 channels/);
  change('config.json', (config) => (config.vision_config.hidden_act = 'relu'));
  assert.match(await complaint(folder, 'weights'), /config\.json: vision_config\.hidden_act: .*found "relu"/);
  change('config.json', (config) => (config.model_type = 'siglip'));
  assert.match(await complaint(folder, 'weights'), /config\.json: model_type: .*found "siglip"/);
  rmSync(join(folder, 'config.json'));
  assert.match(await complaint(folder, 'io'), /cannot read .*config\.json/);

  rmSync(folder, { recursive: true });
  cpSync(models.transformers, folder, { recursive: true });
  rmSync(join(folder, 'vocab.json'));
  assert.match(await complaint(folder, 'weights'), /the tokenizer ends a text with token 49407, the model with 613/);

  rmSync(folder, { recursive: true });
  cpSync(models.open_clip, folder, { recursive: true });
  change('open_clip_config.json', (config) => (config.model_cfg.vision_cfg.timm_model_name = 'x'));
  assert.match(await complaint(folder, 'weights'), /open_clip_config\.json: model_cfg\.vision_cfg: .*timm_model_name/);
});

test('an image tower for images of another size has the position embedding resampled, whatever its name', async () => {
  const { weights, keyNames, image } = await openClip(engine, models.openai);
  const spec = { ...image, numClasses: 2, imageSize: 32 };
  const classes = ['cat', 'dog'];
  const path = join(temporaryFolder(), 'tower.safetensors');
  await (await Classifier.load(engine, weights, { spec, classes }, { newHead: true, keyNames: keyNames.image })).save(path);
  const positions = async (file: string, keys: { keyNames?: typeof keyNames.image }) => {
    const resized = join(temporaryFolder(), 'resized.safetensors');
    await (await Classifier.load(engine, file, { spec: { ...spec, imageSize: 80 }, classes }, { newHead: true, ...keys })).save(resized);
    return readSafetensors(resized).tensors.pos_embed!;
  };
  const found = await positions(weights, { keyNames: keyNames.image });
  assert.equal(found.shape, [1, 1 + 25, 64]);
  assert.ok(relativeError(found.values, (await positions(path, {})).values) < 1e-3); // OpenAI's file has 16 bits
});

test('a single file is described by the config beside it', async () => {
  const { image } = await openClip(engine, join(models.open_clip, 'open_clip_model.safetensors'));
  assert.equal([image.architecture.family === 'vit' && image.architecture.activation, image.imageSize], ['gelu', 32]);
  const folder = join(temporaryFolder(), 'clip');
  cpSync(models.open_clip, folder, { recursive: true });
  rmSync(join(folder, 'open_clip_config.json'));
  const { architecture } = (await openClip(engine, folder)).image;
  assert.is(architecture.family === 'vit' && architecture.activation, 'quick-gelu');
});

test('tokens that are no texts are refused', async () => {
  const { weights, keyNames, text } = await openClip(engine, models.openai);
  const encoder = await ClipTextEncoder.load(engine, weights, text, keyNames.text);
  const encode = (tokens: Int32Array) => failure(() => engine.run(() => core.textEncoderGradient(encoder.handle, { tokens, skip: 0, direction: new Float32Array(24) })), 'usage');
  assert.match((await encode(new Int32Array(5))).message, /expected texts of 24 tokens each, found 5/);
  assert.match((await encode(new Int32Array(24))).message, /expected an end-of-text token/);
  assert.match((await encode(new Int32Array(24).fill(9999))).message, /9999/);
});

test.run();
