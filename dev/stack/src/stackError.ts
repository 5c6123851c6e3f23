/** The only error class of the native stack. */

export type StackErrorCode =
  | 'HOST_UNSUPPORTED'
  | 'BUILD_FAILED'
  | 'PORT_TAKEN'
  | 'PORT_INVALID'
  | 'NO_FREE_PORT'
  | 'STACK_RUNNING'
  | 'SERVER_NOT_READY'
  | 'SERVER_DIED'
  | 'SERVER_UNKNOWN'
  | 'RESTART_GIVEN_UP'
  | 'FOLDER_UNUSABLE'
  | 'LOCK_FAILED'
  | 'STOPPED'
  | 'COMMAND_FAILED'
  | 'PROCESSES_LEFT';

/** An error with a stable code and a message with the remedy. */
export class StackError extends Error {
  override readonly name = 'StackError';
  readonly code: StackErrorCode;

  constructor(code: StackErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * The error for a machine on which the native stack cannot run.
 * @param reason why it cannot, as a clause.
 */
export function unsupportedHost(reason: string): StackError {
  const alternatives =
    'Two other ways: run `./compose.sh up` (Docker), or set AMQP_URL and MONGODB_URL to servers you have.';
  return new StackError(
    'HOST_UNSUPPORTED',
    `The native stack cannot run here: ${reason}.\n${alternatives}`,
  );
}

/** @returns the message of an error, or the thrown value as text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
