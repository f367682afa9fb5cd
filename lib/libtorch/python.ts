/** What is asked of the user's Python: where PyTorch is installed, and to fetch wheels. PyTorch is never imported. */
import { execFileSync, spawn } from 'node:child_process';

/** Interpreters to ask, in order. `SPARRING_PYTHON` replaces the usual names. */
export function pythonCommands(env: NodeJS.ProcessEnv = process.env): string[] {
  return env.SPARRING_PYTHON ? [env.SPARRING_PYTHON] : ['python3', 'python'];
}

/** The folder of the installed `torch` package (find_spec reads no more than its path), or why there is none. */
export function installedTorch(
  python: string,
  env: NodeJS.ProcessEnv = process.env,
): { root: string } | { reason: string } {
  const script =
    'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")';
  try {
    const output = execFileSync(python, ['-c', script], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 20_000,
    });
    const root = output.trim();
    return root ? { root } : { reason: 'this Python has no PyTorch' };
  } catch (error) {
    const failure = error as NodeJS.ErrnoException & { stderr?: string };
    if (failure.code === 'ENOENT') return { reason: 'no such command' };
    return { reason: lastLine(failure.stderr ?? '') || failure.message };
  }
}

/**
 * Downloads wheels into `directory` without installing them. Wheels for one fixed Python are asked for, because the
 * C++ libraries do not depend on the Python version: any pip can fetch them, and their checksum can be known.
 * pip shows its own progress bar on stderr. Throws an Error with pip's reason.
 */
export async function pipDownload(
  python: string,
  requirement: string,
  directory: string,
  options: { index?: string; withDependencies: boolean; signal?: AbortSignal },
): Promise<void> {
  // pip takes a platform literally: wheels for an older glibc must be named as well (CUDA's are a mixture).
  const glibcMinors = Array.from({ length: 12 }, (_, index) => 28 - index);
  const tags = [...glibcMinors.map((minor) => `manylinux_2_${minor}`), 'manylinux2014'];
  const args = ['-m', 'pip', 'download', '--disable-pip-version-check', '--only-binary=:all:'];
  args.push('--python-version', '3.11', '--implementation', 'cp', '--abi', 'cp311', '--abi', 'abi3', '--abi', 'none');
  for (const tag of tags) args.push('--platform', `${tag}_x86_64`);
  if (!options.withDependencies) args.push('--no-deps');
  if (options.index) args.push('--index-url', options.index);
  args.push('--dest', directory, requirement);

  // stdout may be reserved for a JSON result, so pip's goes to stderr; its own stderr is kept for the error message.
  const child = spawn(python, args, { stdio: ['ignore', 2, 'pipe'], signal: options.signal });
  let complaints = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(lastLine(complaints) || `pip ended with code ${code}`);
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)!.trim();
}
