/** Texts as the database compares and matches them. Pure. */

/** Compares as the database does, by bytes; texts in JavaScript are compared by units of UTF-16. */
export function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * @returns a regular expression that matches this text. `RegExp.escape` writes some characters as `\u2028`, which the database
 * refuses, as it does a pattern with the character of code 0.
 */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`).replaceAll('\0', String.raw`\x00`);
}
