import { test } from 'uvu';
import * as assert from 'uvu/assert';

import { breakdownTable, floorTable, parsePrimitive } from '../../benchmarks/roofline-tables.mjs';

test('a primitive of oneDNN is read from its line, other lines are not', () => {
  const line = 'onednn_verbose,v1,primitive,exec,cpu,convolution,jit:avx512_core,forward_training,src:bf16,,alg:convolution_direct,mb8_ic256,0.125';
  assert.equal(parsePrimitive(line), ['convolution', 0.125]);
  assert.is(parsePrimitive('onednn_verbose,v1,info,cpu,runtime:OpenMP,nthr:2'), undefined);
  assert.is(parsePrimitive('{"msPerImage":1}'), undefined);
});

test('the floor is the multiplications over the rate, and rivals that were left out stay empty', () => {
  const measured = [
    { name: 'a', gflopsPerImage: 4, results: { 'ours bf16': { msPerImage: 16 }, eager: { msPerImage: 20 } } },
    { name: 'b', gflopsPerImage: 2, results: { 'ours bf16': { msPerImage: 4 } } },
  ];
  const lines = floorTable(measured, { bf16: 0.5 }).split('\n');
  assert.is(lines[2], '| a | 4.00 | 8.000 | 16.0 | 50 % | 20.0 |');
  assert.is(lines[3], '| b | 2.00 | 4.000 | 4.000 | 100 % |  |');
});

test('what oneDNN does not account for is the rest', () => {
  const primitives = { convolution: 50, reorder: 10, matmul: 5, inner_product: 5, eltwise: 10 };
  const lines = breakdownTable([{ name: 'a', breakdowns: { ours: { primitives, wallMs: 100 } } }]).split('\n');
  assert.is(lines[2], '| a | ours | 50 % | 10 % | 10 % | 10 % | 20 % |');
});

test.run();
