import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const assets = fileURLToPath(new URL('../../assets/birds/', import.meta.url));

/**
 * The embedded default: birds, with the shipped teacher and generator. Each start without --resume gets a run folder
 * of its own, so that trying it twice needs no flag.
 */
export function quickstartConfig({ output, resume }: { output?: string; resume: boolean }): Record<string, unknown> {
  return {
    name: 'quickstart',
    output: output ?? runFolder(resume),
    teacher: { weights: join(assets, 'teacher.safetensors') },
    generator: { weights: join(assets, 'generator.safetensors') },
    discretiser: { weights: join(assets, 'discretiser.safetensors') }, // for rows such as dad, which are none of its own
    sampling: { sampler: 'dpm-solver++-2m', guidance: { kind: 'step', until: 0.6 } },
  };
}

/** runs/quickstart, runs/quickstart-2, ...: the first that is free, or, to resume, the last that is not. */
function runFolder(resume: boolean): string {
  const name = (n: number): string => join('runs', n === 1 ? 'quickstart' : `quickstart-${n}`);
  let n = 1;
  while (existsSync(name(n))) n++;
  return name(resume && n > 1 ? n - 1 : n);
}
