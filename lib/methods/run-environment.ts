/** Where and with what a run was made, for its result and report. */
import { cpus } from 'node:os';

import type { Engine } from '../native/engine.js';
import { packageVersion } from '../version.js';

export interface RunEnvironment {
  /** Version of this package. */
  sparring: string;
  libtorch: string;
  node: string;
  /** Model of the processor. */
  cpu: string;
  threads: number;
  device: string;
  precision: string;
  /** When it was done, ISO 8601. */
  date: string;
}

export function runEnvironment({ core, device, precision, threads }: Engine): RunEnvironment {
  return {
    sparring: packageVersion,
    libtorch: core.info().libtorch,
    node: process.version,
    cpu: cpus()[0]?.model ?? 'unknown',
    threads,
    device,
    precision,
    date: new Date().toISOString(),
  };
}
