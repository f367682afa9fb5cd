/**
 * Who is measured, as data, and who is compared with whom: a ratio is the rival's time over ours.
 *
 *   engine      the program that runs it, see engines.mjs
 *   operations  of the trials that it takes part in
 *   devices     where it is worth anything; default everywhere
 *   needs       a network that its trials must have
 *   families    of students that it takes, where it does not take all
 *   repeat, fewest, rounds  of its own, where one run takes many times as long as that of others
 *   workers     reads with as many processes as there are threads
 *   compile     mode of torch.compile
 *   recipe      clip-guided: the network asked twice, once without and once with gradients, as the community pipeline of diffusers of
 *               that name does it, in the default layout
 */
const forward = ['classify', 'sample'];
const networks = ['guidedStep', 'chain', 'studentStep', 'discreteAdversary', ...forward];
const files = ['readJpegs', 'loadWeights'];
const bf16 = { engine: 'pytorch', precision: 'bf16', channelsLast: true, operations: networks };
const plain = { engine: 'pytorch', precision: 'fp32', channelsLast: false };

export const contenders = [
  { name: 'ours bf16', engine: 'ours', precision: 'bf16', operations: networks },
  { name: 'ours fp32', engine: 'ours', precision: 'fp32', operations: networks },
  { ...bf16, name: 'eager bf16 channels_last' },
  { ...bf16, name: 'eager fp32', precision: 'fp32', channelsLast: false },
  { ...bf16, name: 'compile bf16', compile: 'default' },
  { ...bf16, name: 'compile max-autotune bf16', compile: 'max-autotune' },
  // CUDA graphs.
  { ...bf16, name: 'compile reduce-overhead bf16', compile: 'reduce-overhead', devices: ['cuda'] },
  { ...bf16, name: 'clip-guided recipe bf16', channelsLast: false, recipe: 'clip-guided', operations: ['guidedStep'], needs: 'autoencoder' },
  { name: 'ours', engine: 'ours', precision: 'fp32', operations: [...files, 'emptyCall'] },
  { ...plain, name: 'Pillow loop', operations: ['readJpegs'] },
  { ...plain, name: 'torch DataLoader', operations: ['readJpegs'], workers: true },
  { ...plain, name: 'safetensors of Python', operations: ['loadWeights'] },
  { ...plain, name: 'an operator of PyTorch in Python', operations: ['emptyCall'] },
  { ...plain, name: 'onnxruntime-node fp32', engine: 'onnxruntime', operations: forward, devices: ['cpu'] },
  { ...plain, name: 'tfjs fp32', engine: 'tfjs', operations: ['studentStep'], families: ['cnn'], devices: ['cpu'], repeat: 1, fewest: { warmup: 0, measured: 1 }, rounds: 2 },
];

/** Those that take part in a trial; `terms`: only those whose name has one of them. */
export function contendersOf({ operation, models, precisions }, { device, terms = [''] }) {
  return contenders.filter(
    (one) =>
      one.operations.includes(operation) &&
      (one.devices ?? ['cpu', 'cuda']).includes(device.split(':')[0]) &&
      (precisions ?? ['bf16', 'fp32']).includes(one.precision) &&
      (!one.needs || one.needs in models) &&
      (!one.families || one.families.includes(models.student.architecture.family)) &&
      terms.some((term) => one.name.includes(term)),
  );
}

/** The first comparison of a rival is with ours of its own precision, then with our default. */
export function comparisonsOf(names) {
  const ours = contenders.filter(({ engine, name }) => engine === 'ours' && names.includes(name));
  return contenders
    .filter(({ engine, name }) => engine !== 'ours' && names.includes(name))
    .flatMap((rival) => {
      const equal = ours.filter(({ precision }) => precision === rival.precision);
      const byDefault = ours.filter(({ precision }) => precision === 'bf16' && precision !== rival.precision);
      return [...equal, ...byDefault].map((one) => ({ rival: rival.name, ours: one.name }));
    });
}

/** What every result is compared with before timing: the first of these that can run. */
export const references = ['eager fp32', 'ours fp32', 'ours'];
