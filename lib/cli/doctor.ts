import type { CommandModule } from 'yargs';

import { formatTrace } from '../libtorch/index.js';
import type { EnvironmentReport } from '../native/environment.js';
import { environmentReport } from '../native/environment.js';

interface DoctorArgs {
  json: boolean;
}

export const command: CommandModule<object, DoctorArgs> = {
  command: 'doctor',
  describe: 'Show what this machine has and what is missing (exit code 3 when the native core cannot run)',
  builder: (yargs) =>
    yargs.option('json', { type: 'boolean', default: false, describe: 'Print one JSON object instead of text' }),
  handler: ({ json }) => {
    const report = environmentReport();
    console.log(json ? JSON.stringify(report) : format(report));
    if (!report.core.loaded) process.exitCode = 3;
  },
};

function format(report: EnvironmentReport): string {
  const { cpu, addon, libtorch, cuda, core } = report;
  const features = Object.entries(cpu.features).map(([name, present]) => `${present ? '' : 'no '}${name}`);
  const rows: [string, string][] = [
    ['sparring', report.package],
    ['Node.js', report.node],
    ['platform', `${report.platform}, ${report.glibc === null ? 'no glibc' : `glibc ${report.glibc}`}`],
    ['CPU', `${cpu.model}, ${cpu.threads} threads, ${(cpu.memoryBytes / 2 ** 30).toFixed(0)} GiB`],
    ['', features.join(', ')],
    ['addon', addon ? `${addon.path} (for LibTorch ${addon.builtFor})` : 'missing'],
    ['LibTorch', libtorch ? `${libtorch.version} in ${libtorch.root} (${libtorch.source})` : 'missing'],
    ['CUDA', cudaState(cuda)],
    [
      'core',
      core.loaded
        ? `loads, ${core.info.threads} threads, bf16 ${core.info.cpuBf16 ? 'in hardware' : 'emulated'} on the CPU`
        : 'does not load',
    ],
  ];
  const table = rows.map(([name, value]) => `${name.padEnd(10)}${value}`).join('\n');
  const problem = core.loaded ? '' : `\n\n${core.message}${core.hint ? `\n${core.hint}` : ''}`;
  const trace = formatTrace(report.trace);
  return problem.includes(trace) ? table + problem : `${table}\n\nLooked for LibTorch at:\n${trace}${problem}`;
}

function cudaState({ driver, devices, problem, kernels }: EnvironmentReport['cuda']): string {
  if (driver === null) return 'not available: no NVIDIA driver';
  if (devices > 0) return `${devices} GPU${devices > 1 ? 's' : ''}, driver ${driver}; fused kernels ${kernels.loaded ? 'loaded' : `not loaded: ${kernels.problem}`}`;
  return `not available with driver ${driver}: ${problem ?? 'LibTorch sees no GPU'}`;
}
