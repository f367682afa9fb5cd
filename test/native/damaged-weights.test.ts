/** Weights files that are damaged, cut short or of another format: each is one error that names the file. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { Classifier, Generator } from '../../lib/native/models.js';
import { safetensorsBytes } from '../support/safetensors.js';
import { denoiserSpec, failure, openEngine, randomImages, temporaryFolder, tinyClassifier } from '../support/tiny.js';

const engine = await openEngine();
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const write = (name: string, bytes: Uint8Array): string => {
  writeFileSync(at(name), bytes);
  return at(name);
};
const inspect = (path: string) => engine.run((core) => core.inspectWeights(path));
const images = randomImages(1, 4);

const one = (entry: object | string, data: number | Uint8Array = 8) => safetensorsBytes(typeof entry === 'string' ? `{"a":${entry}}` : { a: entry }, data);
const f32 = (shape: unknown, begin = 0, end = 8, dtype: unknown = 'F32') => ({ dtype, shape, data_offsets: [begin, end] });
const length = (value: bigint, rest = '{}') => Buffer.concat([Buffer.from(BigUint64Array.of(value).buffer), Buffer.from(rest)]);
const text = (json: string, data = 8) => safetensorsBytes(json, data);
const valid = one(f32([2]));

const damaged: Record<string, { bytes: Uint8Array; says?: string | RegExp }> = {
  'an empty file': { bytes: Buffer.alloc(0), says: 'more than 8 bytes' },
  'seven bytes': { bytes: Buffer.alloc(7), says: 'more than 8 bytes' },
  'a length alone': { bytes: Buffer.alloc(8), says: 'more than 8 bytes' },
  'a header of no bytes': { bytes: length(0n, 'x') },
  'a header longer than the file': { bytes: length(1000n), says: '1000' },
  'a header longer than any': { bytes: length(2n ** 63n), says: '9223372036854775808' },
  'a header length that overflows': { bytes: length(2n ** 64n - 1n) },
  'a cut in the header': { bytes: valid.subarray(0, 30) },
  'a cut in the data': { bytes: valid.subarray(0, valid.length - 1), says: '"a"' },
  'data behind the last tensor': { bytes: Buffer.concat([valid, Buffer.alloc(3)]), says: '3 bytes' },
  'an array as header': { bytes: text('[]', 0) },
  'a header that does not end': { bytes: text('{"a":') },
  'text behind the header': { bytes: text('{} x', 0) },
  'a comma too many': { bytes: text('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},}') },
  'a tensor twice': { bytes: text('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'), says: /duplicate.*"a"/ },
  'a field twice': { bytes: one('{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}'), says: 'duplicate' },
  'metadata twice': { bytes: text('{"__metadata__":{},"__metadata__":{}}', 0), says: 'duplicate' },
  'metadata that is no text': { bytes: text('{"__metadata__":{"a":1}}', 0) },
  'no dtype': { bytes: one({ shape: [2], data_offsets: [0, 8] }), says: 'dtype is missing' },
  'no shape': { bytes: one({ dtype: 'F32', data_offsets: [0, 8] }), says: 'shape is missing' },
  'no offsets': { bytes: one({ dtype: 'F32', shape: [2] }), says: 'data_offsets is missing' },
  'an unknown field': { bytes: one({ ...f32([2]), scale: 1 }), says: '"scale"' },
  'an unknown dtype': { bytes: one(f32([2], 0, 8, 'F31')), says: '"F31"' },
  'a dtype in small letters': { bytes: one(f32([2], 0, 8, 'f32')), says: '"f32"' },
  'a dtype that is a number': { bytes: one(f32([2], 0, 8, 32)) },
  'a dtype of 10 kB': { bytes: one(f32([2], 0, 8, 'F'.repeat(10_000))), says: '...' },
  'a null entry': { bytes: one('null') },
  'a shape that is a number': { bytes: one(f32(2)) },
  'a negative dimension': { bytes: one(f32([-2])) },
  'a fractional dimension': { bytes: one(f32([2.5])) },
  'a dimension with an exponent': { bytes: one('{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}') },
  'a dimension with a leading zero': { bytes: one('{"dtype":"F32","shape":[02],"data_offsets":[0,8]}'), says: 'leading zero' },
  'a dimension of 2^63': { bytes: one('{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}'), says: 'too large' },
  'a dimension beyond 64 bits': { bytes: one('{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}'), says: '64 bits' },
  'a shape whose size wraps around': { bytes: one('{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}'), says: '2^63' },
  'an empty shape with huge strides': { bytes: one('{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}', 0), says: '2^63' },
  '65 dimensions': { bytes: one(f32(Array(65).fill(1), 0, 4), 4), says: '64' },
  'a shape that needs more': { bytes: one(f32([3])), says: '12' },
  'a shape that needs less': { bytes: one(f32([1])), says: '"a"' },
  'one offset': { bytes: one({ dtype: 'F32', shape: [2], data_offsets: [8] }), says: 'two data_offsets' },
  'three offsets': { bytes: one({ dtype: 'F32', shape: [2], data_offsets: [0, 8, 8] }) },
  'offsets in reverse': { bytes: one(f32([2], 8, 0)), says: '[8, 0)' },
  'offsets behind the end': { bytes: one(f32([2], 8, 16)), says: '[8, 16)' },
  'offsets of 2^64 - 1': { bytes: one('{"dtype":"F32","shape":[2],"data_offsets":[18446744073709551607,18446744073709551615]}') },
  'two tensors that overlap': { bytes: safetensorsBytes({ a: f32([2], 0, 8), b: f32([2], 4, 12) }, 12), says: 'overlap' },
  'a gap before the first tensor': { bytes: one(f32([1], 4, 8)), says: 'no tensor' },
  'a gap between tensors': { bytes: safetensorsBytes({ a: f32([1], 0, 4), b: f32([1], 8, 12) }, 12), says: 'no tensor' },
  'a name with a control character': { bytes: text('{"a\u0001":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'), says: 'control character' },
  'a name that is not UTF-8': { bytes: safetensorsBytes(Buffer.from('7b22ff223a7b7d7d', 'hex')), says: 'UTF-8' },
  'a name with half a surrogate pair': { bytes: text('{"\\ud800":{}}', 0), says: 'surrogate' },
  'an unknown escape': { bytes: text('{"\\x":{}}', 0), says: 'escape' },
  'nesting without end': { bytes: text('{"a":'.repeat(100_000), 0) },
  'brackets without end': { bytes: one(`{"dtype":"F32","shape":${'['.repeat(100_000)}`, 0) },
  'a pickle': { bytes: Buffer.from('\x80\x02}q\x00.'.padEnd(64), 'latin1'), says: 'pickle' },
  'an archive of torch.save': { bytes: Buffer.from('PK\x03\x04'.padEnd(64), 'latin1'), says: 'zip' },
  'a Git LFS pointer': { bytes: Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'), says: 'Git LFS' },
  'a web page': { bytes: Buffer.from('<!DOCTYPE html><html></html>'), says: 'web page' },
  'a GGUF file': { bytes: Buffer.from('GGUF'.padEnd(64)), says: 'GGUF' },
  'a text file': { bytes: readFileSync(new URL('../../native/io/safetensors.h', import.meta.url)).subarray(0, 999) },
};

for (const [name, { bytes, says }] of Object.entries(damaged)) {
  test(`refused: ${name}`, async () => {
    const path = write('damaged.safetensors', bytes);
    const error = await failure(() => inspect(path), 'weights');
    assert.match(error.message, path);
    if (says) assert.match(error.message, says);
    assert.ok(error.message.length < 1000, `a message of ${error.message.length} characters`);
    assert.ok(error.hint);
    using classifier = await tinyClassifier(engine, 3);
    const before = await classifier.logits(images);
    await failure(() => engine.run((core) => core.loadWeights(classifier.handle, path, { newHead: false })), 'weights');
    assert.equal(await classifier.logits(images), before);
  });
}

test('what is not a file is an error of the file system', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  for (const path of [at('missing.safetensors'), at('pipe'), '/dev/null', join(write('a-file', valid), 'inside')]) {
    assert.match((await failure(() => inspect(path), 'io')).message, path);
  }
  if (process.getuid!() !== 0) { // root may read everything
    chmodSync(write('secret.safetensors', valid), 0);
    assert.match((await failure(() => inspect(at('secret.safetensors')), 'io')).message, 'secret');
  }
});

test('a description of the network that cannot be: one error that names the file, before any weight is read', async () => {
  const classifier = { architecture: { family: 'cnn', width: 4, stages: 2 }, numClasses: 2, imageSize: 16, mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2] };
  const generator = denoiserSpec;
  const unet = (options: object) => ({ ...generator, unet: { ...generator.unet, ...options } });
  const cases: ['classifier' | 'generator', unknown, unknown?][] = [
    ['classifier', null],
    ['classifier', {}],
    ['classifier', { ...classifier, imageSize: 0 }],
    ['classifier', { ...classifier, imageSize: 1e300 }],
    ['classifier', { ...classifier, numClasses: 0 }, []],
    ['classifier', { ...classifier, std: [0.2, 0, 0.2] }],
    ['classifier', { ...classifier, mean: [] }],
    ['classifier', { ...classifier, architecture: { family: 'cnn', width: 0, stages: 2 } }],
    ['classifier', { ...classifier, architecture: { family: 'cnn', width: 4, stages: 60 } }],
    ['classifier', { ...classifier, architecture: { family: 'resnet', layers: [], width: 8, bottleneck: false, stem: 'cifar' } }],
    ['classifier', { ...classifier, architecture: { family: 'vgg' } }],
    ['classifier', classifier, ['dark']],
    ['classifier', classifier, 'dark'],
    ['generator', unet({ blockChannels: [], attention: [], heads: [] })],
    ['generator', unet({ attention: [] })],
    ['generator', unet({ attention: [0] })],
    ['generator', unet({ heads: [1, 0] })],
    ['generator', unet({ heads: [1, 3] })],
    ['generator', unet({ channels: 4 })],
    ['generator', unet({ normGroups: 0 })],
    ['generator', unet({ normGroups: 3 })],
    ['generator', unet({ layersPerBlock: -1 })],
    ['generator', unet({ classEmbeddings: 7 })],
    ['generator', { ...generator, unet: undefined }],
    ['generator', { ...generator, schedule: { ...generator.schedule, trainTimesteps: 0 } }],
    ['generator', { ...generator, prediction: 'noise' }],
    ['generator', { ...generator, clip: -1 }],
    ['generator', { ...generator, drawSize: 15 }],
    ['generator', { ...generator, imageSize: 0 }],
  ];
  for (const [kind, spec, classes = ['dark', 'bright']] of cases) {
    const metadata = { 'sparring.kind': kind, 'sparring.spec': JSON.stringify(spec), 'sparring.classes': JSON.stringify(classes) };
    const path = write('described.safetensors', safetensorsBytes({ __metadata__: metadata }));
    const error = await failure(async () => (kind === 'classifier' ? Classifier.load(engine, path) : Generator.load(engine, path)), 'weights');
    assert.ok(error.message.startsWith(`${path}: the description of its network is damaged: `), `${metadata['sparring.spec']}: ${error.message}`);
  }
});

test.run();
