/** Whether a text is strong enough to be a bearer token or a password. Pure. */

/** Fewest characters of a secret. */
export const SECRET_MIN_CHARS = 32;
/** Most characters of a secret: an HTTP header has to carry it. */
export const SECRET_MAX_CHARS = 1_024;
/** Of 32 random decimal digits, the poorest alphabet in use, fewer than 6 kinds come up about once in 10 million. */
const MIN_DISTINCT_CHARS = 6;
/**
 * Differences between neighbouring characters. A repeated word, or a walk along the alphabet, has few of them: each of
 * 'password' four times, 'abc…' and '12345678901…' has at most 8, while 32 random hexadecimal digits have 12 or more.
 */
const MIN_DISTINCT_STEPS = 9;
/** Visible ASCII: what a header carries unchanged, without a space. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/**
 * Says what is wrong with a secret, without showing it.
 * @returns undefined where nothing is; otherwise the end of a sentence that begins with the name of the secret.
 */
export function weaknessOfSecret(secret: string): string | undefined {
  if (secret === '') return 'is empty';
  if (secret.length < SECRET_MIN_CHARS)
    return `has ${secret.length} characters and needs at least ${SECRET_MIN_CHARS}`;
  if (secret.length > SECRET_MAX_CHARS)
    return `has ${secret.length} characters and may have at most ${SECRET_MAX_CHARS}`;
  if (!VISIBLE_ASCII.test(secret))
    return 'holds a space, a control character or one outside ASCII, which no HTTP header carries';
  const characters = secret.split('');
  const steps = characters
    .slice(1)
    .map((character, index) => character.charCodeAt(0) - secret.charCodeAt(index));
  if (new Set(characters).size < MIN_DISTINCT_CHARS || new Set(steps).size < MIN_DISTINCT_STEPS)
    return 'can be guessed: it repeats a few characters, or follows a simple pattern';
  return undefined;
}

/** How an operator makes a good secret; the end of every message about a bad one. */
export const SECRET_REMEDY = "make one with 'openssl rand -hex 24'";
