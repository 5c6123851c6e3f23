/** Routing keys and their patterns, as a topic exchange compares them: words between dots, `*` one word, `#` any number. */

/** @returns true if the key has a wildcard, so that it is a pattern and nothing can be published with it. */
export function isPattern(key: string): boolean {
  return key.split('.').some((word) => word === '*' || word === '#');
}

/** @returns true if a topic exchange would route a message with this key by a binding with this pattern. */
export function matchesPattern(pattern: string, key: string): boolean {
  if (!isPattern(pattern)) return pattern === key;
  return matchesWords(pattern.split('.'), key.split('.'));
}

function matchesWords(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === '#')
    return words.length === 0
      ? matchesWords(rest, words)
      : matchesWords(rest, words) || matchesWords(pattern, words.slice(1));
  if (words.length === 0) return false;
  return (first === '*' || first === words[0]) && matchesWords(rest, words.slice(1));
}

/**
 * A queue gets one copy of a message however many of its bindings match, so a key that another one covers needs no binding.
 * Of patterns that cover each other, such as `#` and `#.#`, the first one stays, so that the queue keeps a binding.
 * @returns the keys and patterns without those whose every key another one matches too.
 */
export function withoutCovered(keys: readonly string[]): string[] {
  const different = [...new Set(keys)];
  return different.filter(
    (key, index) =>
      !different.some(
        (other, otherIndex) =>
          other !== key && covers(other, key) && (otherIndex < index || !covers(key, other)),
      ),
  );
}

/** @returns true if the pattern matches every key that the other one matches. */
function covers(pattern: string, other: string): boolean {
  return isPattern(pattern) && keysLike(other).every((key) => matchesPattern(pattern, key));
}

/**
 * Keys that stand for all keys of a pattern in a proof: every wildcard is replaced by words that nobody else uses, so that
 * only bindings with wildcards can match them too.
 * @returns a pattern without wildcards as it is.
 */
export function keysLike(pattern: string): string[] {
  const choices = pattern.split('.').map((word) => {
    if (word === '*') return [['any-word']];
    return word === '#' ? [[], ['any-word'], ['any-word', 'any-other']] : [[word]];
  });
  const keys = choices.reduce<string[][]>(
    (before, after) => before.flatMap((words) => after.map((more) => [...words, ...more])),
    [[]],
  );
  return [...new Set(keys.map((words) => words.join('.')))].filter((key) => key !== '');
}
