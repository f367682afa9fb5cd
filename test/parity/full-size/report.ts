/** What was measured, what of it misses, and how it is printed. Pure. */
import { relativeError } from '../../support/numeric.js';

/** What both sides are told beside the entry of the list. */
export interface Job {
  folder: string;
  threads: number;
  seed: number;
  /** What is known of the reference once it has run: its own errors, in fp32 against fp64 and in bf16 against fp32. */
  parts?: Record<string, { values: Record<string, { fp32: number; bf16?: number }> }>;
}

/** Relative errors (L2 norm) of one value. */
export interface Errors {
  /** Ours in fp32 against the reference in fp32. */
  fp32: number;
  /** Both in fp32 against the reference in fp64. */
  exact: { ours: number; reference: number };
  /** Both in bf16 against the reference in fp32. */
  bf16?: { ours: number; reference: number };
}

export interface Row {
  name: string;
  parameters: number;
  /** e.g. 8 x 224 px */
  input: string;
  parts: Record<string, Record<string, Errors>>;
  seconds: { ours: number; reference: number };
  libtorch: string;
}

/** What a table was measured with. */
export interface Facts {
  versions: Record<string, string>;
  libtorch: string;
  /** The native core that was measured. */
  addon: string;
  processor: string;
  threads: number;
  /** Whether rows of earlier runs were kept, of the same core, references and threads. */
  resumed: boolean;
  date: string;
}

type Floats = Float32Array | Float64Array;

/** The median over the rows of |found - expected| / |expected|. */
export function medianError(found: Floats, expected: Floats, rows: number): number {
  if (found.length !== expected.length) throw new Error(`expected ${expected.length} numbers, found ${found.length}`);
  const row = (values: Floats, i: number): Floats => values.subarray((i * values.length) / rows, ((i + 1) * values.length) / rows);
  const errors = Array.from({ length: rows }, (_, i) => relativeError(row(found, i), row(expected, i))).sort((a, b) => a - b);
  return (errors[Math.floor((rows - 1) / 2)]! + errors[Math.ceil((rows - 1) / 2)]!) / 2;
}

export const limits = { fp32: 1e-5, fp32Ratio: 1.5, bf16Ratio: 2 };

/** What of a row misses, in words. Where rounding takes the reference itself far from fp64, so far and a little further may we be. */
export function misses({ parts }: Pick<Row, 'parts'>): string[] {
  const found: string[] = [];
  for (const [part, values] of Object.entries(parts)) {
    for (const [name, { fp32, exact, bf16 }] of Object.entries(values)) {
      const what = part === name ? part : `${part}, ${name}`;
      const limit = Math.max(limits.fp32, limits.fp32Ratio * exact.reference);
      if (!(fp32 <= limits.fp32 || exact.ours <= limit)) found.push(`${what}: ${short(fp32)} off in fp32; ${short(exact.ours)} off fp64, at most ${short(limit)} expected`);
      if (bf16 && !(bf16.ours <= limits.bf16Ratio * bf16.reference)) found.push(`${what}: ${short(bf16.ours)} off in bf16, at most ${short(limits.bf16Ratio * bf16.reference)} expected`);
    }
  }
  return found;
}

const short = (error: number): string => error.toExponential(1);
const pair = (errors: { ours: number; reference: number } | undefined): string => (errors ? `${short(errors.ours)} / ${short(errors.reference)}` : '');

const columns = ['architecture', 'parameters', 'input', 'what', 'fp32', 'fp32 to fp64', 'bf16', 's'];

/** One line for each value: its cells, in the order of `columns`. What the lines of a row share stands in the first. */
function cells({ name, parameters, input, parts, seconds }: Row): string[][] {
  const lines = Object.entries(parts).flatMap(([part, values]) => Object.entries(values).map(([value, { fp32, exact, bf16 }]) => (
    [value === 'output' ? part : value.replace('gradient', `gradient of ${part}`), short(fp32), pair(exact), pair(bf16)]
  )));
  return lines.map((line, i) => {
    const shared = i === 0 ? [name, `${(parameters / 1e6).toFixed(1)} M`, input] : ['', '', ''];
    return [...shared, ...line, i === 0 ? `${Math.round(seconds.ours)} / ${Math.round(seconds.reference)}` : ''];
  });
}

/** For the terminal, as soon as it is known. */
export function asLine(row: Row): string {
  const widths = [36, 9, 13, 40, 8, 20, 20, 9];
  return cells(row).map((line) => line.map((cell, i) => cell.padEnd(widths[i]!)).join(' ').trimEnd()).join('\n');
}

const introduction = `# Parity at full size

Every architecture at its full size, with random weights, against its reference: timm, transformers, open_clip, diffusers.
Written by \`npm run parity -- --write\`; do not edit. How to run it and how to add a line: [CONTRIBUTING.md](../CONTRIBUTING.md).

The reference makes the weights (nothing at a value that would hide a mistake) and saves them under its own names; they are
loaded as those of users are. Compared are the output, and the gradient of a random combination of the outputs: by the
images or latents, by the text states of a U-Net, by the token embeddings of a text tower. An error is
|found - expected| / |expected| in the L2 norm, the median over the images.

- **fp32**: ours against the reference, both in fp32. At most ${limits.fp32.toExponential()}; where it is more, **fp32 to fp64** decides.
- **fp32 to fp64**: ours / the reference's, each in fp32 against the reference in fp64. Ours at most ${limits.fp32Ratio} times the reference's.
- **bf16**: ours / the reference's, each in bf16 against the reference in fp32. Ours at most ${limits.bf16Ratio} times the reference's. Text towers
  and codebooks are never computed in bf16.
- **s**: seconds of the process, ours / the reference's, which computes in fp64 too. Not a benchmark.

Where an activation has a kink, rounding takes a few of millions of inputs across it, and each changes the gradient by a
lump that is far larger than rounding. So it is with any two exact implementations, and the weights of the ResNets are such
that it hardly happens in fp32. Of the residual networks with ReLUs the bf16 gradients show it on both sides, of TAESD those
in fp32 as well. There the layout matters: convolutions round about twice as much channels-last, as ours always are, as in
PyTorch's default layout. The reference of TAESD is therefore laid out channels-last too. In the default layout its
gradients are 2.1e-3 (encoder) and 1.4e-3 (decoder) off fp64, and ours, at 3.9e-3 and 2.3e-3, would miss the limit.
`;

const rowOf = (line: readonly string[]): string => `| ${line.join(' | ')} |`;

export function asMarkdown(rows: readonly Row[], { versions, libtorch, addon, processor, threads, resumed, date }: Facts): string {
  const aligned = columns.map((_, i) => (i === 0 || i === 2 || i === 3 ? '---' : '--:'));
  const references = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(', ');
  const rounded = rows.flatMap(({ parts }) => Object.values(parts).flatMap(Object.values)).filter(({ fp32 }) => fp32 > limits.fp32).length;
  return `${introduction}
Measured ${date} with \`npm run parity -- --threads ${threads}${resumed ? ' --resume' : ''} --write\`${resumed ? ' after runs by name' : ''}: ${rows.length} architectures, ${processor}, LibTorch ${libtorch} (native
core ${addon}); ${references}.
${rounded === 1 ? '1 value is' : `${rounded} values are`} further than ${limits.fp32.toExponential()} from the reference in fp32 and judged by fp64.

${[columns, aligned, ...rows.flatMap(cells)].map(rowOf).join('\n')}
`;
}
