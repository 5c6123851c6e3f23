/**
 * An error as a log field: class, message, code, stack and causes, each bounded. Other properties are left out, unlike in pino's own
 * serializer, because the error of a failed bulk write carries every document of the write.
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

/** @param thrown any value; a value that is not an Error is described by its type, a string also by its text. */
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

/** V8 repeats the message at the head of the stack, so it is shortened there too. */
function stackOf(stack: string, message: string): string {
  return stack.replace(message, () => bounded(message)).slice(0, STACK_LIMIT_CHARS);
}
