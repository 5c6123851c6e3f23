/** The one error of the native stack: a stable code, and a message that says what to do next. */

export type StackErrorCode =
  | 'HOST_UNSUPPORTED'
  | 'BUILD_FAILED'
  | 'PORT_TAKEN'
  | 'PORT_INVALID'
  | 'NO_FREE_PORT'
  | 'STACK_RUNNING'
  | 'SERVICE_NOT_READY'
  | 'SERVICE_DIED'
  | 'SERVICE_UNKNOWN'
  | 'SERVICE_GAVE_UP'
  | 'FOLDER_UNUSABLE'
  | 'LOCK_FAILED'
  | 'STOPPED'
  | 'COMMAND_FAILED'
  | 'PROCESSES_LEFT';

/** Raised by everything in this workspace; nothing is left running when `startStack` raises it. */
export class StackError extends Error {
  override readonly name = 'StackError';
  readonly code: StackErrorCode;

  constructor(code: StackErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/**
 * The answer for a machine on which the native stack cannot run.
 * @param reason why not, as a clause.
 */
export function unsupportedHost(reason: string): StackError {
  const ways =
    'Two other ways: run `./compose.sh up` (Docker), or set AMQP_URL and MONGODB_URL to servers you have.';
  return new StackError(
    'HOST_UNSUPPORTED',
    `The native stack cannot run here: ${reason}.\n${ways}`,
  );
}
