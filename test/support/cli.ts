/** Runs the command line as users do: bin/sparring.js in a process of its own. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const executable = fileURLToPath(new URL('../../bin/sparring.js', import.meta.url));

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  cwd?: string;
  /** Over the environment of the tests; undefined removes a variable. */
  env?: Record<string, string | undefined>;
}

/** Runs a command to its end. */
export function cli(args: string[], { cwd, env }: CliOptions = {}): Ended {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [executable, ...args], { cwd, env: { ...process.env, ...env }, encoding: 'utf8', timeout: 300_000 });
  return { status, signal, stdout, stderr };
}

/** As cli, with a process that cannot write files of more than `bytes`, a multiple of 1024. */
export function cliWithFileLimit(bytes: number, args: string[]): Ended {
  const script = `trap '' XFSZ; ulimit -f ${bytes / 1024}; exec "$0" "$@"`;
  const { status, signal, stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath, executable, ...args], { encoding: 'utf8', timeout: 300_000 });
  return { status, signal, stdout, stderr };
}

/** Starts a command; `ended` resolves when it has. */
export function startCli(args: string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [executable, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '', stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve) => child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr })));
  return { child, ended };
}

/** The rows on the last line of stdout, without their times. */
export function timelessRows(stdout: string): any[] {
  return timeless(lastLine(stdout).rows);
}

/** Rows without the times that they took, which no two runs share. */
export function timeless(rows: readonly any[]): any[] {
  return rows.map(({ seconds: _, cost, ...row }) => (cost ? { ...row, cost: { imagesMade: cost.imagesMade, trainingImages: cost.trainingImages } } : row));
}

/** The JSON object on the last line of stdout. */
export function lastLine(stdout: string): any {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}
