/** The pure parts of `npm run parity`: its list, what of a measurement misses, and the document. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { namedArchitectures } from '../../lib/config/architectures.js';
import { autoencoderSpecs } from '../../lib/config/autoencoders.js';
import { fullSize } from '../parity/full-size/architectures.js';
import { asLine, asMarkdown, medianError, misses, type Errors, type Row } from '../parity/full-size/report.js';

const good: Errors = { fp32: 1e-6, exact: { ours: 2e-6, reference: 1e-6 }, bf16: { ours: 0.019, reference: 0.01 } };
const rowOf = (parts: Row['parts']): Row => ({ name: 'foo', parameters: 1.25e6, input: '2 of 8 px', parts, seconds: { ours: 1.2, reference: 3.4 }, libtorch: '2.13.0' });
const missed = (errors: Partial<Errors>): string[] => misses(rowOf({ logits: { output: good, gradient: { ...good, ...errors } } }));

test('every named architecture and every autoencoder is in the list, and no name twice', () => {
  const ours = new Set(fullSize.flatMap((one) => ('ours' in one ? [one.ours] : [])));
  assert.equal([...Object.keys(namedArchitectures), ...Object.keys(autoencoderSpecs)].filter((name) => !ours.has(name)), []);
  const names = fullSize.map(({ name }) => name);
  assert.equal(names.filter((name, i) => names.indexOf(name) !== i), []);
});

test('fp32 holds near the reference, or near fp64 where the reference itself is far from it', () => {
  assert.equal(missed({}), []);
  assert.equal(missed({ fp32: 3e-3, exact: { ours: 2.9e-3, reference: 2e-3 } }), []);
  assert.equal(missed({ fp32: 3e-3, exact: { ours: 3.1e-3, reference: 2e-3 } }), ['logits, gradient: 3.0e-3 off in fp32; 3.1e-3 off fp64, at most 3.0e-3 expected']);
  assert.is(missed({ fp32: 2e-5, exact: { ours: 1.1e-5, reference: 1e-7 } }).length, 1);
});

test('bf16 holds within twice the error of the reference, where it is computed', () => {
  assert.equal(missed({ bf16: { ours: 0.03, reference: 0.01 } }), ['logits, gradient: 3.0e-2 off in bf16, at most 2.0e-2 expected']);
  assert.equal(misses(rowOf({ logits: { output: { fp32: 1e-6, exact: good.exact } } })), []);
});

test('a value that is not a number misses', () => {
  assert.is(missed({ fp32: NaN, exact: { ours: NaN, reference: 1e-6 }, bf16: { ours: NaN, reference: 0.01 } }).length, 2);
});

test('the error of a value is the median over the images', () => {
  const expected = Float32Array.of(3, 4, 0, 5, 1, 0); // of lengths 5, 5, 1
  const found = Float32Array.of(3, 4.5, 0, 5, 1, 1); // off by 0.1, 0, 1
  assert.ok(Math.abs(medianError(found, expected, 3) - 0.1) < 1e-9);
  assert.ok(Math.abs(medianError(found.subarray(0, 4), expected.subarray(0, 4), 2) - 0.05) < 1e-9);
  assert.throws(() => medianError(found, expected.subarray(1), 1), /expected 5 numbers, found 6/);
});

test('a row has a line for each value, with what they share in the first', () => {
  const row = rowOf({ output: { output: good, gradient: good, 'text gradient': { fp32: 2e-5, exact: { ours: 1e-5, reference: 1e-5 } } } });
  const text = asMarkdown([row], { versions: { timm: '1' }, libtorch: '2.13.0', addon: 'abc', processor: 'cpu', threads: 2, resumed: true, date: '2026-01-02' });
  assert.match(text, '| foo | 1.3 M | 2 of 8 px | output | 1.0e-6 | 2.0e-6 / 1.0e-6 | 1.9e-2 / 1.0e-2 | 1 / 3 |');
  assert.match(text, '|  |  |  | gradient of output | 1.0e-6 |');
  assert.match(text, '|  |  |  | text gradient of output | 2.0e-5 | 1.0e-5 / 1.0e-5 |  |  |');
  assert.match(text, /^1 value is further than 1e-5 /m);
  assert.is(asLine(row).split('\n').length, 3);
});

test.run();
