/** Results as aligned lines, as JSON and as Markdown. A ratio is the rival's time over ours: above 1, ours is faster. */

/** Other work may take this fraction of the machine before the figures are marked. */
const QUIET = 0.05;

/** One line per contender, then the ratios. */
export function asLines({ name, unit, results, comparisons, skipped, othersShare }) {
  const width = Math.max(...Object.keys(results).map((one) => one.length), ...comparisons.map((one) => pair(one).length));
  return [
    name,
    ...Object.entries(results).map(
      ([contender, { msPerImage, firstRunMs, ...memory }]) =>
        `  ${contender.padEnd(width)}  ${milliseconds(msPerImage).padStart(8)} ms/${unit}  ${perSecond(msPerImage).padStart(7)} ${unit}s/s  ${megabytes(memory).padStart(6)} MB  first run ${seconds(firstRunMs)} s`,
    ),
    ...skipped.map(({ name, reason }) => `  ${name}: not measured, ${firstLine(reason)}`),
    ...comparisons.map((one) => `  ${pair(one).padEnd(width)}  ${times(one.ratio).padStart(8)}  (${times(one.lowest)} to ${times(one.highest)})`),
    ...(othersShare > QUIET ? [`  ${disturbance(othersShare)}`] : []),
  ].join('\n');
}

/**
 * `ours` is the default, bf16 where the hardware multiplies it. A rival's `ratio` is to ours of its own precision
 * (`against`), its `ratioToOursBf16` to the default.
 */
export function asJson(measured) {
  return {
    trials: measured.map(({ name, unit, results, comparisons, skipped, othersShare }) => ({
      name,
      unit,
      othersShare,
      ...ours(results),
      rivals: [...new Set(comparisons.map(({ rival }) => rival))].map((rival) => {
        const { ratio, lowest, highest, ours } = comparisons.find((one) => one.rival === rival);
        const toDefault = comparisons.find((one) => one.rival === rival && one.ours === 'ours bf16');
        return { name: rival, ...figures(results[rival]), ratio, lowest, highest, against: ours, ...(toDefault && { ratioToOursBf16: toDefault.ratio }) };
      }),
      skipped,
    })),
  };
}

function ours(results) {
  const of = (name) => results[name] && { ...figures(results[name]), ...(name !== 'ours' && { precision: name.split(' ')[1] }) };
  const [first, second] = ['ours bf16', 'ours fp32', 'ours'].map(of).filter(Boolean);
  return { ours: first, ...(second && { oursFp32: second }) };
}

function figures({ msPerImage, peakMemoryMb, gpuMemoryMb, firstRunMs, error }) {
  return { msPerImage, peakMemoryMb, ...(gpuMemoryMb > 0 && { gpuMemoryMb }), firstRunMs, relativeError: error };
}

/** facts: [name, text] pairs about machine, versions and settings. */
export function asMarkdown(measured, { date, device, command, facts }) {
  const sections = measured.map(({ name, unit, results, comparisons, skipped, othersShare }) => {
    const rows = Object.entries(results).map(
      ([contender, { msPerImage, firstRunMs, error, ...memory }]) =>
        `| ${contender} | ${milliseconds(msPerImage)} | ${perSecond(msPerImage)} | ${megabytes(memory)} | ${seconds(firstRunMs)} | ${error.toExponential(1)} |`,
    );
    const ratios = comparisons.map((one) => `| ${pair(one)} | ${times(one.ratio)} | ${times(one.lowest)} to ${times(one.highest)} |`);
    return [
      `## ${capitalised(name)}`,
      [`| contender | ms/${unit} | ${unit}s/s | peak MB | first run, s | error |`, '|---|--:|--:|--:|--:|--:|', ...rows].join('\n'),
      ...(othersShare > QUIET ? [disturbance(othersShare)] : []),
      ...(skipped.length > 0 ? [skipped.map(({ name, reason }) => `- ${name}: not measured, ${firstLine(reason)}`).join('\n')] : []),
      ...(ratios.length > 0 ? [['| time of / time of | ratio | over the rounds |', '|---|--:|--:|', ...ratios].join('\n')] : []),
    ].join('\n\n');
  });
  return `${[
    `# Benchmark on ${device === 'cpu' ? 'the CPU' : device}, ${date}`,
    `Made by \`${command}\`.`,
    facts.map(([name, text]) => `- ${name}: ${text}`).join('\n'),
    'Times are medians over the rounds; a ratio is formed within each round, above 1 ours is faster. "first run" has the compilation in it, which no time has. "peak MB" is the memory of the process, on a GPU that of the GPU. "error" is the relative difference (L2) of what is computed to what eager fp32 computes (ours in fp32 where there is none), of the median image, or of loss and gradient norm in the median of three steps.',
    ...sections,
  ].join('\n\n')}\n`;
}

const disturbance = (share) => `Other work took ${(share * 100).toFixed(0)} % of the machine meanwhile: do not trust these figures.`;
const firstLine = (text) => text.split('\n').filter((line, at, lines) => at === 0 || at === lines.length - 1).join(' ... ');
const megabytes = ({ gpuMemoryMb, peakMemoryMb }) => (gpuMemoryMb || peakMemoryMb).toFixed(0);
const seconds = (milliseconds) => (milliseconds / 1000).toFixed(1);
const pair = ({ rival, ours }) => `${rival} / ${ours}`;
const milliseconds = (value) => (value < 0.1 ? value.toFixed(5) : value < 10 ? value.toFixed(3) : value.toFixed(1));
const perSecond = (msPerImage) => (1000 / msPerImage).toFixed(msPerImage > 100 ? 1 : 0);
const times = (ratio) => `${ratio.toFixed(2)}x`;
const capitalised = (text) => text[0].toUpperCase() + text.slice(1);
