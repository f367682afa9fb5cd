/** What the rivals in Node read: their job, the inputs and the weights. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export const job = JSON.parse(process.argv[2]);
const { trial, directory } = job;

export const range = (count) => Array.from({ length: count }, (_, i) => i);
const classifier = trial.models.student ?? trial.models.teacher;

/** [B, size, size, 3] uint8 */
export const images = () => new Uint8Array(readFileSync(join(directory, 'images.u8')));
export const labels = () => range(trial.batch).map((i) => i % classifier.numClasses);
/** [B, C, h, w] */
export const noise = () => floats(readFileSync(join(directory, 'noise.f32')));

function floats(bytes) {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Name -> { shape, data } of a file of fp32; eight bytes of header length, a JSON header, then the data. */
export function readWeights(role) {
  const content = readFileSync(job.weights[role].path);
  const start = 8 + Number(content.readBigUInt64LE(0));
  const { __metadata__: _, ...header } = JSON.parse(content.subarray(8, start).toString());
  const entries = Object.entries(header).filter(([, { dtype }]) => dtype === 'F32');
  return Object.fromEntries(entries.map(([name, { shape, data_offsets: [begin, end] }]) => [name, { shape, data: floats(content.subarray(start + begin, start + end)) }]));
}
