/** One Ctrl-C reaches a process under npx twice, from the terminal and passed on by npm: signals this close are one. */
const sameSignalMilliseconds = 500;

/**
 * Runs long work that Ctrl-C and SIGTERM can stop: the first signal aborts, so that the work saves and ends; the
 * second ends the process at once. The exit code is 130 or 143, or 0 when the work was finished all the same.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let firstAt = 0;
  const onSignal = (name: NodeJS.Signals): void => {
    const code = name === 'SIGINT' ? 130 : 143;
    if (controller.signal.aborted) {
      if (performance.now() - firstAt < sameSignalMilliseconds) return;
      process.exit(code);
    }
    firstAt = performance.now();
    process.exitCode = code;
    process.stderr.write('\nStopping after this step; once more to stop now.\n');
    controller.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    const result = await work(controller.signal);
    process.exitCode = 0;
    return result;
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}
