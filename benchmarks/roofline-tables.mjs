/** The tables of docs/performance.md; pure functions of what was measured. */

/** Rate in TFLOP/s -> milliseconds of so many GFLOP. */
export const floorOf = (gflops, rate) => gflops / rate;

/** attained: TFLOP/s of a plain kernel by precision. */
export function floorTable(measured, attained) {
  const rivals = [...new Set(measured.flatMap(({ results }) => Object.keys(results)))].filter((name) => !name.startsWith('ours'));
  const rows = measured.map(({ name, results, gflopsPerImage }) => {
    const floor = floorOf(gflopsPerImage, attained.bf16);
    const ours = results['ours bf16'].msPerImage;
    return [name, gflopsPerImage.toFixed(2), time(floor), time(ours), `${((100 * floor) / ours).toFixed(0)} %`, ...rivals.map((rival) => (results[rival] ? time(results[rival].msPerImage) : ''))];
  });
  return table(['trial', 'GFLOP', 'floor, ms', 'ours bf16, ms', 'floor / ours', ...rivals.map((rival) => `${rival}, ms`)], rows);
}

const groups = {
  convolution: ['convolution', 'deconvolution'],
  'matrix product': ['matmul', 'inner_product'],
  'change of layout': ['reorder'],
};

/** Of the contenders of which oneDNN was asked: shares of the wall time. */
export function breakdownTable(measured) {
  const rows = measured.flatMap(({ name, breakdowns }) =>
    Object.entries(breakdowns).map(([contender, { primitives, wallMs }]) => {
      const known = Object.values(groups).map((kinds) => kinds.reduce((sum, kind) => sum + (primitives[kind] ?? 0), 0));
      const all = Object.values(primitives).reduce((sum, ms) => sum + ms, 0);
      const parts = [...known, all - known.reduce((sum, ms) => sum + ms, 0), wallMs - all];
      return [name, contender, ...parts.map((ms) => `${((100 * ms) / wallMs).toFixed(0)} %`)];
    }),
  );
  return table(['trial', 'contender', ...Object.keys(groups), 'others of oneDNN', 'the rest'], rows);
}

/** A line of ONEDNN_VERBOSE=profile_exec -> [kind of primitive, milliseconds]; undefined for others. */
export function parsePrimitive(line) {
  if (!line.startsWith('onednn_verbose')) return undefined;
  const fields = line.split(',');
  const at = fields.indexOf('exec');
  const milliseconds = Number(fields.at(-1));
  return at < 0 || !Number.isFinite(milliseconds) ? undefined : [fields[at + 2], milliseconds];
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map((_, i) => (i === 0 ? '---' : '--:')).join('|')}|`, ...rows.map(line)].join('\n');
}

const time = (value) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
