/** @returns a sentence if the values differ as JSON, else nothing. */
export function mismatch(name: string, actual: unknown, expected: unknown): string[] {
  const [actualText, expectedText] = [JSON.stringify(actual), JSON.stringify(expected)];
  return actualText === expectedText ? [] : [`${name}: ${actualText} instead of ${expectedText}`];
}
