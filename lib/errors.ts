/**
 * The one error class of the product. `message` says where and what (expected, found);
 * `hint` says how to fix it. Codes are stable and listed in docs/errors.md.
 */
export type ErrorCode =
  | 'usage' // a flag or a command that does not exist or does not fit
  | 'config' // a config value with the wrong name, type or range
  | 'data' // a dataset folder or file that is missing, empty, truncated or inconsistent
  | 'weights' // a weights file that is damaged or does not fit the model
  | 'environment' // LibTorch, compiler, addon or device missing or of the wrong version
  | 'numeric' // NaN or infinity in a loss
  | 'out-of-memory'
  | 'io' // disk full, no permission, file vanished
  | 'aborted' // cancelled by an AbortSignal or Ctrl-C
  | 'disposed' // a handle was used after dispose()
  | 'torch' // LibTorch refused an operation
  | 'internal';

export class SparringError extends Error {
  override readonly name = 'SparringError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What to throw for a failed piece of work: when it was cancelled, an error that says what is left of it and how to go on. */
export function explainStop(error: unknown, message: string, hint: string): unknown {
  const aborted = error instanceof SparringError && error.code === 'aborted';
  return aborted ? new SparringError('aborted', message, hint, { cause: error }) : error;
}

/** Process exit code for an error, as documented in docs/errors.md. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof SparringError)) return 1;
  switch (error.code) {
    case 'usage':
    case 'config':
      return 2;
    case 'environment':
      return 3;
    default:
      return 1;
  }
}
