/** A second, independent safetensors reader and writer: what the native one is checked against. */
import { readFileSync } from 'node:fs';

export interface Tensor {
  dtype: string;
  shape: number[];
  /** I64 as numbers: the files of the tests hold small ones only. */
  values: Float32Array | Float64Array;
}

export interface SafetensorsFile {
  metadata: Record<string, string>;
  tensors: Record<string, Tensor>;
}

/** Reads a file of F32, F64 and I64 tensors. */
export function readSafetensors(path: string): SafetensorsFile {
  const bytes = readFileSync(path);
  const length = Number(bytes.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  const tensors: Record<string, Tensor> = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries<any>(entries)) {
    const data = Uint8Array.from(bytes.subarray(8 + length + begin, 8 + length + end)).buffer; // a copy is aligned
    tensors[name] = { dtype, shape, values: decode(dtype, data) };
  }
  return { metadata, tensors };
}

/** A golden file of test/parity, with what it was made with. */
export function readGolden<Config>(name: string): { config: Config; tensors: Record<string, Tensor> } {
  const { metadata, tensors } = readSafetensors(goldenPath(name));
  return { config: JSON.parse(metadata.config), tensors };
}

export function goldenPath(name: string): string {
  return new URL(`../parity/goldens/${name}.safetensors`, import.meta.url).pathname;
}

/** A file of the given header (as it is when a string) and data, right or wrong. */
export function safetensorsBytes(header: object | string | Uint8Array, data: Uint8Array | number = 0): Buffer {
  const text = header instanceof Uint8Array ? Buffer.from(header) : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, typeof data === 'number' ? Buffer.alloc(data) : data]);
}

/** A whole file of F32 and I64 tensors. */
export function encodeSafetensors(tensors: Record<string, Tensor>, metadata?: Record<string, string>): Buffer {
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  const parts: Uint8Array[] = [];
  let begin = 0;
  for (const [name, { dtype, shape, values }] of Object.entries(tensors)) {
    const part = encode(dtype, values);
    header[name] = { dtype, shape, data_offsets: [begin, (begin += part.length)] };
    parts.push(part);
  }
  return safetensorsBytes(header, Buffer.concat(parts));
}

function decode(dtype: string, data: ArrayBuffer): Float32Array | Float64Array {
  if (dtype === 'F32') return new Float32Array(data);
  if (dtype === 'F64') return new Float64Array(data);
  if (dtype === 'I64') return Float64Array.from(new BigInt64Array(data), Number);
  throw new Error(`the reader of the tests knows no ${dtype}`);
}

function encode(dtype: string, values: Float32Array | Float64Array): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(Float32Array.from(values).buffer);
  if (dtype === 'F64') return new Uint8Array(Float64Array.from(values).buffer);
  if (dtype === 'I64') return new Uint8Array(BigInt64Array.from(values, (value) => BigInt(value)).buffer);
  throw new Error(`the writer of the tests knows no ${dtype}`);
}
