/**
 * An error as a log field: class, message, code, stack, cause, each bounded. Not its other properties, as pino's own
 * serializer would have it: a bulk write that fails carries every document that it meant to write.
 */
const MESSAGE_LIMIT_CHARS = 500;
const STACK_LIMIT_CHARS = 4_000;
const CAUSES_LIMIT = 3;

export interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string | number;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

/** @param thrown anything at all; what is no error is named by its type alone. */
export function describeForLog(thrown: unknown, depth = 0): LoggedError {
  if (!(thrown instanceof Error))
    return { type: typeof thrown, message: typeof thrown === 'string' ? bounded(thrown) : '' };
  const { name, message, stack, cause } = thrown;
  const { code } = thrown as { code?: unknown };
  return {
    type: name,
    message: bounded(message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(stack === undefined ? {} : { stack: stackOf(stack, message) }),
    ...(cause === undefined || depth >= CAUSES_LIMIT
      ? {}
      : { cause: describeForLog(cause, depth + 1) }),
  };
}

function bounded(text: string): string {
  return text.slice(0, MESSAGE_LIMIT_CHARS);
}

/** V8 repeats the message, whole, at the head of the stack. */
function stackOf(stack: string, message: string): string {
  return stack.replace(message, () => bounded(message)).slice(0, STACK_LIMIT_CHARS);
}
