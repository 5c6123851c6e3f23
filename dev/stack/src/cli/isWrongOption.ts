/**
 * Pure.
 * @returns true for what `parseArgs` throws at a wrong word: its message is for whoever typed it. Any other TypeError of
 * Node is a defect, and keeps its stack.
 */
export function isWrongOption(error: unknown): error is Error {
  return (
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  );
}
