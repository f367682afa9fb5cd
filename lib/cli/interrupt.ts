/**
 * Runs long work that Ctrl-C and SIGTERM can stop: the first signal aborts, so that the work saves and ends; the
 * second ends the process at once. The exit code is 130 or 143.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    const code = name === 'SIGINT' ? 130 : 143;
    if (controller.signal.aborted) process.exit(code);
    process.exitCode = code;
    process.stderr.write('\nStopping after this step; once more to stop now.\n');
    controller.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await work(controller.signal);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
