/** Results as aligned lines, as JSON and as Markdown. A ratio is the rival's time over ours: above 1, ours is faster. */

/** Other work may take this fraction of the machine before the figures are marked. */
const QUIET = 0.05;

/** One line per contender, then the ratios. */
export function asLines({ name, results, comparisons, othersShare }) {
  const width = Math.max(...Object.keys(results).map((one) => one.length), ...comparisons.map((one) => pair(one).length));
  return [
    name,
    ...Object.entries(results).map(
      ([contender, { msPerImage, peakMemoryMb }]) =>
        `  ${contender.padEnd(width)}  ${milliseconds(msPerImage).padStart(8)} ms/image  ${perSecond(msPerImage).padStart(7)} images/s  ${peakMemoryMb.toFixed(0).padStart(5)} MB`,
    ),
    ...comparisons.map((one) => `  ${pair(one).padEnd(width)}  ${times(one.ratio).padStart(8)}  (${times(one.lowest)} to ${times(one.highest)})`),
    ...(othersShare > QUIET ? [`  ${disturbance(othersShare)}`] : []),
  ].join('\n');
}

/**
 * `ours` is bf16, the default where the hardware multiplies it. A rival's `ratio` is to ours of its own precision
 * (`against`), its `ratioToOursBf16` to the default.
 */
export function asJson(measured) {
  return {
    trials: measured.map(({ name, results, comparisons, othersShare }) => ({
      name,
      othersShare,
      ours: { precision: 'bf16', ...figures(results['ours bf16']) },
      oursFp32: { precision: 'fp32', ...figures(results['ours fp32']) },
      rivals: [...new Set(comparisons.map(({ rival }) => rival))].map((rival) => {
        const { ratio, lowest, highest, ours } = comparisons.find((one) => one.rival === rival);
        const toDefault = comparisons.find((one) => one.rival === rival && one.ours === 'ours bf16');
        return { name: rival, ...figures(results[rival]), ratio, lowest, highest, against: ours, ratioToOursBf16: toDefault.ratio };
      }),
    })),
  };
}

function figures({ msPerImage, peakMemoryMb, error }) {
  return { msPerImage, peakMemoryMb, relativeError: error };
}

/** facts: [name, text] pairs about machine, versions and settings. */
export function asMarkdown(measured, { date, device, command, facts }) {
  const sections = measured.map(({ name, results, comparisons, othersShare }) => {
    const rows = Object.entries(results).map(
      ([contender, { msPerImage, peakMemoryMb, error }]) =>
        `| ${contender} | ${milliseconds(msPerImage)} | ${perSecond(msPerImage)} | ${peakMemoryMb.toFixed(0)} | ${error.toExponential(1)} |`,
    );
    const ratios = comparisons.map((one) => `| ${pair(one)} | ${times(one.ratio)} | ${times(one.lowest)} to ${times(one.highest)} |`);
    return [
      `## ${capitalised(name)}`,
      ['| contender | ms/image | images/s | peak MB | error |', '|---|--:|--:|--:|--:|', ...rows].join('\n'),
      ...(othersShare > QUIET ? [disturbance(othersShare)] : []),
      ...(ratios.length > 0 ? [['| time of / time of | ratio | over the rounds |', '|---|--:|--:|', ...ratios].join('\n')] : []),
    ].join('\n\n');
  });
  return `${[
    `# Benchmark on ${device === 'cpu' ? 'the CPU' : device}, ${date}`,
    `Made by \`${command}\`.`,
    facts.map(([name, text]) => `- ${name}: ${text}`).join('\n'),
    'Times are medians over the rounds; a ratio is formed within each round, above 1 ours is faster. "error" is the relative difference (L2) to eager fp32 of the gradient of the median image, or of loss and gradient norm in the median of three steps.',
    ...sections,
  ].join('\n\n')}\n`;
}

const disturbance = (share) => `Other work took ${(share * 100).toFixed(0)} % of the machine meanwhile: do not trust these figures.`;
const pair = ({ rival, ours }) => `${rival} / ${ours}`;
const milliseconds = (value) => (value < 10 ? value.toFixed(3) : value.toFixed(1));
const perSecond = (msPerImage) => (1000 / msPerImage).toFixed(msPerImage > 100 ? 1 : 0);
const times = (ratio) => `${ratio.toFixed(2)}x`;
const capitalised = (text) => text[0].toUpperCase() + text.slice(1);
