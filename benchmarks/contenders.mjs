/** Who is measured, as data, and who is compared with whom: a ratio is the rival's time over ours. */
export const contenders = [
  { name: 'ours bf16', engine: 'ours', precision: 'bf16' },
  { name: 'ours fp32', engine: 'ours', precision: 'fp32' },
  { name: 'eager bf16 channels_last', engine: 'eager', precision: 'bf16', channelsLast: true },
  { name: 'eager fp32', engine: 'eager', precision: 'fp32', channelsLast: false },
];

/** The first comparison of a rival is with ours of its own precision. */
export const comparisons = [
  { rival: 'eager bf16 channels_last', ours: 'ours bf16' },
  { rival: 'eager fp32', ours: 'ours fp32' },
  { rival: 'eager fp32', ours: 'ours bf16' },
];

/** What every result is compared with before timing: eager fp32, or ours where there is no PyTorch. */
export const references = ['eager fp32', 'ours fp32'];
